/* Pseudo terminals. */
#ifndef VMDECK_AGENT_PTY_H
#define VMDECK_AGENT_PTY_H

#include <stdint.h>
#include <sys/types.h>

/* Opens a terminal of that size (0: 24 x 80) owned by uid: master non-blocking, slave blocking,
 * both close-on-exec. 0 or -errno. */
int pty_open(uint16_t rows, uint16_t cols, uid_t uid, int *ret_master, int *ret_slave);
void pty_resize(int master, uint16_t rows, uint16_t cols);
/* Process group in the foreground, or 0. */
pid_t pty_foreground(int master);
/* The terminal's end-of-file character. */
uint8_t pty_eof_char(int master);

#endif
