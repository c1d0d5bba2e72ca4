/* Sans-I/O reader of a tar stream as dpkg-deb gives it: ustar headers and GNU long names. */
#ifndef VMDECK_IMAGE_TAR_H
#define VMDECK_IMAGE_TAR_H

#include <stdbool.h>

#include "backend/base/err.h"

#define TAR_BLOCK    512
#define TAR_NAME_MAX 1024

struct tar_entry {
	const char
		*name; /* as stored, without a leading "./"; hostile: compare it, don't open it */
	char type;     /* '0' file, '5' folder, '2' symbolic link, ... */
	uint64_t size;
};

struct tar_handler {
	/* 1: the entry's bytes are wanted; 0: skip them; < 0: give up with e. */
	int (*on_entry)(void *user, const struct tar_entry *en, struct err *e);
	/* Bytes of the wanted entry, in order; 0 or < 0 with e. */
	int (*on_data)(void *user, const uint8_t *p, size_t n, struct err *e);
	void *user;
};

struct tar {
	const struct tar_handler *h;
	uint8_t block[TAR_BLOCK]; /* header under way */
	size_t have;
	uint64_t left; /* bytes of the entry's data still to come */
	uint64_t pad;  /* then bytes to the end of its block */
	enum { TAR_SKIP, TAR_TAKE, TAR_LONG_NAME } into;
	char name[TAR_NAME_MAX];
	size_t name_len; /* of a long name read before its entry */
	bool ended;      /* the zero block was seen */
};

void tar_init(struct tar *t, const struct tar_handler *h);
/* 0, -EBADMSG for what is no tar, or what the handler said. */
int tar_feed(struct tar *t, const void *data, size_t n, struct err *e);
/* After the last byte: -EBADMSG when the stream ended too early. */
int tar_finish(const struct tar *t, struct err *e);

#endif
