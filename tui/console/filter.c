/* Terms of a filter: parsed once, met by rows. */
#include "tui/console/filter.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/base/util.h"

#define REPEATS_MAX 256 /* of {m,n}, multiplied: beyond, a pattern takes memory without end */
#define NO_MATCH    (-1)

enum term_kind { TERM_TEXT, TERM_REGEX, TERM_FUZZY, TERM_VALUE };

struct term {
	enum term_kind kind;
	bool inverse;
	int field; /* of TERM_VALUE */
	char text[FILTER_MAX];
	regex_t re;
};

struct filter {
	int count;
	bool fuzzy;
	struct term term[FILTER_TERMS];
};

/* ---- parsing --------------------------------------------------------------------------------- */

/* What regcomp takes but regexec never comes back from: references to groups, and repeats of
 * repeats that are copied out at once. */
static int check_pattern(const char *p, struct err *e)
{
	long repeats = 1;

	for (; *p; p++) {
		if (*p == '\\') {
			p++;
			if (isdigit((unsigned char)*p))
				return err_set(e, EINVAL,
					"a filter takes no references to groups (\\%c)", *p);
			if (!*p)
				return err_set(
					e, EINVAL, "a character is missing behind the last \\");
		} else if (*p == '{') {
			long low = strtol(p + 1, NULL, 10), high = low;
			const char *comma = p + 1 + strspn(p + 1, "0123456789");

			if (*comma == ',')
				high = strtol(comma + 1, NULL, 10);
			repeats *= max_of(max_of(low, high), 1L);
			if (repeats > REPEATS_MAX)
				return err_set(e, EINVAL,
					"a filter repeats at most %d times in all", REPEATS_MAX);
		}
	}
	return 0;
}

static int compile(struct term *t, const char *pattern, struct err *e)
{
	char why[160];
	int r = check_pattern(pattern, e);

	if (r < 0)
		return r;
	r = regcomp(&t->re, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB);
	if (r) {
		regerror(r, &t->re, why, sizeof(why));
		return err_set(e, EINVAL, "'%s': %s", pattern, why);
	}
	t->kind = TERM_REGEX;
	return 0;
}

static bool has_regex_form(const char *s)
{
	return strpbrk(s, "^$*+?|([{\\") != NULL;
}

/* "key=value" or "key!=value"; 0: it is no such thing, 1: taken. */
static int parse_value(
	struct term *t, const char *s, const struct filter_source *src, struct err *e)
{
	size_t n = 0;
	char names[200];

	while (isalnum((unsigned char)s[n]) || s[n] == '-' || s[n] == '_')
		n++;
	if (n == 0 || (s[n] != '=' && !(s[n] == '!' && s[n + 1] == '=')))
		return 0;
	t->field = src->field(src->user, s, n);
	if (t->field < 0) {
		src->names(src->user, names, sizeof(names));
		return err_set(e, EINVAL, "there is no column '%.*s' here: %s", (int)n, s, names);
	}
	t->kind = TERM_VALUE;
	t->inverse ^= s[n] == '!';
	snprintf(t->text, sizeof(t->text), "%s", s + n + 1 + (s[n] == '!'));
	return 1;
}

static int parse_term(
	struct filter *f, const char *s, const struct filter_source *src, struct err *e)
{
	struct term *t = &f->term[f->count];
	bool regex = false, fuzzy = false;
	int r;

	memset(t, 0, sizeof(*t));
	/* Either order: !/web and /!web, !~web. */
	for (;; s++) {
		if (*s == '!')
			t->inverse = !t->inverse;
		else if (*s == '/' && !regex)
			regex = true;
		else if (*s == '~' && !fuzzy)
			fuzzy = true;
		else
			break;
	}
	/* A prefix whose text is still to come means nothing yet. */
	if (!*s)
		return 0;
	r = regex || fuzzy ? 0 : parse_value(t, s, src, e);
	if (r < 0)
		return r;
	if (r == 0 && fuzzy) {
		t->kind = TERM_FUZZY;
		f->fuzzy |= !t->inverse;
	} else if (r == 0 && (regex || has_regex_form(s))) {
		r = compile(t, s, e);
		if (r < 0)
			return r;
	}
	if (t->kind == TERM_TEXT || t->kind == TERM_FUZZY)
		snprintf(t->text, sizeof(t->text), "%s", s);
	f->count++;
	return 0;
}

int filter_new(
	struct filter **ret, const char *text, const struct filter_source *src, struct err *e)
{
	struct filter *f;
	char copy[FILTER_MAX], *save = NULL;
	int r = 0;

	*ret = NULL;
	if (strlen(text) >= sizeof(copy))
		return err_set(e, EINVAL, "a filter has at most %d bytes", FILTER_MAX - 1);
	snprintf(copy, sizeof(copy), "%s", text);
	f = xcalloc(1, sizeof(*f));
	for (char *s = strtok_r(copy, " ", &save); s && r == 0; s = strtok_r(NULL, " ", &save)) {
		if (f->count == FILTER_TERMS)
			r = err_set(e, EINVAL, "a filter has at most %d terms", FILTER_TERMS);
		else
			r = parse_term(f, s, src, e);
	}
	if (r == 0 && f->count) {
		*ret = f;
		return 0;
	}
	filter_free(f);
	return r;
}

void filter_free(struct filter *f)
{
	for (int i = 0; f && i < f->count; i++)
		if (f->term[i].kind == TERM_REGEX)
			regfree(&f->term[i].re);
	free(f);
}

bool filter_is_fuzzy(const struct filter *f)
{
	return f && f->fuzzy;
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* Hits side by side and at the beginning of words count more; what is skipped counts against. */
static int fuzzy_score(const char *text, const char *want)
{
	int score = 1000, last = -1, i = 0;

	for (; *want; want++, i++) {
		while (text[i] && tolower((unsigned char)text[i]) != tolower((unsigned char)*want))
			i++;
		if (!text[i])
			return NO_MATCH;
		if (last >= 0 && i == last + 1)
			score += 8;
		else if (i == 0 || !isalnum((unsigned char)text[i - 1]))
			score += 6;
		else
			score -= min_of(i - last - 1, 5);
		last = i;
	}
	/* Of two alike the shorter one is nearer to what was typed. */
	return max_of(score - min_of((int)strlen(text + i), 9), 0);
}

/* '*' is any text, also none. */
static bool value_is(const char *text, const char *want)
{
	const char *star = NULL, *back = NULL;

	while (*text) {
		if (*want == '*') {
			star = ++want;
			back = text;
		} else if (tolower((unsigned char)*text) == tolower((unsigned char)*want)) {
			text++;
			want++;
		} else if (star) {
			want = star;
			text = ++back;
		} else {
			return false;
		}
	}
	return want[strspn(want, "*")] == '\0';
}

static int text_score(const struct term *t, const char *text)
{
	switch (t->kind) {
	case TERM_REGEX:
		return regexec(&t->re, text, 0, NULL, 0) == 0 ? 0 : NO_MATCH;
	case TERM_FUZZY:
		return fuzzy_score(text, t->text);
	case TERM_VALUE:
		return value_is(text, t->text) ? 0 : NO_MATCH;
	default:
		return strcasestr(text, t->text) ? 0 : NO_MATCH;
	}
}

static int term_score(const struct term *t, const struct filter_source *src, const void *row)
{
	char buf[512] = "";
	int best = NO_MATCH;

	if (t->kind == TERM_VALUE)
		return text_score(t, src->text(src->user, row, t->field, buf, sizeof(buf)));
	for (int i = 0; i < src->searched; i++) {
		const char *text = src->text(src->user, row, i, buf, sizeof(buf));

		int score = *text ? text_score(t, text) : NO_MATCH;

		best = max_of(best, score);
		if (best >= 0 && t->kind != TERM_FUZZY)
			break;
	}
	return best;
}

int filter_score(const struct filter *f, const struct filter_source *src, const void *row)
{
	int sum = 0;

	for (int i = 0; i < f->count; i++) {
		int score = term_score(&f->term[i], src, row);

		if ((score < 0) != f->term[i].inverse)
			return NO_MATCH;
		sum += f->term[i].inverse ? 0 : score;
	}
	return sum;
}
