#include "backend/vsock/env.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* "KEY=NUMBER " at *s: passes it and stores the number; false, and *s stays: it is not there. */
static bool take(const char **s, const char *key, long max, int *ret)
{
	size_t n = strlen(key);
	char *end;
	long v;

	if (strncmp(*s, key, n) != 0 || !isdigit((unsigned char)(*s)[n]))
		return false;
	errno = 0;
	v = strtol(*s + n, &end, 10);
	if (errno != 0 || v > max || *end != ' ')
		return false;
	*ret = (int)v;
	*s = end + 1;
	return true;
}

bool env_parse(const char *s, struct env *ret)
{
	int privately = 0;

	*ret = (struct env){.fd = -1, .ram = -1};
	if (!take(&s, "fd=", INT32_MAX, &ret->fd))
		return false;
	if (take(&s, "ram=", INT32_MAX, &ret->ram))
		take(&s, "private=", 1, &privately);
	ret->privately = privately != 0;
	if (strncmp(s, "path=", 5) != 0)
		return false;
	ret->path = s + 5;
	return true;
}
