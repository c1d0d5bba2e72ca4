#include "backend/base/flow.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static void drive(struct flow *f, enum flow_verdict v);

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct flow *f = container_of(w, struct flow, timer);
	enum flow_verdict v = FLOW_FAIL;

	(void)loop;
	(void)revents;
	if (f->steps[f->at].expired) {
		f->in_step = true;
		v = f->steps[f->at].expired(f);
		f->in_step = false;
	} else {
		err_set(&f->err, ETIMEDOUT, "%s: step '%s' had no answer in %g s", f->name,
			f->steps[f->at].name, flow_step_limit(f));
	}
	drive(f, v);
}

void flow_init(struct flow *f, struct ev_loop *loop, const char *name,
	const struct flow_step *steps, int count, flow_on_step *on_step, flow_on_done *on_done,
	void *user)
{
	*f = (struct flow){.name = name,
		.steps = steps,
		.count = count,
		.at = -1,
		.loop = loop,
		.on_step = on_step,
		.on_done = on_done,
		.user = user};
	ev_init(&f->timer, on_timer);
}

static void finish(struct flow *f, int r)
{
	ev_timer_stop(f->loop, &f->timer);
	f->running = false;
	if (r < 0)
		for (int i = f->at; i >= 0; i--)
			if (f->steps[i].undo)
				f->steps[i].undo(f);
	f->on_done(f, r); /* f may be gone now */
}

static enum flow_verdict enter_next(struct flow *f)
{
	const struct flow_step *s = &f->steps[++f->at];
	double limit = flow_step_limit(f);
	enum flow_verdict v;

	f->step_ns = mono_ns();
	if (f->on_step)
		f->on_step(f);
	ev_timer_stop(f->loop, &f->timer);
	if (limit > 0) {
		ev_now_update(f->loop);
		ev_timer_set(&f->timer, limit, 0.);
		ev_timer_start(f->loop, &f->timer);
	}
	flow_probe(f, false);
	f->in_step = true;
	v = s->enter ? s->enter(f) : FLOW_WAIT;
	f->in_step = false;
	if (v == FLOW_WAIT)
		flow_probe(f, true);
	return v;
}

static void pass_over(struct flow *f)
{
	while (f->at + 1 < f->count && f->steps[f->at + 1].skip && f->steps[f->at + 1].skip(f))
		f->at++;
}

static void drive(struct flow *f, enum flow_verdict v)
{
	assert(!f->in_step);
	for (;;) {
		switch (v) {
		case FLOW_WAIT:
			return;
		case FLOW_FAIL:
			if (!f->err.code)
				err_set(&f->err, EIO, "%s: step '%s' failed", f->name,
					f->steps[f->at].name);
			finish(f, -f->err.code);
			return;
		case FLOW_NEXT:
			pass_over(f);
			if (f->at + 1 < f->count) {
				v = enter_next(f);
				break;
			}
			f->at = f->count;
			if (f->on_step)
				f->on_step(f);
			finish(f, 0);
			return;
		}
	}
}

void flow_start_at(struct flow *f, int at)
{
	f->at = at - 1;
	f->running = true;
	f->started_ns = mono_ns();
	drive(f, FLOW_NEXT);
}

void flow_start(struct flow *f)
{
	flow_start_at(f, 0);
}

void flow_event(struct flow *f, int ev, void *data)
{
	enum flow_verdict v;

	if (!f->running || !f->steps[f->at].event)
		return;
	assert(!f->in_step);
	f->in_step = true;
	v = f->steps[f->at].event(f, ev, data);
	f->in_step = false;
	drive(f, v);
}

void flow_fail(struct flow *f, const struct err *why)
{
	if (!f->running)
		return;
	f->err = *why;
	drive(f, FLOW_FAIL);
}

void flow_cancel(struct flow *f, const char *why)
{
	struct err e = {0};

	err_set(&e, ECANCELED, "%s: %s", f->name, why);
	flow_fail(f, &e);
}

void flow_drop(struct flow *f)
{
	if (f->loop)
		ev_timer_stop(f->loop, &f->timer);
	f->running = false;
}

double flow_step_limit(const struct flow *f)
{
	double t = f->at >= 0 && f->at < f->count ? f->steps[f->at].timeout : 0;

	return t < 0 ? f->limit : t;
}

const char *flow_step_name(const struct flow *f)
{
	return f->running && f->at >= 0 && f->at < f->count ? f->steps[f->at].name : NULL;
}

static int count_steps(const struct flow *f, int end)
{
	int n = 0;

	for (int i = 0; i < end; i++)
		n += !f->steps[i].skip || !f->steps[i].skip(f);
	return n;
}

int flow_place(const struct flow *f)
{
	return count_steps(f, min_of(f->at + 1, f->count));
}

int flow_length(const struct flow *f)
{
	return count_steps(f, f->count);
}
