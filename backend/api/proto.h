/* The message table of the console protocol, and the checks that come from it. JSON-RPC 2.0, one
 * object a line, over the daemon's UNIX socket. */
#ifndef VMDECK_API_PROTO_H
#define VMDECK_API_PROTO_H

#include <json-c/json.h>
#include <stdbool.h>

#include "backend/base/err.h"

#define PROTO_VERSION  1
#define PROTO_LINE_MAX (1024 * 1024)
#define VMDECK_VERSION "0.1.0"

enum proto_perm { PROTO_READ, PROTO_WRITE, PROTO_DESTROY };
enum proto_type { PROTO_STR, PROTO_NAME, PROTO_INT, PROTO_BOOL, PROTO_STRV, PROTO_MAP };

enum proto_id {
#define METHOD(id, name, perm, upgrade, result, help) PROTO_##id,
#define PARAM(id, name, type, required, min, max, help)
#include "backend/api/proto.def"
#undef METHOD
#undef PARAM
	PROTO__COUNT
};

struct proto_method {
	const char *name;
	enum proto_perm perm;
	bool upgrade;
	const char *result, *help;
};

struct proto_param {
	enum proto_id method;
	const char *name;
	enum proto_type type;
	bool required;
	int64_t min, max;
	const char *help;
};

extern const struct proto_method proto_methods[PROTO__COUNT];
extern const struct proto_param proto_params[];
extern const size_t proto_param_count;

/* The method by name, or -ENOENT. */
int proto_find(const char *name);
/* The method whose name is nearly this one, for messages; NULL when none is near. */
const char *proto_near(const char *name);
/* Checks params (object, or NULL for none) against the table: unknown names, types, ranges, string
 * lengths, missing ones. 0, or -EINVAL with a sentence that names the parameter. */
int proto_check(enum proto_id id, struct json_object *params, struct err *e);

#endif
