/* Strings at the edges: names, numbers, durations, sizes, safe printing. */
#ifndef VMDECK_BASE_STR_H
#define VMDECK_BASE_STR_H

#include <stdbool.h>

#include "backend/base/err.h"

#define NAME_MAX_BYTES 63

/* VM, image and snapshot names: 1..63 of [A-Za-z0-9._-], first a letter or digit. 0 or -EINVAL;
 * the sentence shows the name with control bytes escaped. what: "VM name", "image name". */
int str_check_name(const char *what, const char *name, struct err *e);

/* Whole-string decimal number in min..max. 0 or -EINVAL/-ERANGE; what names it in the sentence. */
int str_parse_int(
	const char *what, const char *s, int64_t min, int64_t max, int64_t *ret, struct err *e);

/* "512", "512M", "2G" -> MiB (a bare number is MiB). */
int str_parse_mib(const char *what, const char *s, int64_t *ret_mib, struct err *e);

/* Copies s into out (n bytes, always ended), control bytes and invalid UTF-8 as \xNN, cut with
 * "..." when too long. Returns out. For messages and terminals: hostile bytes become visible. */
char *str_safe(char *out, size_t n, const char *s);

/* "1.4 s", "35 ms", "2 m 03 s" of a duration; "1.2 GiB" of a size. Both return out. */
char *str_duration(char *out, size_t n, uint64_t ns);
char *str_bytes(char *out, size_t n, uint64_t bytes);

/* A copy of a NULL-ended vector with its strings (NULL: NULL), to be ended by strv_free. */
char **strv_copy(char *const *v);
void strv_free(char **v); /* NULL is fine */

/* Fills n bytes from the kernel's random source; aborts when it has none. */
void random_bytes(void *p, size_t n);
/* 2*n hex digits and the end into out (2n+1 bytes). */
void hex_encode(char *out, const void *p, size_t n);
/* n bytes from exactly 2n hex digits; 0 or -EINVAL. */
int hex_decode(void *out, size_t n, const char *s);

#endif
