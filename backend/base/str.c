#include "backend/base/str.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

static bool name_char(unsigned char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return !first && (c == '.' || c == '_' || c == '-');
}

int str_check_name(const char *what, const char *name, struct err *e)
{
	char safe[64];
	size_t n = strlen(name);

	str_safe(safe, sizeof(safe), name);
	if (!n)
		return err_set(e, EINVAL, "%s is empty", what);
	if (n > NAME_MAX_BYTES)
		return err_set(e, EINVAL, "%s '%s' has %zu bytes: at most %d are allowed", what,
			safe, n, NAME_MAX_BYTES);
	for (size_t i = 0; i < n; i++)
		if (!name_char((unsigned char)name[i], i == 0))
			return err_set(e, EINVAL,
				"%s '%s' is not valid: use letters, digits, '.', '_' and '-', a "
				"letter or digit "
				"first",
				what, safe);
	return 0;
}

int str_parse_int(
	const char *what, const char *s, int64_t min, int64_t max, int64_t *ret, struct err *e)
{
	char safe[64];
	char *end;
	long long v;

	str_safe(safe, sizeof(safe), s);
	errno = 0;
	v = strtoll(s, &end, 10);
	if (end == s || *end || isspace((unsigned char)s[0]))
		return err_set(e, EINVAL, "%s: '%s' is not a number", what, safe);
	if (errno == ERANGE || v < min || v > max)
		return err_set(e, ERANGE, "%s: %s is out of range (%" PRId64 " to %" PRId64 ")",
			what, safe, min, max);
	*ret = v;
	return 0;
}

int str_parse_mib(const char *what, const char *s, int64_t *ret_mib, struct err *e)
{
	char num[32], safe[64];
	size_t n = strlen(s);
	int64_t factor = 1;
	int r;

	str_safe(safe, sizeof(safe), s);
	if (!n || n >= sizeof(num))
		return err_set(
			e, EINVAL, "%s: '%s' is not a size like 512, 512M or 2G", what, safe);
	memcpy(num, s, n + 1);
	switch (toupper((unsigned char)num[n - 1])) {
	case 'G':
		factor = 1024;
		num[n - 1] = '\0';
		break;
	case 'M':
		num[n - 1] = '\0';
		break;
	default:
		break;
	}
	r = str_parse_int(what, num, 1, (int64_t)1024 * 1024, ret_mib, NULL);
	if (r < 0)
		return err_set(e, -r, "%s: '%s' is not a size like 512, 512M or 2G", what, safe);
	*ret_mib *= factor;
	return 0;
}

/* Length of the valid UTF-8 sequence at s, 0 when it is none or a control character. */
static size_t utf8_len(const unsigned char *s)
{
	size_t n = s[0] < 0x80                     ? 1
		   : (s[0] >= 0xc2 && s[0] < 0xe0) ? 2
		   : (s[0] & 0xf0) == 0xe0         ? 3
						   : 4;

	if (s[0] < 0x20 || s[0] == 0x7f || (s[0] >= 0x80 && s[0] < 0xc2) || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* C1 controls, overlong forms, surrogates, above U+10FFFF */
	if ((n == 2 && s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xe0 && s[1] < 0xa0) ||
		(s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
		(s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

char *str_safe(char *out, size_t n, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t at = 0;

	while (*p) {
		size_t len = utf8_len(p), need = len ? len : 4;

		if (at + need + 4 > n) { /* keep room for "..." */
			if (at + 4 <= n)
				memcpy(out + at, "...", 4), at += 3;
			break;
		}
		if (len) {
			memcpy(out + at, p, len);
			p += len;
		} else {
			snprintf(out + at, 5, "\\x%02x", *p++);
		}
		at += need;
	}
	out[min_of(at, n - 1)] = '\0';
	return out;
}

char *str_duration(char *out, size_t n, uint64_t ns)
{
	uint64_t s = ns / 1000000000u;

	if (ns < 1000000u)
		snprintf(out, n, "%" PRIu64 " us", ns / 1000);
	else if (ns < 1000000000u)
		snprintf(out, n, "%" PRIu64 " ms", ns / 1000000);
	else if (s < 60)
		snprintf(out, n, "%.1f s", (double)ns / 1e9);
	else if (s < 3600)
		snprintf(out, n, "%" PRIu64 " m %02" PRIu64 " s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(out, n, "%" PRIu64 " h %02" PRIu64 " m", s / 3600, s / 60 % 60);
	else
		snprintf(out, n, "%" PRIu64 " d %02" PRIu64 " h", s / 86400, s / 3600 % 24);
	return out;
}

char *str_bytes(char *out, size_t n, uint64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	double v = (double)bytes;
	size_t u = 0;

	while (v >= 1024 && u + 1 < countof(units)) {
		v /= 1024;
		u++;
	}
	snprintf(out, n, u && v < 10 ? "%.1f %s" : "%.0f %s", v, units[u]);
	return out;
}

void random_bytes(void *p, size_t n)
{
	uint8_t *at = p;

	while (n) {
		ssize_t r = getrandom(at, n, 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			abort();
		at += r;
		n -= (size_t)r;
	}
}

void hex_encode(char *out, const void *p, size_t n)
{
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", b[i]);
	out[2 * n] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(void *out, size_t n, const char *s)
{
	uint8_t *b = out;

	if (strlen(s) != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int hi = hex_digit(s[2 * i]), lo = hex_digit(s[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -EINVAL;
		b[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

char **strv_copy(char *const *v)
{
	size_t n = 0;
	char **out;

	if (!v)
		return NULL;
	while (v[n])
		n++;
	out = xcalloc(n + 1, sizeof(*out));
	for (size_t i = 0; i < n; i++)
		out[i] = xstrdup(v[i]);
	return out;
}

void strv_free(char **v)
{
	for (size_t i = 0; v && v[i]; i++)
		free(v[i]);
	free(v);
}
