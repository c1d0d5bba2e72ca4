/* Rate of this host's time stamp counter, which an emulated guest sees unchanged and cannot measure
 * itself: the kernel option tsc_early_khz carries it (a value 10 % low makes guest time run 11 %
 * fast). Two samples of counter and clock give the rate, the more exact the further apart they
 * are, so the first is taken long before the second is needed and nobody waits. */
#ifndef VMDECK_VMM_TSC_H
#define VMDECK_VMM_TSC_H

#include "backend/base/err.h"

struct tsc_sample {
	uint64_t ticks;
	uint64_t ns;          /* CLOCK_MONOTONIC_RAW: the counter's clock, not slewed by NTP */
	int64_t suspended_ns; /* time this host slept since boot; the counter may restart there */
};

struct tsc_meter {
	struct tsc_sample origin; /* ticks 0: none */
	uint32_t khz;             /* 0: not known well enough to keep */
};

/* -EOPNOTSUPP on processors without such a counter. */
int tsc_sample(struct tsc_sample *ret);
/* Rate between two samples; -ERANGE when they are not in order or it is no plausible rate. */
int tsc_rate(const struct tsc_sample *a, const struct tsc_sample *b, uint32_t *ret_khz);

/* Takes the first sample, unless there is one. */
void tsc_meter_start(struct tsc_meter *m);
/* The rate. Sleeps only when the first sample is younger than 10 ms (then the rest of them: 10 ppm
 * at worst); keeps the answer of a window of 200 ms and more. */
int tsc_meter_khz(struct tsc_meter *m, uint32_t *ret_khz, struct err *e);

#endif
