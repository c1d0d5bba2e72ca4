#include "backend/vsock/line.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* "CONNECT <port>": the first two words of the line. */
static bool parse_connect(const char *line, size_t len, uint32_t *ret_port)
{
	static const char word[] = "connect";
	const char *p = line, *end = line + len;
	uint64_t port = 0;
	size_t i = 0;

	while (p < end && isspace((unsigned char)*p))
		p++;
	for (; p < end && word[i] && tolower((unsigned char)*p) == word[i]; p++)
		i++;
	if (word[i] || p == end || !isspace((unsigned char)*p))
		return false;
	while (p < end && isspace((unsigned char)*p))
		p++;
	for (i = 0; p < end && isdigit((unsigned char)*p); p++, i++) {
		port = port * 10 + (uint64_t)(*p - '0');
		if (port > UINT32_MAX)
			return false;
	}
	if (i == 0 || (p < end && !isspace((unsigned char)*p)))
		return false;
	*ret_port = (uint32_t)port;
	return true;
}

static bool is(const char *line, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(line, word, len) == 0;
}

enum line line_parse(const char *line, size_t len, uint32_t *ret_port)
{
	if (is(line, len, "MEMORY state"))
		return LINE_MEMORY_STATE;
	if (is(line, len, "MEMORY private"))
		return LINE_MEMORY_PRIVATE;
	return parse_connect(line, len, ret_port) ? LINE_CONNECT : LINE_BAD;
}
