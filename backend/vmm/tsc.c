#include "backend/vmm/tsc.h"

#include <errno.h>
#include <stdbool.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define WINDOW_MIN_NS  10000000ull  /* shorter ones are not exact enough */
#define WINDOW_KEEP_NS 200000000ull /* from here on a longer one gains nothing */
#define SAMPLE_TRIES   8
#define KHZ_MIN        100000ull
#define KHZ_MAX        20000000ull

static bool read_ticks(uint64_t *ret)
{
#if defined(__x86_64__)
	*ret = __rdtsc();
	return true;
#else
	(void)ret;
	return false;
#endif
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

int tsc_sample(struct tsc_sample *ret)
{
	uint64_t before = 0, after = 0, ns, best = UINT64_MAX;
	int64_t slept;

	ret->suspended_ns = INT64_MAX;
	/* The narrowest of several tries: an interrupt between the two readings spoils one. */
	for (int i = 0; i < SAMPLE_TRIES; i++) {
		if (!read_ticks(&before))
			return -EOPNOTSUPP;
		ns = clock_ns(CLOCK_MONOTONIC_RAW);
		read_ticks(&after);
		if (after - before < best) {
			best = after - before;
			ret->ticks = before + best / 2;
			ret->ns = ns;
		}
		slept = -(int64_t)clock_ns(CLOCK_MONOTONIC);
		slept += (int64_t)clock_ns(CLOCK_BOOTTIME);
		ret->suspended_ns = min_of(ret->suspended_ns, slept);
	}
	return 0;
}

int tsc_rate(const struct tsc_sample *a, const struct tsc_sample *b, uint32_t *ret_khz)
{
	uint64_t ns, khz;

	if (b->ticks <= a->ticks || b->ns <= a->ns)
		return -ERANGE;
	ns = b->ns - a->ns;
	khz = (uint64_t)((__uint128_t)(b->ticks - a->ticks) * 1000000u / ns);
	if (khz < KHZ_MIN || khz > KHZ_MAX)
		return -ERANGE;
	*ret_khz = (uint32_t)khz;
	return 0;
}

void tsc_meter_start(struct tsc_meter *m)
{
	if (!m->origin.ticks && tsc_sample(&m->origin) < 0)
		m->origin = (struct tsc_sample){0};
}

/* Whether the host slept between the samples (the two clocks are read one after the other, so
 * their difference wavers a little). */
static bool slept_between(const struct tsc_sample *a, const struct tsc_sample *b)
{
	return b->suspended_ns > a->suspended_ns + 1000000u;
}

int tsc_meter_khz(struct tsc_meter *m, uint32_t *ret_khz, struct err *e)
{
	struct tsc_sample now;
	struct timespec rest;
	uint64_t window;

	if (m->khz) {
		*ret_khz = m->khz;
		return 0;
	}
	if (tsc_sample(&now) < 0)
		return err_set(e, EOPNOTSUPP,
			"this processor has no time stamp counter that an emulated guest could "
			"use");
	if (!m->origin.ticks || slept_between(&m->origin, &now))
		m->origin = now;
	window = now.ns - m->origin.ns;
	if (window < WINDOW_MIN_NS) {
		rest = (struct timespec){.tv_nsec = (long)(WINDOW_MIN_NS - window)};
		nanosleep(&rest, NULL);
		tsc_sample(&now);
		window = now.ns - m->origin.ns;
	}
	if (tsc_rate(&m->origin, &now, ret_khz) < 0) {
		m->origin = now;
		return err_set(e, ERANGE,
			"the time stamp counter of this host does not run evenly: try again");
	}
	if (window >= WINDOW_KEEP_NS)
		m->khz = *ret_khz;
	return 0;
}
