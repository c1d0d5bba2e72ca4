#include "backend/base/jsonx.h"

#include <errno.h>
#include <limits.h>

int jsonx_parse(const char *text, size_t len, struct json_object **ret, struct err *e)
{
	struct json_tokener *tok;
	struct json_object *o;
	enum json_tokener_error why;
	size_t end;

	if (len > INT_MAX - 1)
		return err_set(e, EINVAL, "JSON text is too long");
	tok = json_tokener_new_ex(32);
	if (!tok)
		return err_set(e, EINVAL, "JSON: out of memory");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8 |
					    JSON_TOKENER_ALLOW_TRAILING_CHARS);
	o = json_tokener_parse_ex(tok, text, (int)len);
	why = json_tokener_get_error(tok);
	if (why == json_tokener_continue) /* a bare number needs an end to be complete */
		o = json_tokener_parse_ex(tok, "\n", 1), why = json_tokener_get_error(tok),
		end = len;
	else
		end = json_tokener_get_parse_end(tok);
	json_tokener_free(tok);
	for (; why == json_tokener_success && end < len; end++)
		if (text[end] != ' ' && text[end] != '\t' && text[end] != '\n' && text[end] != '\r')
			why = json_tokener_error_parse_unexpected;
	if (why != json_tokener_success) {
		json_object_put(o);
		return err_set(e, EINVAL, "not valid JSON: %s",
			why == json_tokener_continue ? "it ends too early"
						     : json_tokener_error_desc(why));
	}
	*ret = o;
	return 0;
}

struct json_object *jsonx_get(struct json_object *o, const char *key)
{
	struct json_object *v;

	if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &v))
		return NULL;
	return v;
}

const char *jsonx_str(struct json_object *o, const char *key)
{
	struct json_object *v = jsonx_get(o, key);

	return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

int64_t jsonx_int(struct json_object *o, const char *key, int64_t def)
{
	struct json_object *v = jsonx_get(o, key);

	return json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : def;
}

bool jsonx_bool(struct json_object *o, const char *key, bool def)
{
	struct json_object *v = jsonx_get(o, key);

	return json_object_is_type(v, json_type_boolean) ? json_object_get_boolean(v) : def;
}

void jsonx_add_str(struct json_object *o, const char *key, const char *s)
{
	json_object_object_add(o, key, s ? json_object_new_string(s) : NULL);
}

void jsonx_add_int(struct json_object *o, const char *key, int64_t v)
{
	json_object_object_add(o, key, json_object_new_int64(v));
}

void jsonx_add_bool(struct json_object *o, const char *key, bool v)
{
	json_object_object_add(o, key, json_object_new_boolean(v));
}

const char *jsonx_line(struct json_object *o)
{
	return json_object_to_json_string_ext(
		o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}
