/* From READY over HELLO and HELLO_ACK to SERVING: whose guest it is, and whether it has arrived. */
#include "backend/guest/guest_impl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"

static int ms_since(uint64_t ns)
{
	return (int)((mono_ns() - ns) / 1000000);
}

static int set_strv(struct wire_str *out, uint16_t *ret_n, uint16_t max, const char *const *v)
{
	uint16_t n = 0;

	for (; v && v[n]; n++) {
		size_t len = strlen(v[n]);

		if (n >= max || len > UINT16_MAX)
			return -EMSGSIZE;
		out[n] = (struct wire_str){.s = v[n], .len = (uint16_t)len};
	}
	*ret_n = n;
	return 0;
}

static struct wire_str text_of(const char *s, size_t max)
{
	return (struct wire_str){.s = s, .len = (uint16_t)strnlen(s, max)};
}

static int set_network(struct wire_network *out, const struct guest_network *n, struct err *e)
{
	if (!n)
		return 0;
	if (inet_pton(AF_INET, n->address, out->address) != 1 || n->bits > 32)
		return err_set(
			e, EINVAL, "'%.15s/%u' is no address for a guest", n->address, n->bits);
	if (*n->gateway && inet_pton(AF_INET, n->gateway, out->gateway) != 1)
		return err_set(e, EINVAL, "'%.15s' is no gateway for a guest", n->gateway);
	out->present = 1;
	out->bits = n->bits;
	out->mtu = n->mtu;
	for (int i = 0; i < n->dns_count && i < GUEST_DNS_MAX; i++)
		out->dns[out->dns_count++] = text_of(n->dns[i], WIRE_DNS_LEN);
	out->search = text_of(n->search, WIRE_SEARCH_MAX);
	return 0;
}

int control_make_hello(const struct guest *g, uint8_t *out, size_t cap, struct err *e)
{
	struct wire_hello *m = xcalloc(1, sizeof(*m));
	const char *name = g->id.hostname ? g->id.hostname : "";
	int r = set_network(&m->net, g->id.network, e);

	if (r < 0) {
		free(m);
		return r;
	}

	m->version = WIRE_VERSION;
	memcpy(m->instance, g->id.instance, WIRE_ID);
	memcpy(m->generation, g->id.generation, WIRE_ID);
	m->vitals_ms = g->id.vitals_ms;
	m->tty = g->id.tty;
	m->rows = g->id.rows;
	m->cols = g->id.cols;
	m->hostname = (struct wire_str){.s = name, .len = (uint16_t)strnlen(name, UINT16_MAX)};
	r = set_strv(m->argv, &m->argc, WIRE_ARGS_MAX, g->id.argv);
	if (!r)
		r = set_strv(m->env, &m->envc, WIRE_ENVS_MAX, g->id.env);
	random_bytes(m->entropy, WIRE_ENTROPY);
	m->wall_ns = wall_ns(); /* last: as fresh as can be */
	if (!r)
		r = wire_put_hello(out, cap, m);
	explicit_bzero(m, sizeof(*m));
	free(m);
	if (r < 0)
		return err_set(e, E2BIG,
			"the main command and environment are too long for the agent: at most %d "
			"arguments, %d variables and %d bytes in all",
			WIRE_ARGS_MAX, WIRE_ENVS_MAX, WIRE_PAYLOAD_MAX);
	return r;
}

static int send_hello(struct guest *g, struct err *e)
{
	struct control *c = &g->control;
	autofree uint8_t *b = xcalloc(1, WIRE_HEADER + WIRE_PAYLOAD_MAX);
	int n = control_make_hello(g, b, WIRE_HEADER + WIRE_PAYLOAD_MAX, e);

	if (n < 0)
		return n;
	c->hello_ns = mono_ns();
	(void)framed_send(&c->conn, b, (size_t)n); /* -EPIPE: on_end follows */
	explicit_bzero(b, (size_t)n);
	c->state = CONTROL_WAIT_ACK;
	control_limit(g, GUEST_STEP_S);
	return 0;
}

static void log_publish(struct guest *g)
{
	char fields[128], id[2 * WIRE_ID + 1];

	hex_encode(id, g->id.generation, WIRE_ID);
	snprintf(fields, sizeof(fields), "{\"generation\":\"%s\",\"dial\":%u}", id,
		g->control.dials);
	guest_log_limited(g, "epoch.publish", fields);
}

static void log_ready(struct guest *g, const struct wire_ready *m)
{
	autojson struct json_object *o = json_object_new_object();
	char id[2 * WIRE_ID + 1], agent[64], safe[128];

	snprintf(agent, sizeof(agent), "%.*s", (int)min_of(m->agent.len, 60), m->agent.s);
	jsonx_add_int(o, "dial", g->control.dials);
	hex_encode(id, m->boot, WIRE_ID);
	jsonx_add_str(o, "boot", id);
	hex_encode(id, m->generation, WIRE_ID);
	jsonx_add_str(o, "known_generation", id);
	jsonx_add_str(o, "agent", str_safe(safe, sizeof(safe), agent));
	jsonx_add_int(o, "uptime_ms", (int64_t)min_of(m->uptime_ns / 1000000, INT64_MAX));
	guest_log_limited(g, "agent.ready", jsonx_line(o));
}

int hello_on_ready(struct guest *g, const struct wire_frame *f, struct err *e)
{
	struct wire_ready m;
	int r;

	memset(&m, 0, sizeof(m));
	r = wire_get_ready(f, &m);
	if (r == -EPROTONOSUPPORT)
		return err_set(e, EPROTONOSUPPORT,
			"the agent speaks protocol version %" PRIu32 ", this program %d: build the "
			"image anew",
			m.version, WIRE_VERSION);
	if (r < 0)
		return err_set(e, EPROTO, "malformed READY");
	/* What a restored guest waits for goes first. */
	r = send_hello(g, e);
	log_ready(g, &m);
	if (!r)
		log_publish(g);
	return r;
}

static void log_ack(struct guest *g, const struct wire_hello_ack *m)
{
	static const char *const verdicts[] = {"booted", "resumed", "restored"};
	autojson struct json_object *o = json_object_new_object();
	char id[2 * WIRE_ID + 1], why[WIRE_WHY_MAX + 1], safe[sizeof(why)];

	_Static_assert(countof(verdicts) == WIRE_RESTORED + 1, "one name a verdict");
	hex_encode(id, m->generation, WIRE_ID);
	jsonx_add_str(o, "generation", id);
	jsonx_add_str(o, "verdict", verdicts[m->verdict]);
	jsonx_add_int(o, "ms", ms_since(g->control.hello_ns));
	jsonx_add_int(o, "rng_us", m->rng_us);
	jsonx_add_int(o, "clock_us", m->clock_us);
	jsonx_add_int(o, "identity_us", m->identity_us);
	jsonx_add_int(o, "network_us", m->network_us);
	jsonx_add_int(o, "sockets_us", m->sockets_us);
	jsonx_add_int(o, "total_us", m->total_us);
	jsonx_add_int(o, "clock_step_ms", m->clock_step_ns / 1000000);
	jsonx_add_int(o, "dial", g->control.dials);
	if (m->network == WIRE_NETWORK_FAILED) {
		snprintf(why, sizeof(why), "%.*s", (int)m->network_why.len, m->network_why.s);
		jsonx_add_str(o, "network_why", str_safe(safe, sizeof(safe), why));
	}
	guest_log_limited(g, "epoch.ack", jsonx_line(o));
}

int hello_on_ack(struct guest *g, const struct wire_frame *f, struct err *e)
{
	struct control *c = &g->control;
	struct wire_hello_ack m;

	if (wire_get_hello_ack(f, &m) < 0)
		return err_set(e, EPROTO, "malformed HELLO_ACK");
	if (memcmp(m.generation, g->id.generation, WIRE_ID) != 0)
		return err_set(e, EPROTO, "HELLO_ACK of another generation");
	c->state = CONTROL_SERVING;
	c->rebound = false;
	control_limit(g, GUEST_STEP_S); /* of SERVING */
	log_ack(g, &m);
	if (!g->dead && g->cb.on_ready)
		g->cb.on_ready(g, &m);
	return 0;
}

int hello_on_serving(struct guest *g, const struct wire_frame *f, struct err *e)
{
	struct control *c = &g->control;
	struct wire_serving m;
	char fields[160];

	if (wire_get_serving(f, &m) < 0)
		return err_set(e, EPROTO, "malformed SERVING");
	if (c->rebound)
		return err_set(e, EPROTO, "SERVING twice");
	c->rebound = true;
	control_limit(g, 0);
	snprintf(fields, sizeof(fields),
		"{\"dropped\":%" PRIu32 ",\"execs\":%" PRIu32 ",\"ms\":%d,\"guest_us\":%" PRIu32
		",\"dial\":%u}",
		m.dropped, m.execs, ms_since(c->hello_ns), m.us, c->dials);
	guest_log_limited(g, "rebind.done", fields);
	if (!g->dead && g->cb.on_serving)
		g->cb.on_serving(g, &m);
	return 0;
}
