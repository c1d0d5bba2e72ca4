/* What a wait usually takes: from what the daemon said of its timing, else the median of the same
 * phase of those that are known. */
#include <string.h>

#include "backend/base/util.h"
#include "tui/console/model_impl.h"

#define SAMPLES_MAX 64

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static bool alike(const struct deck_timing *a, const struct deck_timing *b)
{
	return a != b && b->result == RESULT_OK && strcmp(a->kind, b->kind) == 0 &&
	       strcmp(a->subject, b->subject) == 0;
}

static double median(const struct model *m, const struct deck_timing *t, const char *phase)
{
	double ms[SAMPLES_MAX];
	int n = 0;

	for (int i = 0; i < m->timings && n < SAMPLES_MAX; i++)
		for (int k = 0; alike(t, m->timing[i]) && k < m->timing[i]->phases; k++)
			if (strcmp(m->timing[i]->phase[k].name, phase) == 0) {
				ms[n++] = m->timing[i]->phase[k].ms;
				break;
			}
	if (!n)
		return -1;
	qsort(ms, (size_t)n, sizeof(*ms), by_size);
	return ms[n / 2];
}

void model_wait_usual(const struct model *m, struct deck_vm *vm)
{
	const struct deck_timing *t = vm->wait.name[0] ? model_timing(m, vm->id) : NULL;
	double ms = t ? deck_usual_ms(t, vm->wait.name) : -1;

	if (t && ms < 0)
		ms = median(m, t, vm->wait.name);
	vm->wait.usual_ms = max_of(ms, 0.);
}
