/* The output connection: numbered bytes of the guest's main process go to the outlog, and only what
 * is stored is acknowledged. A disk that refuses bytes stops the reading of the connection: the
 * guest's ring fills and its writers wait; nothing is dropped. */
#include "backend/guest/guest_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend/base/str.h"

/* s of rest after each FRAMED_WAKEUP_BYTES of a flood, which makes 60 MB/s of it. A guest that
 * writes without end would otherwise have one processor for itself and another for the way to the
 * log, and the commands of all VMs would wait for both. Measured on two cores, p99 of commands in
 * the flood to p99 without: no rest 3.5 in the same VM, 3.8 in another; 1 ms (100 MB/s) 3 and 1 to
 * 1.7; 2 ms 1.5 to 1.9 and 1.2. */
#define FLOOD_REST 0.002

static void set_limit(struct guest *g, double s)
{
	ev_timer *t = &g->output.limit;

	ev_timer_stop(g->loop, t);
	if (s <= 0)
		return;
	ev_now_update(g->loop);
	ev_timer_set(t, s, 0.);
	ev_timer_start(g->loop, t);
}

static void closed(struct guest *g, const char *why)
{
	struct output *o = &g->output;

	o->open = false;
	o->refused = false;
	set_limit(g, 0);
	input_reset(g, false);
	if (!g->dead)
		guest_log_why(g, "output.close", "output", why);
}

/* The disk said no: this frame waits, and with it the connection. */
static int refuse(struct guest *g, const struct err *why)
{
	struct output *o = &g->output;

	if (!o->refused)
		guest_log_why(g, "output.error", "output", why->msg);
	o->refused = true;
	set_limit(g, GUEST_STORE_RETRY_S);
	return FRAMED_HOLD;
}

static void accepted(struct guest *g)
{
	if (!g->output.refused)
		return;
	g->output.refused = false;
	guest_log_limited(g, "output.recovered", "{}");
}

static void log_open(struct guest *g, const struct wire_out_open *m, uint64_t resume, bool anew)
{
	char fields[256], id[2 * WIRE_ID + 1];

	hex_encode(id, m->stream, WIRE_ID);
	snprintf(fields, sizeof(fields),
		"{\"dial\":%u,\"stream\":\"%s\",\"new\":%s,\"first\":%" PRIu64 ",\"next\":%" PRIu64
		",\"resume\":%" PRIu64 ",\"end\":%" PRIu64 "}",
		g->output.dials, id, anew ? "true" : "false", m->first, m->next, resume,
		outlog_end(g->output.log));
	guest_log_limited(g, "output.accept", fields);
}

static int on_open_frame(struct guest *g, const struct wire_frame *f, struct err *e)
{
	struct output *o = &g->output;
	uint8_t b[WIRE_HEADER + 8];
	struct wire_out_open m;
	struct err why;
	uint64_t resume;
	int r, n;

	if (wire_get_out_open(f, &m) < 0)
		return err_set(e, EPROTO, "malformed OUT_OPEN");
	if (memcmp(m.generation, g->id.generation, WIRE_ID) != 0)
		return err_set(e, EPROTO, "OUT_OPEN of another generation");
	r = outlog_stream(o->log, m.stream, m.first, m.next, &why);
	if (r == -EPROTO)
		return err_set(e, EPROTO, "%s", why.msg);
	if (r < 0)
		return refuse(g, &why);
	accepted(g);
	/* What the ring has lost will be seen as a gap by the first data. */
	resume = max_of(outlog_guest_next(o->log), m.first);
	n = wire_put_u64(b, sizeof(b), WIRE_OUT_RESUME, resume);
	(void)framed_send(&o->conn, b, (size_t)n); /* -EPIPE: on_end follows */
	set_limit(g, 0);
	o->open = true;
	o->had_data = false;
	o->main_known = m.main_state == 2;
	if (!o->main_known)
		o->main_ended = false;
	input_reset(g, r == 1);
	log_open(g, &m, resume, r == 1);
	if (!g->dead && g->cb.on_output_open)
		g->cb.on_output_open(g);
	return 0;
}

static void log_gap(struct guest *g, uint64_t lost)
{
	char fields[100];

	snprintf(fields, sizeof(fields), "{\"lost\":%" PRIu64 ",\"end\":%" PRIu64 "}", lost,
		outlog_end(g->output.log));
	guest_log_limited(g, "output.gap", fields);
}

static int on_data_frame(struct guest *g, const struct wire_frame *f, struct err *e)
{
	struct output *o = &g->output;
	uint64_t offset, lost, before = outlog_end(o->log);
	const uint8_t *data;
	struct err why;
	uint32_t n;
	int r;

	if (wire_get_out_data(f, &offset, &data, &n) < 0)
		return err_set(e, EPROTO, "malformed OUT_DATA");
	if (o->had_data && offset > outlog_guest_next(o->log))
		return err_set(e, EPROTO, "hole in the output at %" PRIu64, offset);
	r = outlog_append(o->log, offset, data, n, &lost, &why);
	if (lost)
		log_gap(g, lost);
	if (outlog_end(o->log) != before)
		o->grew = true;
	if (r == -EPROTO)
		return err_set(e, EPROTO, "%s", why.msg);
	if (r < 0)
		return refuse(g, &why);
	o->had_data = true;
	accepted(g);
	return 0;
}

/* OUT_STORED says "all before": one is enough for many frames, and none is queued behind another
 * that the guest does not read. */
static void acknowledge(struct guest *g)
{
	struct output *o = &g->output;
	uint8_t b[WIRE_HEADER + 8];
	int n;

	if (!o->had_data || framed_queued(&o->conn) > sizeof(b))
		return;
	n = wire_put_u64(b, sizeof(b), WIRE_OUT_STORED, outlog_guest_next(o->log));
	(void)framed_send(&o->conn, b, (size_t)n);
}

static void on_batch(struct framed *conn)
{
	struct guest *g = container_of(conn, struct guest, output.conn);

	if (!g->output.grew)
		return;
	acknowledge(g);
	g->output.grew = false;
	if (g->cb.on_output)
		g->cb.on_output(g);
}

static int on_main_exit_frame(struct guest *g, const struct wire_frame *f, struct err *e)
{
	struct output *o = &g->output;
	int32_t value;
	uint8_t how;

	if (wire_get_exit(f, &how, &value) < 0)
		return err_set(e, EPROTO, "malformed OUT_MAIN_EXIT");
	if (o->main_ended && o->main_known)
		return 0; /* said again after a reconnect */
	o->main_ended = true;
	on_batch(&o->conn); /* its last words are known before its end is */
	if (!g->dead && g->cb.on_main_exit)
		g->cb.on_main_exit(g, how, value);
	return 0;
}

static int on_frame(struct framed *conn, const struct wire_frame *f, struct err *e)
{
	struct guest *g = container_of(conn, struct guest, output.conn);
	uint32_t credit;

	if (!g->output.open && f->type == WIRE_OUT_OPEN)
		return on_open_frame(g, f, e);
	if (g->output.open && f->type == WIRE_OUT_DATA)
		return on_data_frame(g, f, e);
	if (g->output.open && f->type == WIRE_OUT_CREDIT) {
		if (wire_get_u32(f, &credit) < 0)
			return err_set(e, EPROTO, "malformed OUT_CREDIT");
		input_credit(g, credit);
		return 0;
	}
	if (g->output.open && f->type == WIRE_OUT_MAIN_EXIT)
		return on_main_exit_frame(g, f, e);
	return err_set(e, EPROTO, "frame %s is out of place on the output connection",
		wire_type_name(f->type));
}

static void on_drained(struct framed *conn)
{
	struct guest *g = container_of(conn, struct guest, output.conn);

	acknowledge(g);
	input_pump(g);
}

static void on_end(struct framed *conn, int r, const struct err *e)
{
	struct guest *g = container_of(conn, struct guest, output.conn);

	if (r == -EPROTO)
		guest_log_why(g, "agent.error", "output", e->msg);
	closed(g, e->msg);
}

static void on_enter(struct framed *conn)
{
	guest_enter(container_of(conn, struct guest, output.conn));
}

static void on_leave(struct framed *conn)
{
	guest_leave(container_of(conn, struct guest, output.conn));
}

static const struct framed_ops output_ops = {
	.priority = -1, /* a flood waits for control and exec, not they for it */
	.queue_max = 2 * (WIRE_HEADER + WIRE_CHUNK),
	.rest = FLOOD_REST,
	.on_frame = on_frame,
	.on_batch = on_batch,
	.on_drained = on_drained,
	.on_end = on_end,
	.enter = on_enter,
	.leave = on_leave,
};

static void on_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct guest *g = w->data;

	(void)loop;
	(void)revents;
	guest_enter(g);
	if (g->output.refused) {
		framed_unhold(&g->output.conn);
	} else {
		framed_close(&g->output.conn);
		closed(g, "the agent sent no OUT_OPEN in time");
	}
	guest_leave(g);
}

static void on_accept(struct listener *l, int fd)
{
	struct guest *g = container_of(l, struct guest, output.listener);
	struct output *o = &g->output;

	guest_enter(g);
	if (framed_is_open(&o->conn)) {
		framed_close(&o->conn);
		closed(g, "replaced by a newer connection");
	}
	if (g->dead) {
		close(fd);
	} else {
		o->dials++;
		framed_open(&o->conn, g->loop, fd, &output_ops, false);
		set_limit(g, GUEST_STEP_S);
	}
	guest_leave(g);
}

int output_open(struct guest *g, const char *vsock_path, struct outlog *log, struct err *e)
{
	struct output *o = &g->output;
	autofree char *path = xasprintf("%s_%d", vsock_path, WIRE_PORT_OUTPUT);

	o->log = log;
	ev_init(&o->limit, on_limit);
	o->limit.data = g;
	return listener_open(&o->listener, g->loop, path, on_accept, e);
}

void output_close(struct guest *g)
{
	listener_close(&g->output.listener);
	if (!framed_is_open(&g->output.conn))
		return;
	framed_close(&g->output.conn);
	closed(g, "");
}
