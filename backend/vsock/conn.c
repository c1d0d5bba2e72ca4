/* Connection arithmetic: all counters run mod 2^32, only differences mean something. */
#include "backend/vsock/conn.h"

#include <string.h>

#include "backend/base/util.h"

void conn_init(struct conn *c, uint32_t host_port, uint32_t guest_port, uint32_t buf_alloc)
{
	memset(c, 0, sizeof(*c));
	list_init(&c->node);
	list_init(&c->ready);
	list_init(&c->dirty);
	list_init(&c->timer);
	c->host_port = host_port;
	c->guest_port = guest_port;
	c->buf_alloc = buf_alloc;
}

void conn_fini(struct conn *c)
{
	list_del(&c->node);
	list_del(&c->ready);
	list_del(&c->dirty);
	list_del(&c->timer);
	obuf_fini(&c->out);
}

void conn_learn(struct conn *c, const struct packet *p)
{
	c->peer_alloc = p->buf_alloc;
	c->peer_fwd = p->fwd_cnt;
	if (conn_credit(c) > 0)
		c->asked = false;
}

uint32_t conn_credit(const struct conn *c)
{
	uint32_t under_way = c->tx_cnt - c->peer_fwd;

	return under_way < c->peer_alloc ? c->peer_alloc - under_way : 0;
}

uint32_t conn_room(const struct conn *c)
{
	uint32_t held = c->rx_cnt - c->fwd_cnt;

	return held < c->buf_alloc ? c->buf_alloc - held : 0;
}

bool conn_owes_credit(const struct conn *c)
{
	return c->fwd_cnt - c->fwd_told >= c->buf_alloc / 4;
}

bool conn_wants_data(const struct conn *c)
{
	return c->state == CONN_OPEN && c->readable && !c->host_eof &&
	       !(c->guest_shut & PACKET_SHUT_RCV);
}

unsigned conn_shut_flags(const struct conn *c)
{
	if (c->state == CONN_CLOSING)
		return PACKET_SHUT_BOTH;
	return (c->host_eof ? PACKET_SHUT_SEND : 0) | (c->host_deaf ? PACKET_SHUT_RCV : 0);
}

const char *conn_state_name(enum conn_state s)
{
	static const char *const names[] = {
		"requested",
		"open",
		"draining",
		"closing",
		"resetting",
		"gone",
	};

	_Static_assert(countof(names) == CONN__COUNT, "a name for every state");
	return s < CONN__COUNT ? names[s] : "?";
}
