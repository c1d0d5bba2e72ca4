/* The manifest's fields, declared once for writing and reading. */
#ifndef VMDECK_SNAPSHOT_MANIFEST_FIELDS_H
#define VMDECK_SNAPSHOT_MANIFEST_FIELDS_H

#include "backend/snapshot/manifest.h"

enum kind {
	TEXT,  /* printable */
	LABEL, /* a name as people give them, or "" */
	HEX,   /* 64 digits */
	ID,    /* SNAPSHOT_ID bytes */
	U32,
	U64,
	BITS, /* 64 of them, in hexadecimal: JSON's numbers have 63 */
	BOOL,
	WORDS, /* vector of strings, or absent */
};

struct field {
	const char *key;
	enum kind kind;
	size_t at;    /* in struct snapshot */
	uint64_t max; /* of a number; room of a text */
	uint64_t min; /* of a number; fewest bytes of a text */
};

/* All but "format" and "disks". */
extern const struct field manifest_fields[];
extern const size_t manifest_field_count;

#endif
