/* How far apart two words are. */
#include "backend/base/word.h"

#include <string.h>

#include "backend/base/util.h"

static int min3(int a, int b, int c)
{
	return min_of(min_of(a, b), c);
}

int word_distance(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	int d[WORD_MAX][WORD_MAX];

	if (na >= WORD_MAX || nb >= WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= na; i++)
		d[i][0] = (int)i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = (int)j;
	for (size_t i = 1; i <= na; i++)
		for (size_t j = 1; j <= nb; j++) {
			int same = a[i - 1] == b[j - 1] ? 0 : 1;

			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = min_of(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[na][nb];
}

bool word_near_enough(const char *typed, const char *known)
{
	size_t n = strlen(typed);

	if (n >= 2 && strncmp(typed, known, n) == 0)
		return true;
	return word_distance(typed, known) <= (n <= 3 ? 1 : 2);
}
