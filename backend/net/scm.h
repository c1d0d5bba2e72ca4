/* One message with descriptors over a SOCK_SEQPACKET socket: between the daemon and the keeper of a
 * VM's network. */
#ifndef VMDECK_NET_SCM_H
#define VMDECK_NET_SCM_H

#include <stddef.h>
#include <sys/types.h>

#define SCM_TEXT_MAX 8192
#define SCM_FDS_MAX  8

/* Never blocks; the descriptors stay the caller's. 0, -EAGAIN (the peer does not read), -errno. */
int scm_send(int fd, const char *text, const int *fds, int count);
/* Never blocks. Length of the text, NUL-ended in buf[SCM_TEXT_MAX]; 0: the peer has gone; -EAGAIN;
 * -EMSGSIZE. *ret_count (<= SCM_FDS_MAX) descriptors go to fds, close-on-exec, the caller's. */
ssize_t scm_recv(int fd, char *buf, int *fds, int *ret_count);

#endif
