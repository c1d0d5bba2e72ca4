/* The console's clock: what ages and waits on the screen are counted against. It is the host's,
 * but in a replay that of the recording: it stands, or runs at another speed. */
#ifndef VMDECK_TUI_CONSOLE_CLOCK_H
#define VMDECK_TUI_CONSOLE_CLOCK_H

#include <stdint.h>

/* Wall clock, ns. */
uint64_t clock_wall_ns(void);
/* From now on it is now_ns and goes on at speed (thousandths; 0: it stands), up to end_ns. */
void clock_set(uint64_t now_ns, int speed, uint64_t end_ns);
/* The host's again. */
void clock_reset(void);

#endif
