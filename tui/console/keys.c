/* Names and numbers of keys. */
#include "tui/console/keys.h"

#include <stdio.h>
#include <string.h>

#include "backend/base/util.h"

static const struct {
	uint32_t key;
	const char *name;
} key_names[] = {
	{K_UP, "Up"},
	{K_DOWN, "Down"},
	{K_LEFT, "Left"},
	{K_RIGHT, "Right"},
	{K_HOME, "Home"},
	{K_END, "End"},
	{K_PAGE_UP, "PgUp"},
	{K_PAGE_DOWN, "PgDn"},
	{K_INSERT, "Ins"},
	{K_DELETE, "Del"},
	{K_ENTER, "Enter"},
	{K_TAB, "Tab"},
	{K_BACKTAB, "BackTab"},
	{K_ESC, "Esc"},
	{K_BACKSPACE, "Backspace"},
	{' ', "Space"},
};

static const struct {
	uint32_t mod;
	char letter;
} key_mods[] = {
	{KEY_MOD_CTRL, 'C'},
	{KEY_MOD_ALT, 'M'},
	{KEY_MOD_SHIFT, 'S'},
};

int utf8_put(char *out, uint32_t cp)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

int utf8_get(const char *s, size_t n, uint32_t *ret_cp)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *u = (const unsigned char *)s;
	int len = n == 0            ? 0
		  : u[0] < 0x80     ? 1
		  : u[0] >> 5 == 6  ? 2
		  : u[0] >> 4 == 14 ? 3
		  : u[0] >> 3 == 30 ? 4
				    : -1;
	uint32_t cp;

	if (len <= 1) {
		*ret_cp = len == 1 ? u[0] : len == 0 ? 0 : 0xfffd;
		return len < 0 ? 1 : len;
	}
	*ret_cp = 0xfffd;
	if ((size_t)len > n)
		return 1;
	cp = u[0] & (0x7fu >> len);
	for (int i = 1; i < len; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 1;
		cp = cp << 6 | (u[i] & 0x3f);
	}
	if (cp < least[len] || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return 1;
	*ret_cp = cp;
	return len;
}

console_key key_from_char(uint32_t cp)
{
	switch (cp) {
	case '\r':
		return K_ENTER;
	case '\t':
		return K_TAB;
	case 27:
		return K_ESC;
	case 127:
		return K_BACKSPACE;
	case 0:
		return KEY_MOD_CTRL | ' ';
	default:
		break;
	}
	if (cp < 27)
		return KEY_MOD_CTRL | (cp + 'a' - 1);
	if (cp < 32)
		return KEY_MOD_CTRL | (cp + '@');
	return cp < KEY_SPECIAL ? cp : K_NONE;
}

static console_key key_parse_base(const char *s, size_t n)
{
	uint32_t cp;

	for (size_t i = 0; i < countof(key_names); i++)
		if (strlen(key_names[i].name) == n && memcmp(key_names[i].name, s, n) == 0)
			return key_names[i].key;
	if (n >= 2 && n <= 3 && s[0] == 'F') {
		uint32_t f = 0;

		for (size_t i = 1; i < n; i++)
			f = s[i] >= '0' && s[i] <= '9' ? f * 10 + (uint32_t)(s[i] - '0') : 99;
		return f >= 1 && f <= 12 ? K_F0 + f : K_NONE;
	}
	if (n == 0 || (size_t)utf8_get(s, n, &cp) != n || cp < 0x20 || cp == 0x7f || cp == 0xfffd)
		return K_NONE;
	return cp;
}

console_key key_parse(const char *s, size_t n)
{
	uint32_t mods = 0;
	console_key base;

	while (n > 2 && s[1] == '-') {
		uint32_t mod = 0;

		for (size_t i = 0; i < countof(key_mods); i++)
			if (key_mods[i].letter == s[0])
				mod = key_mods[i].mod;
		if (!mod || (mods & mod))
			return K_NONE;
		mods |= mod;
		s += 2;
		n -= 2;
	}
	base = key_parse_base(s, n);
	return base == K_NONE ? K_NONE : base | mods;
}

char *key_text(char *out, size_t n, console_key k)
{
	char base[8] = "?";
	const char *name = base;
	char mods[8];
	size_t m = 0;

	for (size_t i = 0; i < countof(key_mods); i++)
		if (k & key_mods[i].mod) {
			mods[m++] = key_mods[i].letter;
			mods[m++] = '-';
		}
	mods[m] = '\0';
	k = key_base(k);
	if (k > K_F0 && k <= K_F12)
		snprintf(base, sizeof(base), "F%u", (unsigned)(k - K_F0));
	else if (key_is_char(k))
		base[utf8_put(base, k)] = '\0';
	for (size_t i = 0; i < countof(key_names); i++)
		if (key_names[i].key == k)
			name = key_names[i].name;
	snprintf(out, n, "%s%s", mods, name);
	return out;
}

console_key key_list_next(const char **list)
{
	const char *s = *list + strspn(*list, " ");
	size_t n = strcspn(s, " ");
	console_key k = n ? key_parse(s, n) : K_NONE;

	*list = k == K_NONE ? s : s + n;
	return k;
}
