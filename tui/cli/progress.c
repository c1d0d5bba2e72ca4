#include "tui/cli/progress.h"

#include <inttypes.h>
#include <string.h>

#include "backend/base/str.h"
#include "tui/cli/text.h"
#include "tui/cli/tty.h"

#define TICK_S    0.1
#define BAR_CELLS 24
#define LINE_MAX_ 800

static int screen_width(void)
{
	uint16_t rows, cols;

	return tty_size(STDERR_FILENO, &rows, &cols) ? cols : 80;
}

static void draw(struct progress *p)
{
	char line[LINE_MAX_];

	/* The last column stays free: a full line would wrap and could not be taken back. */
	progress_line(p, line, sizeof(line), screen_width() - 1, mono_ns());
	fprintf(stderr, "\r%s\033[K", line);
	fflush(stderr);
}

static void on_tick(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)revents;
	draw(t->data);
}

void progress_init(struct progress *p, struct ev_loop *loop, bool on, bool bar)
{
	memset(p, 0, sizeof(*p));
	p->loop = loop;
	p->on = on;
	p->bar = bar;
	ev_timer_init(&p->tick, on_tick, TICK_S, TICK_S);
	p->tick.data = p;
	if (!on)
		return;
	text_init();
	ev_timer_start(loop, &p->tick);
	ev_unref(loop);
}

void progress_title(struct progress *p, const char *title)
{
	str_safe(p->title, sizeof(p->title), title);
	if (p->on)
		draw(p);
}

void progress_step(
	struct progress *p, const char *name, uint64_t mono, uint64_t done, uint64_t total)
{
	char safe[sizeof(p->steps[0].name)];

	str_safe(safe, sizeof(safe), name);
	if (!p->count || strcmp(p->steps[p->count - 1].name, safe) != 0) {
		if (p->count)
			p->steps[p->count - 1].end_ns = mono;
		if (p->count == PROGRESS_STEPS)
			memmove(p->steps, p->steps + 1, sizeof(p->steps[0]) * --p->count);
		memcpy(p->steps[p->count].name, safe, sizeof(safe));
		p->steps[p->count].begin_ns = mono;
		p->steps[p->count].end_ns = 0;
		p->count++;
	}
	p->done = done;
	p->total = total;
	if (p->on)
		draw(p);
}

void progress_wait(struct progress *p, const char *name, uint64_t mono, int n, int of, double limit)
{
	p->n = n;
	p->of = of;
	p->limit = limit;
	progress_step(p, name, mono, 0, 0);
}

static double seconds(uint64_t from, uint64_t to)
{
	return to > from ? (double)(to - from) / 1e9 : 0;
}

static void line_of_steps(const struct progress *p, char *out, size_t n, uint64_t now_ns)
{
	size_t used = (size_t)snprintf(out, n, "%s", p->title);

	for (int i = 0; i < p->count && used < n; i++) {
		uint64_t end = p->steps[i].end_ns ? p->steps[i].end_ns : now_ns;

		used += (size_t)snprintf(out + used, n - used, "%s %s %.2f s", i ? "," : ":",
			p->steps[i].name, seconds(p->steps[i].begin_ns, end));
	}
}

static void line_of_wait(const struct progress *p, char *out, size_t n, uint64_t now_ns)
{
	size_t used = (size_t)snprintf(out, n, "%s: %s (%d/%d) %.1f s", p->title,
		p->steps[p->count - 1].name, p->n, p->of,
		seconds(p->steps[p->count - 1].begin_ns, now_ns));

	if (p->limit > 0 && used < n)
		snprintf(out + used, n - used, ", limit %.4g s", p->limit);
}

static void line_of_bar(const struct progress *p, char *out, size_t n, uint64_t now_ns)
{
	const char *step = p->count ? p->steps[p->count - 1].name : "";
	uint64_t begin = p->count ? p->steps[p->count - 1].begin_ns : now_ns;
	char bar[BAR_CELLS + 1], done[32], total[32];
	unsigned percent;

	if (p->total <= 1) {
		snprintf(out, n, "%s: %s %.1f s", p->title, step, seconds(begin, now_ns));
		return;
	}
	percent = (unsigned)(100.0 * (double)min_of(p->done, p->total) / (double)p->total);
	for (unsigned i = 0; i < BAR_CELLS; i++)
		bar[i] = i < percent * BAR_CELLS / 100 ? '#' : '.';
	bar[BAR_CELLS] = '\0';
	if (p->total < 4096) /* things, not bytes */
		snprintf(out, n, "%s: %s [%s] %u%% %" PRIu64 "/%" PRIu64, p->title, step, bar,
			percent, p->done, p->total);
	else
		snprintf(out, n, "%s: %s [%s] %u%% %s of %s", p->title, step, bar, percent,
			str_bytes(done, sizeof(done), p->done),
			str_bytes(total, sizeof(total), p->total));
}

char *progress_line(const struct progress *p, char *out, size_t n, int cols, uint64_t now_ns)
{
	char line[LINE_MAX_];

	if (p->of && p->count && !p->total)
		line_of_wait(p, line, sizeof(line), now_ns);
	else if (p->bar)
		line_of_bar(p, line, sizeof(line), now_ns);
	else
		line_of_steps(p, line, sizeof(line), now_ns);
	return text_cut(out, n, line, cols);
}

void progress_fini(struct progress *p)
{
	if (!p->on)
		return;
	p->on = false;
	ev_ref(p->loop);
	ev_timer_stop(p->loop, &p->tick);
	fputs("\r\033[K", stderr);
	fflush(stderr);
}
