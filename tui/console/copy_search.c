/* Searching the lines of copy mode, some at a time: there may be a million of them. */
#include <errno.h>
#include <string.h>

#include "tui/console/copy_impl.h"

#define STEP_NS 4000000u /* of one loop turn */

static bool is_plain(const char *s)
{
	return !s[strcspn(s, ".[]{}()\\*+?^$|")];
}

static bool has_capital(const char *s)
{
	for (; *s; s++)
		if (*s >= 'A' && *s <= 'Z')
			return true;
	return false;
}

int copy_search(struct copy *c, const char *pattern, bool back, struct err *e)
{
	bool literal = is_plain(pattern), fold = !has_capital(pattern);
	regex_t regex;
	int r;

	if (strlen(pattern) >= sizeof(c->search.pattern))
		return err_set(e, EINVAL, "the text to search for is longer than %zu bytes",
			sizeof(c->search.pattern) - 1);
	if (!literal) {
		r = regcomp(&regex, pattern, REG_EXTENDED | (fold ? REG_ICASE : 0));
		if (r != 0) {
			char why[100];

			regerror(r, &regex, why, sizeof(why));
			return err_set(e, EINVAL, "'%s': %s", pattern, why);
		}
	}
	if (c->search.have && !c->search.literal)
		regfree(&c->search.regex);
	if (!literal)
		c->search.regex = regex;
	snprintf(c->search.pattern, sizeof(c->search.pattern), "%s", pattern);
	c->search.literal = literal;
	c->search.fold = fold;
	c->search.have = true;
	c->search.back = back;
	(void)copy_search_again(c, false);
	return 0;
}

bool copy_search_again(struct copy *c, bool turn)
{
	if (!c->search.have)
		return false;
	c->search.turned = c->search.back != turn;
	c->search.on = c->search.first = true;
	c->search.at = c->line;
	c->search.done = 0;
	c->search.total = copy_end(c) - copy_first(c) + 1;
	return true;
}

void copy_search_stop(struct copy *c)
{
	c->search.on = false;
}

int copy_searched(const struct copy *c)
{
	if (!c->search.on)
		return -1;
	return (int)(min_of(c->search.done, c->search.total) * 100 /
		     max_of(c->search.total, (uint64_t)1));
}

bool copy_match(const struct copy *c, size_t at, size_t *from, size_t *to)
{
	const char *s = c->text.text + at, *hit;
	regmatch_t m;

	if (at >= c->text.len)
		return false;
	if (c->search.literal) {
		hit = c->search.fold ? strcasestr(s, c->search.pattern)
				     : strstr(s, c->search.pattern);
		*from = hit ? (size_t)(hit - c->text.text) : 0;
		*to = *from + strlen(c->search.pattern);
		return hit != NULL;
	}
	/* Empty matches are none: nothing of them could be shown. */
	for (size_t i = at; i < c->text.len; i += (size_t)m.rm_eo + 1) {
		if (regexec(&c->search.regex, c->text.text + i, 1, &m, i ? REG_NOTBOL : 0) != 0)
			return false;
		*from = i + (size_t)m.rm_so;
		*to = i + (size_t)m.rm_eo;
		if (m.rm_eo > m.rm_so)
			return true;
	}
	return false;
}

/* The match of a line that comes next: columns behind `after` forwards, the last one before
 * `before` backwards. */
static bool search_line(struct copy *c, uint64_t number, int after, int before)
{
	const struct grid_line *line = copy_line(c, number);
	size_t at = 0, from, to;
	int found = -1;

	copy_fill_text(c, line, 0, line->cols);
	while (copy_match(c, at, &from, &to)) {
		int col = c->text.column[from];

		at = to;
		if (col <= after)
			continue;
		if (col >= before)
			break;
		found = col;
		if (!c->search.turned)
			break;
	}
	if (found < 0)
		return false;
	c->line = number;
	c->col = found;
	return true;
}

static bool search_next_line(struct copy *c)
{
	uint64_t first = copy_first(c), end = copy_end(c);

	c->search.done++;
	if (c->search.first) {
		c->search.first = false;
		return c->search.turned ? search_line(c, c->line, -1, c->col)
					: search_line(c, c->line, c->col, PANE_COLS_MAX);
	}
	/* Round by way of the other end, back to the cursor's line. */
	if (c->search.turned)
		c->search.at = c->search.at <= first ? end - 1 : c->search.at - 1;
	else
		c->search.at = c->search.at + 1 >= end ? first : c->search.at + 1;
	return search_line(c, c->search.at, -1, PANE_COLS_MAX);
}

enum copy_found copy_search_step(struct copy *c)
{
	uint64_t stop = mono_ns() + STEP_NS;

	while (c->search.on && c->search.done < c->search.total) {
		if (search_next_line(c)) {
			c->search.on = false;
			copy_settle(c);
			return COPY_FOUND;
		}
		if (c->search.done % 32 == 0 && mono_ns() >= stop)
			return COPY_SEARCHING;
	}
	c->search.on = false;
	return COPY_NOT_FOUND;
}
