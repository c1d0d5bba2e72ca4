#include "agent/hello.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <linux/random.h>

#include "agent/agent.h"
#include "agent/util.h"

/* A resumed source keeps its own clock below this. */
#define CLOCK_SLACK_NS 100000000
#define MACHINE_ID     "/etc/machine-id"

static const uint8_t no_generation[WIRE_ID];

void identity_init(struct identity *id)
{
	*id = (struct identity){.random_fd = -1};
	strpack_init(&id->env, id->env_buf, sizeof(id->env_buf));
}

void identity_read_boot(struct identity *id)
{
	char text[64], hex[2 * WIRE_ID + 1];
	size_t n = 0;

	id->random_fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);
	if (file_slurp("/proc/sys/kernel/random/boot_id", text, sizeof(text)) < 0)
		return;
	for (const char *p = text; *p && n < 2 * WIRE_ID; p++)
		if (*p != '-')
			hex[n++] = *p;
	hex[n] = 0;
	for (size_t i = 0; i < n / 2; i++) {
		char byte[3] = {hex[2 * i], hex[2 * i + 1], 0};

		id->boot[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
}

/* Two clones of a snapshot have the same generator state until this is done. */
static void step_rng(const struct identity *id, const struct wire_hello *h)
{
	struct {
		int bits, size;
		uint8_t data[WIRE_ENTROPY];
	} pool = {.bits = 8 * WIRE_ENTROPY, .size = WIRE_ENTROPY};

	memcpy(pool.data, h->entropy, WIRE_ENTROPY);
	if (ioctl(id->random_fd, RNDADDENTROPY, &pool) < 0 ||
		ioctl(id->random_fd, RNDRESEEDCRNG, 0) < 0)
		say_error("cannot reseed the random generator: %s", strerror(errno));
}

int64_t clock_fix(const struct agent *a, uint64_t host_ns, uint64_t came_ns, bool always)
{
	uint64_t now = host_ns + (mono_ns() - came_ns);
	int64_t off = (int64_t)(wall_ns() - now);
	struct timespec ts = {
		.tv_sec = (time_t)(now / 1000000000u),
		.tv_nsec = (long)(now % 1000000000u),
	};

	if (!a->pid1 || (!always && off > -CLOCK_SLACK_NS && off < CLOCK_SLACK_NS))
		return off;
	if (clock_settime(CLOCK_REALTIME, &ts) < 0)
		say_error("cannot set the clock: %s", strerror(errno));
	return off;
}

/* In place where there is one already, as in every restored copy: making and renaming a file are
 * the slowest part of HELLO there. One write of one page of the same length leaves no mix behind.
 */
static int machine_id_write(const char *text, size_t n)
{
	int fd = open(MACHINE_ID, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	bool done = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size == (off_t)n &&
		    write(fd, text, n) == (ssize_t)n;

	close_fd(&fd);
	return done ? 0 : file_replace(MACHINE_ID, text);
}

static void step_identity(const struct wire_hello *h)
{
	static const char hex[] = "0123456789abcdef";
	char id[2 * WIRE_ID + 2];
	size_t n = 0;
	int r;

	if (h->hostname.len && sethostname(h->hostname.s, h->hostname.len) < 0)
		say_error("cannot set the host name: %s", strerror(errno));
	for (int i = 0; i < WIRE_ID; i++) {
		id[n++] = hex[h->instance[i] >> 4];
		id[n++] = hex[h->instance[i] & 15];
	}
	id[n++] = '\n';
	id[n] = 0;
	r = machine_id_write(id, n);
	if (r < 0)
		say_error("cannot write %s: %s", MACHINE_ID, strerror(-r));
}

/* Microseconds since *t, which moves to now. */
static uint32_t lap(uint64_t *t)
{
	uint64_t now = mono_ns(), us = (now - *t) / 1000;

	*t = now;
	return (uint32_t)us;
}

static void remember(struct identity *id, const struct wire_hello *h)
{
	memcpy(id->generation, h->generation, WIRE_ID);
	memcpy(id->instance, h->instance, WIRE_ID);
	strpack_init(&id->env, id->env_buf, sizeof(id->env_buf));
	if (strpack_addv(&id->env, h->env, h->envc) < 0)
		say_error("the host's environment does not fit; its end is left out");
}

void hello_apply(
	struct agent *a, const struct wire_hello *h, uint64_t came_ns, struct wire_hello_ack *ack)
{
	struct identity *id = &a->id;
	bool first = !memcmp(id->generation, no_generation, WIRE_ID);
	bool same = !first && !memcmp(id->generation, h->generation, WIRE_ID);
	uint64_t t = mono_ns(), start = t;

	*ack = (struct wire_hello_ack){0};
	memcpy(ack->generation, h->generation, WIRE_ID);
	ack->verdict = first ? WIRE_BOOTED : same ? WIRE_RESUMED : WIRE_RESTORED;
	if (a->pid1 && !same)
		step_rng(id, h);
	ack->rng_us = lap(&t);
	ack->clock_step_ns = clock_fix(a, h->wall_ns, came_ns, !same);
	ack->clock_us = lap(&t);
	if (!same) {
		if (a->pid1)
			step_identity(h);
		remember(id, h);
	}
	ack->identity_us = lap(&t);
	network_apply(&a->network, &h->net, ack->verdict == WIRE_RESTORED, ack);
	ack->network_us = lap(&t);
	if (ack->verdict == WIRE_RESTORED)
		execs_drop(&a->execs);
	ack->sockets_us = lap(&t);
	ack->total_us = lap(&start);
	ack->uptime_ns = boot_ns();
}
