#include "tui/cli/opts.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "backend/base/str.h"

struct parser {
	struct opts *o;
	const struct opts_spec *spec;
	int argc, at;
	char **argv;
};

static void load_defs(struct opts *o, const struct opt_def *defs)
{
	for (; defs && defs->name; defs++) {
		assert(o->value_count < OPTS_MAX);
		o->values[o->value_count++].def = defs;
	}
}

static struct opt_value *by_long(struct opts *o, const char *name, size_t len)
{
	for (int i = 0; i < o->value_count; i++) {
		const char *known = o->values[i].def->name;

		if (strlen(known) == len && memcmp(known, name, len) == 0)
			return &o->values[i];
	}
	return NULL;
}

static struct opt_value *by_letter(struct opts *o, char letter)
{
	for (int i = 0; i < o->value_count; i++)
		if (o->values[i].def->letter == letter)
			return &o->values[i];
	return NULL;
}

static int unknown_long(const struct opts *o, const char *word, struct err *e)
{
	const char *best = NULL;
	char shown[80], name[WORD_MAX];
	size_t len = strcspn(word, "=");
	int best_distance = WORD_MAX;

	snprintf(name, sizeof(name), "%.*s", (int)min_of(len, sizeof(name) - 1), word);
	for (int i = 0; i < o->value_count; i++) {
		const char *known = o->values[i].def->name;
		int distance = word_distance(name, known);

		if (word_near_enough(name, known) && distance < best_distance) {
			best = known;
			best_distance = distance;
		}
	}
	str_safe(shown, sizeof(shown), word);
	if (best)
		return err_set(e, EINVAL, "unknown option --%s: did you mean --%s?", shown, best);
	return err_set(e, EINVAL, "unknown option --%s", shown);
}

static int check_choice(const struct opt_def *def, const char *value, struct err *e)
{
	size_t len = strlen(value);
	char shown[80];

	for (const char *w = def->words; *w; w += strspn(w, " ")) {
		size_t n = strcspn(w, " ");

		if (n == len && memcmp(w, value, n) == 0)
			return 0;
		w += n;
	}
	str_safe(shown, sizeof(shown), value);
	return err_set(
		e, EINVAL, "--%s cannot be '%s': it is one of %s", def->name, shown, def->words);
}

static int set_value(struct opt_value *v, const char *value, struct err *e)
{
	const struct opt_def *def = v->def;
	char what[40];
	int r = 0;

	snprintf(what, sizeof(what), "--%s", def->name);
	v->str = value;
	switch (def->type) {
	case OPT_FLAG:
	case OPT_STR:
		break;
	case OPT_LIST:
		v->list = reallocarray(v->list, (size_t)v->count + 1, sizeof(*v->list));
		if (!v->list)
			abort();
		v->list[v->count] = value;
		break;
	case OPT_INT:
		r = str_parse_int(what, value, def->min, def->max, &v->num, e);
		break;
	case OPT_MIB:
		r = str_parse_mib(what, value, &v->num, e);
		break;
	case OPT_CHOICE:
		r = check_choice(def, value, e);
		break;
	}
	if (r < 0)
		return -EINVAL;
	v->count++;
	return 0;
}

/* The value of an option: what is glued to it, else the next word. */
static int take_value(struct parser *p, struct opt_value *v, const char *glued, struct err *e)
{
	if (glued)
		return set_value(v, glued, e);
	if (p->at >= p->argc)
		return err_set(e, EINVAL, "option --%s needs a value: --%s %s", v->def->name,
			v->def->name, v->def->arg);
	return set_value(v, p->argv[p->at++], e);
}

static int parse_long(struct parser *p, const char *word, struct err *e)
{
	const char *equal = strchr(word, '=');
	size_t len = equal ? (size_t)(equal - word) : strlen(word);
	struct opt_value *v = by_long(p->o, word, len);

	if (!v)
		return unknown_long(p->o, word, e);
	if (v->def->type != OPT_FLAG)
		return take_value(p, v, equal ? equal + 1 : NULL, e);
	if (equal)
		return err_set(e, EINVAL, "option --%s takes no value", v->def->name);
	return set_value(v, NULL, e);
}

static int parse_letters(struct parser *p, const char *letters, struct err *e)
{
	for (; *letters; letters++) {
		struct opt_value *v = by_letter(p->o, *letters);
		char one[2] = {*letters, '\0'}, shown[8];
		int r;

		if (!v)
			return err_set(e, EINVAL, "unknown option -%s",
				str_safe(shown, sizeof(shown), one));
		if (v->def->type != OPT_FLAG)
			return take_value(p, v, letters[1] ? letters + 1 : NULL, e);
		r = set_value(v, NULL, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static void take_rest(struct parser *p)
{
	p->o->rest = p->argv + p->at;
	p->o->restc = p->argc - p->at;
	p->at = p->argc;
}

static int parse_word(struct parser *p, struct err *e)
{
	const char *word = p->argv[p->at];

	if (strcmp(word, "--") == 0) {
		p->at++;
		if (p->spec->rest != OPTS_REST_NONE)
			take_rest(p);
		while (p->at < p->argc)
			p->o->args[p->o->argc++] = p->argv[p->at++];
		return 0;
	}
	if (word[0] == '-' && word[1] == '-') {
		p->at++;
		return parse_long(p, word + 2, e);
	}
	if (word[0] == '-' && word[1]) {
		p->at++;
		return parse_letters(p, word + 1, e);
	}
	if (p->spec->rest == OPTS_REST_WORDS && p->o->argc == p->spec->lead) {
		take_rest(p);
		return 0;
	}
	p->o->args[p->o->argc++] = word;
	p->at++;
	return 0;
}

int opts_parse(struct opts *o, const struct opts_spec *spec, int argc, char **argv, struct err *e)
{
	struct parser p = {.o = o, .spec = spec, .argc = argc, .argv = argv};

	memset(o, 0, sizeof(*o));
	load_defs(o, spec->own);
	load_defs(o, spec->shared);
	o->args = xcalloc((size_t)argc + 1, sizeof(*o->args));
	while (p.at < argc) {
		int r = parse_word(&p, e);

		if (r < 0)
			return r;
	}
	return 0;
}

void opts_fini(struct opts *o)
{
	if (!o)
		return;
	for (int i = 0; i < o->value_count; i++)
		free(o->values[i].list);
	free(o->args);
	memset(o, 0, sizeof(*o));
}

static const struct opt_value *find(const struct opts *o, const char *name)
{
	for (int i = 0; i < o->value_count; i++)
		if (strcmp(o->values[i].def->name, name) == 0)
			return &o->values[i];
	return NULL;
}

bool opt_known(const struct opts *o, const char *name)
{
	return find(o, name) != NULL;
}

static const struct opt_value *need(const struct opts *o, const char *name)
{
	const struct opt_value *v = find(o, name);

	assert(v && "option in the command's table");
	if (!v)
		abort();
	return v;
}

bool opt_given(const struct opts *o, const char *name)
{
	return need(o, name)->count > 0;
}

const char *opt_str(const struct opts *o, const char *name, const char *def)
{
	const struct opt_value *v = need(o, name);

	return v->count ? v->str : def;
}

int64_t opt_num(const struct opts *o, const char *name, int64_t def)
{
	const struct opt_value *v = need(o, name);

	return v->count ? v->num : def;
}

const char *const *opt_list(const struct opts *o, const char *name, int *ret_n)
{
	const struct opt_value *v = need(o, name);

	*ret_n = v->count;
	return v->list;
}
