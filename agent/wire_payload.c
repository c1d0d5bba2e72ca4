/* The structured payloads of wire.h, field by field. No I/O, no allocation. */
#include "agent/wire.h"

#include "agent/wire_cur.h"

/* The room that a whole payload leaves is the limit of arguments and variables. */
#define ARG_MAX_BYTES UINT16_MAX

static void out_strv(struct wire_out *o, const struct wire_str *v, uint16_t n, uint16_t max)
{
	if (!o->bad && n > max)
		o->bad = -EMSGSIZE;
	out_int(o, n, 2);
	for (uint16_t i = 0; !o->bad && i < n; i++)
		out_str(o, &v[i], ARG_MAX_BYTES);
}

static void in_strv(struct wire_in *in, struct wire_str *v, uint16_t *ret_n, uint16_t max)
{
	uint16_t n = (uint16_t)in_max(in, 2, max);

	for (uint16_t i = 0; i < n; i++)
		in_str(in, &v[i], ARG_MAX_BYTES);
	*ret_n = in->bad ? 0 : n;
}

/* The version is the first field of READY and HELLO in every version, so that a peer of another one
 * can be told which it is. */
static int in_version(struct wire_in *in, uint32_t *version)
{
	*version = (uint32_t)in_int(in, 4);
	if (in->bad)
		return -EPROTO;
	return *version == WIRE_VERSION ? 0 : -EPROTONOSUPPORT;
}

int wire_put_ready(void *out, size_t cap, const struct wire_ready *m)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_int(&o, m->version, 4);
	out_bytes(&o, m->boot, WIRE_ID);
	out_bytes(&o, m->generation, WIRE_ID);
	out_int(&o, m->uptime_ns, 8);
	out_str(&o, &m->agent, WIRE_STR_MAX);
	return out_end(&o, WIRE_READY);
}

int wire_get_ready(const struct wire_frame *f, struct wire_ready *m)
{
	struct wire_in in;
	int r;

	in_begin(&in, f);
	r = in_version(&in, &m->version);
	if (r < 0)
		return r;
	in_bytes(&in, m->boot, WIRE_ID);
	in_bytes(&in, m->generation, WIRE_ID);
	m->uptime_ns = in_int(&in, 8);
	in_str(&in, &m->agent, WIRE_STR_MAX);
	return in_end(&in);
}

static void out_network(struct wire_out *o, const struct wire_network *n)
{
	out_int(o, n->present ? 1 : 0, 1);
	if (!n->present)
		return;
	if (!o->bad && (n->bits > 32 || n->dns_count > WIRE_DNS_MAX))
		o->bad = -EMSGSIZE;
	out_bytes(o, n->address, sizeof(n->address));
	out_int(o, n->bits, 1);
	out_bytes(o, n->gateway, sizeof(n->gateway));
	out_int(o, n->mtu, 2);
	out_int(o, n->dns_count, 1);
	for (uint8_t i = 0; !o->bad && i < n->dns_count; i++)
		out_str(o, &n->dns[i], WIRE_DNS_LEN);
	out_str(o, &n->search, WIRE_SEARCH_MAX);
}

static void in_network(struct wire_in *in, struct wire_network *n)
{
	memset(n, 0, sizeof(*n));
	n->present = (uint8_t)in_max(in, 1, 1);
	if (!n->present)
		return;
	in_bytes(in, n->address, sizeof(n->address));
	n->bits = (uint8_t)in_max(in, 1, 32);
	in_bytes(in, n->gateway, sizeof(n->gateway));
	n->mtu = (uint16_t)in_int(in, 2);
	n->dns_count = (uint8_t)in_max(in, 1, WIRE_DNS_MAX);
	for (uint8_t i = 0; i < n->dns_count; i++)
		in_str(in, &n->dns[i], WIRE_DNS_LEN);
	in_str(in, &n->search, WIRE_SEARCH_MAX);
}

int wire_put_hello(void *out, size_t cap, const struct wire_hello *m)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_int(&o, m->version, 4);
	out_bytes(&o, m->instance, WIRE_ID);
	out_bytes(&o, m->generation, WIRE_ID);
	out_int(&o, m->wall_ns, 8);
	out_bytes(&o, m->entropy, WIRE_ENTROPY);
	out_int(&o, m->vitals_ms, 4);
	out_int(&o, m->tty ? 1 : 0, 1);
	out_int(&o, m->rows, 2);
	out_int(&o, m->cols, 2);
	out_str(&o, &m->hostname, WIRE_STR_MAX);
	out_strv(&o, m->argv, m->argc, WIRE_ARGS_MAX);
	out_strv(&o, m->env, m->envc, WIRE_ENVS_MAX);
	out_network(&o, &m->net);
	return out_end(&o, WIRE_HELLO);
}

int wire_get_hello(const struct wire_frame *f, struct wire_hello *m)
{
	struct wire_in in;
	int r;

	in_begin(&in, f);
	r = in_version(&in, &m->version);
	if (r < 0)
		return r;
	in_bytes(&in, m->instance, WIRE_ID);
	in_bytes(&in, m->generation, WIRE_ID);
	m->wall_ns = in_int(&in, 8);
	in_bytes(&in, m->entropy, WIRE_ENTROPY);
	m->vitals_ms = (uint32_t)in_int(&in, 4);
	m->tty = (uint8_t)in_max(&in, 1, 1);
	m->rows = (uint16_t)in_int(&in, 2);
	m->cols = (uint16_t)in_int(&in, 2);
	in_str(&in, &m->hostname, WIRE_STR_MAX);
	in_strv(&in, m->argv, &m->argc, WIRE_ARGS_MAX);
	in_strv(&in, m->env, &m->envc, WIRE_ENVS_MAX);
	in_network(&in, &m->net);
	return in_end(&in);
}

int wire_put_hello_ack(void *out, size_t cap, const struct wire_hello_ack *m)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_bytes(&o, m->generation, WIRE_ID);
	out_int(&o, m->verdict, 1);
	out_int(&o, m->rng_us, 4);
	out_int(&o, m->clock_us, 4);
	out_int(&o, m->identity_us, 4);
	out_int(&o, m->sockets_us, 4);
	out_int(&o, m->total_us, 4);
	out_int(&o, (uint64_t)m->clock_step_ns, 8);
	out_int(&o, m->uptime_ns, 8);
	out_int(&o, m->network, 1);
	out_int(&o, m->network_us, 4);
	out_str(&o, &m->network_why, WIRE_WHY_MAX);
	return out_end(&o, WIRE_HELLO_ACK);
}

int wire_get_hello_ack(const struct wire_frame *f, struct wire_hello_ack *m)
{
	struct wire_in in;

	in_begin(&in, f);
	in_bytes(&in, m->generation, WIRE_ID);
	m->verdict = (uint8_t)in_max(&in, 1, WIRE_RESTORED);
	m->rng_us = (uint32_t)in_int(&in, 4);
	m->clock_us = (uint32_t)in_int(&in, 4);
	m->identity_us = (uint32_t)in_int(&in, 4);
	m->sockets_us = (uint32_t)in_int(&in, 4);
	m->total_us = (uint32_t)in_int(&in, 4);
	m->clock_step_ns = (int64_t)in_int(&in, 8);
	m->uptime_ns = in_int(&in, 8);
	m->network = (uint8_t)in_max(&in, 1, WIRE_NETWORK_FAILED);
	m->network_us = (uint32_t)in_int(&in, 4);
	in_str(&in, &m->network_why, WIRE_WHY_MAX);
	return in_end(&in);
}

int wire_put_serving(void *out, size_t cap, const struct wire_serving *m)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_int(&o, m->execs, 4);
	out_int(&o, m->dropped, 4);
	out_int(&o, m->us, 4);
	return out_end(&o, WIRE_SERVING);
}

int wire_get_serving(const struct wire_frame *f, struct wire_serving *m)
{
	struct wire_in in;

	in_begin(&in, f);
	m->execs = (uint32_t)in_int(&in, 4);
	m->dropped = (uint32_t)in_int(&in, 4);
	m->us = (uint32_t)in_int(&in, 4);
	return in_end(&in);
}

int wire_put_quiesced(void *out, size_t cap, const struct wire_quiesced *m)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_int(&o, m->drained ? 1 : 0, 1);
	out_int(&o, m->us, 4);
	out_int(&o, m->execs, 4);
	out_int(&o, m->next, 8);
	return out_end(&o, WIRE_QUIESCED);
}

int wire_get_quiesced(const struct wire_frame *f, struct wire_quiesced *m)
{
	struct wire_in in;

	in_begin(&in, f);
	m->drained = (uint8_t)in_max(&in, 1, 1);
	m->us = (uint32_t)in_int(&in, 4);
	m->execs = (uint32_t)in_int(&in, 4);
	m->next = in_int(&in, 8);
	return in_end(&in);
}

int wire_put_thawed(void *out, size_t cap, uint8_t in_time, int64_t clock_step_ns)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_int(&o, in_time ? 1 : 0, 1);
	out_int(&o, (uint64_t)clock_step_ns, 8);
	return out_end(&o, WIRE_THAWED);
}

int wire_get_thawed(const struct wire_frame *f, uint8_t *in_time, int64_t *clock_step_ns)
{
	struct wire_in in;

	in_begin(&in, f);
	*in_time = (uint8_t)in_max(&in, 1, 1);
	*clock_step_ns = (int64_t)in_int(&in, 8);
	return in_end(&in);
}

int wire_put_vitals(void *out, size_t cap, const struct wire_vitals *m)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_int(&o, m->uptime_ns, 8);
#define X(field, help) out_int(&o, m->field, 8);
	WIRE_VITALS(X)
#undef X
	out_str(&o, &m->why, WIRE_STR_MAX);
	return out_end(&o, WIRE_VITALS);
}

int wire_get_vitals(const struct wire_frame *f, struct wire_vitals *m)
{
	struct wire_in in;

	in_begin(&in, f);
	m->uptime_ns = in_int(&in, 8);
#define X(field, help) m->field = in_int(&in, 8);
	WIRE_VITALS(X)
#undef X
	in_str(&in, &m->why, WIRE_STR_MAX);
	return in_end(&in);
}

int wire_put_out_open(void *out, size_t cap, const struct wire_out_open *m)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_bytes(&o, m->stream, WIRE_ID);
	out_bytes(&o, m->generation, WIRE_ID);
	out_int(&o, m->first, 8);
	out_int(&o, m->next, 8);
	out_int(&o, m->main_state, 1);
	return out_end(&o, WIRE_OUT_OPEN);
}

int wire_get_out_open(const struct wire_frame *f, struct wire_out_open *m)
{
	struct wire_in in;

	in_begin(&in, f);
	in_bytes(&in, m->stream, WIRE_ID);
	in_bytes(&in, m->generation, WIRE_ID);
	m->first = in_int(&in, 8);
	m->next = in_int(&in, 8);
	m->main_state = (uint8_t)in_max(&in, 1, 2);
	if (m->first > m->next)
		return -EPROTO;
	return in_end(&in);
}

int wire_put_exec_req(void *out, size_t cap, const struct wire_exec_req *m)
{
	struct wire_out o;

	out_begin(&o, out, cap);
	out_bytes(&o, m->id, WIRE_ID);
	out_int(&o, m->flags, 1);
	out_int(&o, m->rows, 2);
	out_int(&o, m->cols, 2);
	out_str(&o, &m->cwd, WIRE_STR_MAX);
	out_str(&o, &m->user, WIRE_STR_MAX);
	out_strv(&o, m->argv, m->argc, WIRE_ARGS_MAX);
	out_strv(&o, m->env, m->envc, WIRE_ENVS_MAX);
	return out_end(&o, WIRE_REQ);
}

int wire_get_exec_req(const struct wire_frame *f, struct wire_exec_req *m)
{
	struct wire_in in;

	in_begin(&in, f);
	in_bytes(&in, m->id, WIRE_ID);
	m->flags = (uint8_t)in_max(&in, 1, WIRE_REQ_STDIN | WIRE_REQ_TTY);
	m->rows = (uint16_t)in_int(&in, 2);
	m->cols = (uint16_t)in_int(&in, 2);
	in_str(&in, &m->cwd, WIRE_STR_MAX);
	in_str(&in, &m->user, WIRE_STR_MAX);
	in_strv(&in, m->argv, &m->argc, WIRE_ARGS_MAX);
	in_strv(&in, m->env, &m->envc, WIRE_ENVS_MAX);
	if (!in.bad && !m->argc)
		return -EPROTO;
	return in_end(&in);
}

int wire_put_refused(void *out, size_t cap, uint8_t code, const char *why)
{
	size_t n = strnlen(why, WIRE_STR_MAX);
	struct wire_str s = {.s = why, .len = (uint16_t)n};
	struct wire_out o;

	out_begin(&o, out, cap);
	out_int(&o, code, 1);
	out_str(&o, &s, WIRE_STR_MAX);
	return out_end(&o, WIRE_REFUSED);
}

int wire_get_refused(const struct wire_frame *f, uint8_t *ret_code, struct wire_str *ret_why)
{
	struct wire_in in;

	in_begin(&in, f);
	*ret_code = (uint8_t)in_int(&in, 1);
	in_str(&in, ret_why, WIRE_STR_MAX);
	return in_end(&in);
}
