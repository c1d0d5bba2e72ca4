/* Layouts as JSON files. A file may have been written by anyone. */
#include "tui/console/layouts.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"

#define FORMAT     1
#define FILE_BYTES (64 * 1024)
#define SUFFIX     ".json"

static const char *const dir_names[] = {[SPLIT_STACKED] = "stacked", [SPLIT_SIDE] = "side"};

/* ---- files ----------------------------------------------------------------------------------- */

static int folder(char *out, size_t n, struct err *e)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int len;

	/* A relative one is to be ignored, says the XDG specification. */
	if (state && state[0] == '/')
		len = snprintf(out, n, "%s/vmdeck/layouts", state);
	else if (home && home[0] == '/')
		len = snprintf(out, n, "%s/.local/state/vmdeck/layouts", home);
	else
		return err_set(
			e, ENOENT, "no place for layouts: neither HOME nor XDG_STATE_HOME is set");
	if ((size_t)len >= n)
		return err_set(e, ENAMETOOLONG, "no place for layouts: the path is too long");
	return 0;
}

static int file_of(const char *name, char *out, size_t n, struct err *e)
{
	char top[400];
	int r = str_check_name("layout name", name, e);

	if (r == 0)
		r = folder(top, sizeof(top), e);
	if (r == 0)
		snprintf(out, n, "%s/%s%s", top, name, SUFFIX);
	return r;
}

/* ---- out ------------------------------------------------------------------------------------- */

static struct json_object *leaf_json(const struct windows *ws, int n)
{
	const struct window *w = &ws->window[n];
	struct json_object *o = json_object_new_object();

	if (window_follows(ws, n)) {
		jsonx_add_bool(o, "follows", true);
		jsonx_add_str(o, "vm", ws->select_vm);
		jsonx_add_str(o, "name", ws->select_name);
	} else {
		jsonx_add_str(o, "vm", w->vm);
		jsonx_add_str(o, "name", w->name);
		/* What we run ends with the console. */
		jsonx_add_str(o, "tab", tab_names[w->tab > TAB_PAGES_END ? TAB_OUTPUT : w->tab]);
	}
	if (n == ws->at)
		jsonx_add_bool(o, "focus", true);
	return o;
}

static struct json_object *node_json(const struct windows *ws, int n)
{
	const struct split_node *node = &ws->splits.node[n];
	struct json_object *o;

	if (node->child[0] < 0)
		return leaf_json(ws, n);
	o = json_object_new_object();
	jsonx_add_str(o, "split", dir_names[node->dir]);
	jsonx_add_int(o, "share", node->share);
	json_object_object_add(o, "first", node_json(ws, node->child[0]));
	json_object_object_add(o, "second", node_json(ws, node->child[1]));
	return o;
}

int layout_save(const struct windows *ws, const char *name, struct err *e)
{
	autojson struct json_object *o = json_object_new_object();
	char path[512], top[400];
	const char *text;
	int r = file_of(name, path, sizeof(path), e);

	if (r == 0)
		r = folder(top, sizeof(top), e);
	if (r == 0)
		r = dir_make(top, 0700, e);
	if (r < 0)
		return r;
	jsonx_add_int(o, "format", FORMAT);
	json_object_object_add(o, "windows", node_json(ws, ws->splits.root));
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY);
	return file_write_atomic(path, text, strlen(text), 0600, e);
}

/* ---- in -------------------------------------------------------------------------------------- */

static int take_text(struct json_object *o, const char *key, char *out, size_t n, struct err *e)
{
	const char *s = jsonx_str(o, key);
	int r;

	if (!s || !*s)
		return 0;
	r = str_check_name(key, s, e);
	if (r == 0 && strlen(s) >= n)
		r = err_set(e, EINVAL, "'%s' is too long", key);
	if (r == 0)
		snprintf(out, n, "%s", s);
	return r;
}

static int leaf_load(struct windows *ws, struct json_object *o, struct err *e)
{
	const char *tab = jsonx_str(o, "tab");
	int n = splits_leaf(&ws->splits), r;
	struct window *w;

	if (n < 0)
		return err_set(e, EINVAL, "more than %d windows", SPLIT_LEAVES_MAX);
	w = &ws->window[n];
	if (jsonx_bool(o, "focus", false))
		ws->at = n;
	if (jsonx_bool(o, "follows", false)) {
		r = take_text(o, "vm", ws->select_vm, sizeof(ws->select_vm), e);
		if (r == 0)
			r = take_text(o, "name", ws->select_name, sizeof(ws->select_name), e);
		return r < 0 ? r : n;
	}
	r = take_text(o, "vm", w->vm, sizeof(w->vm), e);
	if (r == 0)
		r = take_text(o, "name", w->name, sizeof(w->name), e);
	if (r == 0 && window_follows(ws, n))
		r = err_set(e, EINVAL, "a window has neither 'vm' nor 'name', nor does it follow");
	for (int i = 0; i <= TAB_PAGES_END && tab; i++)
		if (strcmp(tab, tab_names[i]) == 0)
			w->tab = (enum tab)i;
	return r < 0 ? r : n;
}

/* As deep as jsonx_parse allows. Returns the node. */
static int node_load(struct windows *ws, struct json_object *o, struct err *e)
{
	const char *split = jsonx_str(o, "split");
	enum split_dir dir = SPLIT_STACKED;
	int64_t share = jsonx_int(o, "share", SPLIT_SHARE / 2);
	int first, second;

	if (!json_object_is_type(o, json_type_object))
		return err_set(e, EINVAL, "a window is missing");
	if (!split)
		return leaf_load(ws, o, e);
	if (strcmp(split, dir_names[SPLIT_SIDE]) == 0)
		dir = SPLIT_SIDE;
	else if (strcmp(split, dir_names[SPLIT_STACKED]) != 0)
		return err_set(e, EINVAL, "'split' is neither 'side' nor 'stacked'");
	if (share < 1 || share >= SPLIT_SHARE)
		return err_set(e, EINVAL, "'share' is not in 1..%d", SPLIT_SHARE - 1);
	first = node_load(ws, jsonx_get(o, "first"), e);
	if (first < 0)
		return first;
	second = node_load(ws, jsonx_get(o, "second"), e);
	return second < 0 ? second : splits_join(&ws->splits, dir, (int)share, first, second);
}

static int tree_load(struct windows *ws, struct json_object *o, struct err *e)
{
	int leaf[SPLIT_LEAVES_MAX], root, count;

	if (jsonx_int(o, "format", 0) != FORMAT)
		return err_set(e, EINVAL, "its format is not %d", FORMAT);
	splits_empty(&ws->splits);
	ws->at = -1;
	root = node_load(ws, jsonx_get(o, "windows"), e);
	if (root < 0)
		return root;
	splits_set_root(&ws->splits, root);
	count = splits_leaves(&ws->splits, leaf);
	if (ws->at < 0)
		ws->at = leaf[0];
	for (int i = 0; i < count; i++)
		if (window_follows(ws, leaf[i]))
			return 0;
	memset(&ws->window[leaf[0]], 0, sizeof(ws->window[0]));
	return 0;
}

int layout_load(struct windows *ws, const char *name, struct err *e)
{
	autojson struct json_object *o = NULL;
	autofree char *text = NULL;
	struct windows fresh;
	char path[512];
	size_t len;
	int r = file_of(name, path, sizeof(path), e);

	if (r < 0)
		return r;
	r = file_read(path, FILE_BYTES, &text, &len, e);
	if (r == -ENOENT)
		return err_set(e, ENOENT, "there is no layout '%s' (:layouts lists them)", name);
	if (r < 0)
		return r;
	windows_init(&fresh);
	r = jsonx_parse(text, len, &o, e);
	if (r == 0)
		r = tree_load(&fresh, o, e);
	if (r < 0)
		return err_wrap(e, r, "layout '%s' (%s)", name, path);
	*ws = fresh;
	return 0;
}

int layout_remove(const char *name, struct err *e)
{
	char path[512];
	int r = file_of(name, path, sizeof(path), e);

	if (r < 0)
		return r;
	if (unlink(path) == 0)
		return 0;
	if (errno == ENOENT)
		return err_set(e, ENOENT, "there is no layout '%s' (:layouts lists them)", name);
	return err_errno(e, "layout '%s': cannot remove %s", name, path);
}

/* ---- which there are --------------------------------------------------------------------------
 */

static int is_layout(const struct dirent *d)
{
	size_t len = strlen(d->d_name), suffix = strlen(SUFFIX);
	char name[NAME_MAX_BYTES + 1];

	if (len <= suffix || len - suffix >= sizeof(name) ||
		strcmp(d->d_name + len - suffix, SUFFIX) != 0)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)(len - suffix), d->d_name);
	return str_check_name("layout name", name, NULL) == 0;
}

int layout_list(char *out, size_t n, struct err *e)
{
	struct dirent **entry = NULL;
	char top[400];
	size_t len = 0;
	int count, r = folder(top, sizeof(top), e);

	out[0] = '\0';
	if (r < 0)
		return r;
	count = scandir(top, &entry, is_layout, alphasort);
	if (count < 0)
		return errno == ENOENT ? 0 : err_errno(e, "cannot read %s", top);
	for (int i = 0; i < count; i++) {
		if (len < n)
			len += (size_t)snprintf(out + len, n - len, "%s%.*s", i ? " " : "",
				(int)(strlen(entry[i]->d_name) - strlen(SUFFIX)), entry[i]->d_name);
		free(entry[i]);
	}
	free(entry);
	return count;
}
