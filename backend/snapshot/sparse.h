/* Sparse files: their data in chunks, holes never read; copies that keep the holes. */
#ifndef VMDECK_SNAPSHOT_SPARSE_H
#define VMDECK_SNAPSHOT_SPARSE_H

#include <stdbool.h>

#include "backend/snapshot/store.h"

#define SPARSE_PAGE 4096u

/* Reads a file front to back, one SEEK_DATA and SEEK_HOLE per stretch of data. */
struct sparse_reader {
	int fd;            /* the caller's */
	uint64_t size;     /* where to end, bytes */
	uint64_t from, to; /* the stretch of data at hand; from is UINT64_MAX behind the last */
};

/* 0 or -errno. */
int sparse_begin(struct sparse_reader *r, int fd, uint64_t size);
/* Bytes [pos, pos+len) into buf, holes as zeros: 1; 0 when there is nothing but a hole (buf is left
 * as it was); -errno (-ENODATA: the file has become shorter). pos must grow from call to call. */
int sparse_read(struct sparse_reader *r, uint64_t pos, size_t len, uint8_t *buf);

/* On to the next stretch of data, for who wants only to know where it is: 0 or -errno. */
int sparse_skip(struct sparse_reader *r);

/* Whether n bytes at p (8-byte aligned, n a multiple of 8) are all zero. */
bool sparse_is_zero(const void *p, size_t n);

/* Sum of a chunk (page-aligned): SHA-256 over 32 bytes in which bit n tells that its page n holds
 * more than zeros, and those pages. 32 zero bytes when none does. So it depends on content only,
 * not on where the holes are, and costs what the data costs: a guest's memory is scattered, and
 * whole chunks would be three times as much to hash. Returns the bytes in such pages; -errno with
 * e. */
int sparse_chunk_sum(const uint8_t *chunk, size_t len, uint8_t out[32], struct err *e);

/* Room for a chunk, aligned to pages; freed by free. */
uint8_t *sparse_chunk_new(void);

/* One digest of a file: SHA-256 over (index of 8 bytes little-endian, sum) of each chunk that is
 * not all zeros. Depends on content only, not on where the holes are. 0 or -errno with e. */
int sparse_file_sum(
	int fd, uint64_t size, const char *path, uint8_t out[32], struct meter *m, struct err *e);

/* Makes `to` (0600, must not exist) a copy of the open file: reflink where the filesystem can, else
 * its data only. m may be NULL. */
int sparse_copy(int fd, const char *to, struct meter *m, struct err *e);

/* 0 or -errno. -ENODATA: end of file. */
int sparse_pread(int fd, void *buf, size_t len, uint64_t pos);
int sparse_pwrite(int fd, const void *buf, size_t len, uint64_t pos);

#endif
