#include "backend/api/proto.h"

#include <errno.h>
#include <string.h>

#include "backend/base/str.h"

#define READ    PROTO_READ
#define WRITE   PROTO_WRITE
#define DESTROY PROTO_DESTROY
#define METHOD(id, name, perm, upgrade, result, help)                                              \
	[PROTO_##id] = {name, perm, upgrade, result, help},
#define PARAM(id, name, type, required, min, max, help)
const struct proto_method proto_methods[PROTO__COUNT] = {
#include "backend/api/proto.def"
};
#undef METHOD
#undef PARAM

#define METHOD(id, name, perm, upgrade, result, help)
#define PARAM(id, name, type, required, min, max, help)                                            \
	{PROTO_##id, name, PROTO_##type, required, min, max, help},
const struct proto_param proto_params[] = {
#include "backend/api/proto.def"
};
#undef METHOD
#undef PARAM
const size_t proto_param_count = countof(proto_params);

int proto_find(const char *name)
{
	for (int i = 0; i < PROTO__COUNT; i++)
		if (!strcmp(proto_methods[i].name, name))
			return i;
	return -ENOENT;
}

/* Edit distance of two short words (Levenshtein), one row at a time. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64], n = strlen(b);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = min_of(change, min_of(row[j], row[j - 1]) + 1);
		}
	}
	return row[n];
}

const char *proto_near(const char *name)
{
	const char *best = NULL;
	size_t least = 4; /* farther than three letters is another word */

	if (strlen(name) > 32)
		return NULL;
	for (int i = 0; i < PROTO__COUNT; i++) {
		size_t d = distance(name, proto_methods[i].name);

		if (d < least) {
			least = d;
			best = proto_methods[i].name;
		}
	}
	return best;
}

static const char *const type_words[] = {
	[PROTO_STR] = "a string",
	[PROTO_NAME] = "a name",
	[PROTO_INT] = "a whole number",
	[PROTO_BOOL] = "true or false",
	[PROTO_STRV] = "an array of strings",
	[PROTO_MAP] = "an object of strings",
};
_Static_assert(countof(type_words) == PROTO_MAP + 1, "a word for each type");

static const enum json_type json_types[] = {
	[PROTO_STR] = json_type_string,
	[PROTO_NAME] = json_type_string,
	[PROTO_INT] = json_type_int,
	[PROTO_BOOL] = json_type_boolean,
	[PROTO_STRV] = json_type_array,
	[PROTO_MAP] = json_type_object,
};
_Static_assert(countof(json_types) == PROTO_MAP + 1, "a JSON type for each type");

/* A NUL inside would let the C side see another string than the JSON side. */
static bool has_nul(struct json_object *v)
{
	return strlen(json_object_get_string(v)) != (size_t)json_object_get_string_len(v);
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

static int check_string(const struct proto_param *p, struct json_object *v, struct err *e)
{
	int64_t n = json_object_get_string_len(v);
	const char *method = proto_methods[p->method].name;

	if (n < p->min || n > p->max)
		return err_set(e, EINVAL, "%s: '%s' must have %lld to %lld bytes, not %lld", method,
			p->name, (long long)p->min, (long long)p->max, (long long)n);
	if (has_nul(v))
		return err_set(e, EINVAL, "%s: '%s' has a NUL byte in it", method, p->name);
	if (p->type == PROTO_NAME && has_control(json_object_get_string(v)))
		return err_set(e, EINVAL, "%s: '%s' has control characters in it", method, p->name);
	return 0;
}

static int check_int(const struct proto_param *p, struct json_object *v, struct err *e)
{
	int64_t n = json_object_get_int64(v);

	/* The library clamps what does not fit; as unsigned it shows. */
	if (n < p->min || n > p->max || (n > 0 && json_object_get_uint64(v) != (uint64_t)n))
		return err_set(e, EINVAL, "%s: '%s' must be %lld to %lld, not %s",
			proto_methods[p->method].name, p->name, (long long)p->min,
			(long long)p->max, json_object_get_string(v));
	return 0;
}

static int check_strv(const struct proto_param *p, struct json_object *v, struct err *e)
{
	const char *method = proto_methods[p->method].name;
	size_t n = json_object_array_length(v);

	if ((int64_t)n < p->min || (int64_t)n > p->max)
		return err_set(e, EINVAL, "%s: '%s' must have %lld to %lld strings, not %zu",
			method, p->name, (long long)p->min, (long long)p->max, n);
	for (size_t i = 0; i < n; i++) {
		struct json_object *s = json_object_array_get_idx(v, i);

		if (!json_object_is_type(s, json_type_string))
			return err_set(e, EINVAL, "%s: element %zu of '%s' is not a string", method,
				i, p->name);
		if (has_nul(s))
			return err_set(e, EINVAL, "%s: element %zu of '%s' has a NUL byte in it",
				method, i, p->name);
	}
	return 0;
}

/* Maps are environments: a key is a variable's name. */
static int check_map(const struct proto_param *p, struct json_object *v, struct err *e)
{
	const char *method = proto_methods[p->method].name;
	int64_t n = json_object_object_length(v);
	struct json_object_iter it;
	char shown[80];

	if (n < p->min || n > p->max)
		return err_set(e, EINVAL, "%s: '%s' must have %lld to %lld members, not %lld",
			method, p->name, (long long)p->min, (long long)p->max, (long long)n);
	json_object_object_foreachC(v, it)
	{
		const char *key = it.key;
		struct json_object *value = it.val;

		if (!*key || strchr(key, '=') || has_control(key))
			return err_set(e, EINVAL, "%s: '%s' is not a variable's name in '%s'",
				method, str_safe(shown, sizeof(shown), key), p->name);
		if (!json_object_is_type(value, json_type_string))
			return err_set(e, EINVAL, "%s: '%s' of '%s' is not a string", method,
				str_safe(shown, sizeof(shown), key), p->name);
		if (has_nul(value))
			return err_set(e, EINVAL, "%s: '%s' of '%s' has a NUL byte in it", method,
				str_safe(shown, sizeof(shown), key), p->name);
	}
	return 0;
}

static int check_value(const struct proto_param *p, struct json_object *v, struct err *e)
{
	if (!json_object_is_type(v, json_types[p->type]))
		return err_set(e, EINVAL, "%s: '%s' must be %s", proto_methods[p->method].name,
			p->name, type_words[p->type]);
	switch (p->type) {
	case PROTO_STR:
	case PROTO_NAME:
		return check_string(p, v, e);
	case PROTO_INT:
		return check_int(p, v, e);
	case PROTO_STRV:
		return check_strv(p, v, e);
	case PROTO_MAP:
		return check_map(p, v, e);
	case PROTO_BOOL:
		break;
	}
	return 0;
}

static const struct proto_param *find_param(enum proto_id id, const char *name)
{
	for (size_t i = 0; i < proto_param_count; i++)
		if (proto_params[i].method == id && !strcmp(proto_params[i].name, name))
			return &proto_params[i];
	return NULL;
}

static int unknown_param(enum proto_id id, const char *name, struct err *e)
{
	char known[200] = "none", shown[80];
	size_t n = 0;

	for (size_t i = 0; i < proto_param_count && n < sizeof(known); i++)
		if (proto_params[i].method == id)
			n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "",
				proto_params[i].name);
	return err_set(e, EINVAL, "%s: there is no parameter '%s' (there is: %s)",
		proto_methods[id].name, str_safe(shown, sizeof(shown), name), known);
}

int proto_check(enum proto_id id, struct json_object *params, struct err *e)
{
	struct json_object_iter it;

	if (params && !json_object_is_type(params, json_type_object))
		return err_set(
			e, EINVAL, "%s: the parameters must be an object", proto_methods[id].name);
	if (params) {
		json_object_object_foreachC(params, it)
		{
			const struct proto_param *p = find_param(id, it.key);
			int r = p ? check_value(p, it.val, e) : unknown_param(id, it.key, e);

			if (r < 0)
				return r;
		}
	}
	for (size_t i = 0; i < proto_param_count; i++) {
		const struct proto_param *p = &proto_params[i];

		if (p->method == id && p->required &&
			!(params && json_object_object_get_ex(params, p->name, NULL)))
			return err_set(e, EINVAL, "%s: '%s' is missing: %s", proto_methods[id].name,
				p->name, p->help);
	}
	return 0;
}
