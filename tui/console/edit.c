/* One line of text being typed. */
#include "tui/console/edit.h"

#include <stdio.h>
#include <string.h>

void edit_set(struct edit *ed, const char *text)
{
	snprintf(ed->text, sizeof(ed->text), "%s", text ? text : "");
	ed->len = strlen(ed->text);
	/* snprintf may have cut through a character. */
	for (size_t i = 0; i < ed->len;) {
		uint32_t cp;
		int n = utf8_get(ed->text + i, ed->len - i, &cp);

		if (cp == 0xfffd && n == 1) {
			ed->len = i;
			ed->text[i] = '\0';
		}
		i += (size_t)n;
	}
	ed->at = ed->len;
}

static size_t edit_prev(const struct edit *ed, size_t at)
{
	while (at > 0 && ((unsigned char)ed->text[--at] & 0xc0) == 0x80)
		;
	return at;
}

static size_t edit_next(const struct edit *ed, size_t at)
{
	while (at < ed->len && ((unsigned char)ed->text[++at] & 0xc0) == 0x80)
		;
	return at;
}

static void edit_cut(struct edit *ed, size_t from, size_t to)
{
	memmove(ed->text + from, ed->text + to, ed->len - to + 1);
	ed->len -= to - from;
	ed->at = from;
}

static size_t edit_word_left(const struct edit *ed)
{
	size_t at = ed->at;

	while (at > 0 && ed->text[at - 1] == ' ')
		at--;
	while (at > 0 && ed->text[at - 1] != ' ')
		at--;
	return at;
}

static void edit_insert(struct edit *ed, console_key k)
{
	char c[4];
	size_t n = (size_t)utf8_put(c, k);

	if (ed->len + n + 1 > sizeof(ed->text))
		return;
	memmove(ed->text + ed->at + n, ed->text + ed->at, ed->len - ed->at + 1);
	memcpy(ed->text + ed->at, c, n);
	ed->len += n;
	ed->at += n;
}

bool edit_key(struct edit *ed, console_key k)
{
	switch (k) {
	case K_LEFT:
	case KEY_MOD_CTRL | 'b':
		ed->at = edit_prev(ed, ed->at);
		return true;
	case K_RIGHT:
	case KEY_MOD_CTRL | 'f':
		ed->at = edit_next(ed, ed->at);
		return true;
	case K_HOME:
	case KEY_MOD_CTRL | 'a':
		ed->at = 0;
		return true;
	case K_END:
	case KEY_MOD_CTRL | 'e':
		ed->at = ed->len;
		return true;
	case K_BACKSPACE:
	case KEY_MOD_CTRL | 'h':
		edit_cut(ed, edit_prev(ed, ed->at), ed->at);
		return true;
	case K_DELETE:
	case KEY_MOD_CTRL | 'd':
		edit_cut(ed, ed->at, edit_next(ed, ed->at));
		return true;
	case KEY_MOD_CTRL | 'u':
		edit_cut(ed, 0, ed->at);
		return true;
	case KEY_MOD_CTRL | 'k':
		edit_cut(ed, ed->at, ed->len);
		return true;
	case KEY_MOD_CTRL | 'w':
		edit_cut(ed, edit_word_left(ed), ed->at);
		return true;
	default:
		if (!key_is_char(k))
			return false;
		edit_insert(ed, k);
		return true;
	}
}
