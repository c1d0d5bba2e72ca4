/* Small words of the agent: sizes, descriptors, time, files, and what it says on the console. */
#ifndef VMDECK_AGENT_UTIL_H
#define VMDECK_AGENT_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define countof(a)        (sizeof(a) / sizeof((a)[0]))
#define min_of(a, b)      ((a) < (b) ? (a) : (b))
#define max_of(a, b)      ((a) > (b) ? (a) : (b))
#define printf_like(f, a) __attribute__((format(printf, f, a)))

/* Boot steps are printed too (kernel option vmdeck.debug, or --debug). Written by main.c only. */
extern bool agent_debug;

/* One line on stderr (PID 1: the console). Errors always; steps when agent_debug is set, with the
 * time since boot. */
void say_error(const char *fmt, ...) printf_like(1, 2);
void say_step(const char *fmt, ...) printf_like(1, 2);

/* Closes *fd when it is open and sets it to -1. */
void close_fd(int *fd);

/* CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME in ns. */
uint64_t mono_ns(void);
uint64_t wall_ns(void);
uint64_t boot_ns(void);

/* Reads at most cap - 1 bytes of a file and ends them with NUL: bytes read, or -errno. */
ssize_t file_slurp(const char *path, char *buf, size_t cap);
/* Replaces the file by a temporary name and rename: 0 or -errno. */
int file_replace(const char *path, const char *text);

#endif
