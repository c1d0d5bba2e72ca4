/* Keeps a log file that a hostile guest can make grow (its serial console) from filling the disk:
 * told of changes by inotify, looks at most every LOG_CAP_EVERY s, and gives the oldest bytes'
 * blocks back. Offsets stay as they are; a reader finds the first byte left by SEEK_DATA. */
#ifndef VMDECK_VMM_LOG_CAP_H
#define VMDECK_VMM_LOG_CAP_H

#include <ev.h>
#include <sys/types.h>

#define LOG_CAP_MAX   (32 * 1024 * 1024) /* bytes of data above which old ones go */
#define LOG_CAP_KEEP  (16 * 1024 * 1024) /* newest bytes that stay */
#define LOG_CAP_EVERY 2.0                /* s */

struct log_cap {
	struct ev_loop *loop; /* NULL: not watching */
	ev_stat changed;
	ev_timer rest;
	off_t cut; /* bytes before it were given back by us */
};

/* Watches path (borrowed) from now on. */
void log_cap_start(struct log_cap *c, struct ev_loop *loop, const char *path);
void log_cap_stop(struct log_cap *c); /* zeroed is fine */

/* Gives back what is over the limit now; returns the offset of the first byte kept. Without holes
 * in this filesystem the file is emptied instead. */
off_t log_cap_trim(const char *path, off_t cut);

#endif
