/* json-c with limits and without surprises: typed lookups that never coerce. */
#ifndef VMDECK_BASE_JSONX_H
#define VMDECK_BASE_JSONX_H

#include <json-c/json.h>
#include <stdbool.h>

#include "backend/base/err.h"

#define autojson __attribute__((cleanup(cleanup_json)))
static inline void cleanup_json(struct json_object **o)
{
	json_object_put(*o);
}

/* Parses exactly len bytes as one JSON value, depth <= 32, UTF-8 checked, nothing behind it.
 * 0 and *ret (owned by the caller), or -EINVAL. */
int jsonx_parse(const char *text, size_t len, struct json_object **ret, struct err *e);

/* Lookups: NULL / the default when the key is missing or of another type. Strings belong to o. */
const char *jsonx_str(struct json_object *o, const char *key);
int64_t jsonx_int(struct json_object *o, const char *key, int64_t def);
bool jsonx_bool(struct json_object *o, const char *key, bool def);
struct json_object *jsonx_get(struct json_object *o, const char *key);

/* Adders; a NULL string adds null. */
void jsonx_add_str(struct json_object *o, const char *key, const char *s);
void jsonx_add_int(struct json_object *o, const char *key, int64_t v);
void jsonx_add_bool(struct json_object *o, const char *key, bool v);

/* One line without the line end; belongs to o, valid until o changes. */
const char *jsonx_line(struct json_object *o);

#endif
