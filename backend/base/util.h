/* Small words used everywhere: sizes, container_of, scoped cleanup. libc only. */
#ifndef VMDECK_BASE_UTIL_H
#define VMDECK_BASE_UTIL_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define countof(a)                    (sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member) ((type *)(void *)((char *)(p)-offsetof(type, member)))
#define min_of(a, b)                  ((a) < (b) ? (a) : (b))
#define max_of(a, b)                  ((a) > (b) ? (a) : (b))

#define must_check        __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))

/* Scoped cleanup: the variable's resource is released when it leaves its scope.
 * steal_fd/steal_ptr hand the resource on to another owner. */
#define autofree __attribute__((cleanup(cleanup_free)))
#define autofd   __attribute__((cleanup(cleanup_fd)))
#define autofile __attribute__((cleanup(cleanup_file)))

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline int steal_fd(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

static inline void *steal_ptr_(void *pp)
{
	void *r = *(void **)pp;

	*(void **)pp = NULL;
	return r;
}
#define steal_ptr(pp) ((__typeof__(*(pp)))steal_ptr_(pp))

/* malloc family that aborts when memory is gone; never give it a size that a peer chose
 * without limiting that first. The caller owns the result. */
void *xcalloc(size_t n, size_t size) must_check;
char *xstrdup(const char *s) must_check;
char *xasprintf(const char *fmt, ...) must_check printf_like(1, 2);

/* Closes *fd when it is open and sets it to -1. */
void close_fd(int *fd);

/* CLOCK_MONOTONIC and CLOCK_REALTIME in ns. */
uint64_t mono_ns(void);
uint64_t wall_ns(void);

#endif
