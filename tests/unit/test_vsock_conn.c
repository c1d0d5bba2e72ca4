// LIBS: vsock
/* Credit arithmetic both ways, across 2^32, and the connection table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "backend/base/util.h"
#include "backend/vsock/limits.h"
#include "backend/vsock/table.h"

static void learn(struct conn *c, uint32_t alloc, uint32_t fwd)
{
	struct packet p = {.buf_alloc = alloc, .fwd_cnt = fwd};

	conn_learn(c, &p);
}

static void test_credit_to_guest(void **state)
{
	struct conn c;

	(void)state;
	conn_init(&c, 1, 2, VSOCK_BUF_BIG);
	assert_int_equal(conn_credit(&c), 0); /* nothing is known yet */
	learn(&c, 1000, 0);
	assert_int_equal(conn_credit(&c), 1000);
	c.tx_cnt = 600;
	assert_int_equal(conn_credit(&c), 400);
	learn(&c, 1000, 600);
	assert_int_equal(conn_credit(&c), 1000);
	/* The guest shrinks its buffer below what is under way. */
	c.tx_cnt = 1500;
	learn(&c, 100, 600);
	assert_int_equal(conn_credit(&c), 0);
	learn(&c, 0, 1500);
	assert_int_equal(conn_credit(&c), 0);
	learn(&c, UINT32_MAX, 1500);
	assert_int_equal(conn_credit(&c), UINT32_MAX);
	/* It claims to have consumed what was never sent, or goes back: no credit from that. */
	learn(&c, 1000, 1501);
	assert_int_equal(conn_credit(&c), 0);
	learn(&c, 1000, 400);
	assert_int_equal(conn_credit(&c), 0);
	conn_fini(&c);
}

static void test_credit_wraps(void **state)
{
	struct conn c;
	uint64_t sent = 0xfffff000, consumed = sent;

	(void)state;
	conn_init(&c, 1, 2, VSOCK_BUF_BIG);
	c.tx_cnt = (uint32_t)sent;
	learn(&c, 5000, (uint32_t)consumed);
	for (unsigned i = 0; i < 100; i++) {
		uint32_t n = 1 + i * 37 % 5000;

		n = min_of(n, conn_credit(&c));
		c.tx_cnt += n;
		sent += n;
		assert_int_equal(conn_credit(&c), 5000 - (sent - consumed));
		consumed += (sent - consumed) / 2;
		learn(&c, 5000, (uint32_t)consumed);
		assert_int_equal(conn_credit(&c), 5000 - (sent - consumed));
	}
	assert_true(sent > UINT32_MAX);
	conn_fini(&c);
}

static void test_room_for_guest(void **state)
{
	struct conn c;

	(void)state;
	conn_init(&c, 1, 2, VSOCK_BUF_SMALL);
	assert_int_equal(conn_room(&c), VSOCK_BUF_SMALL);
	/* Start short of the wrap. */
	c.rx_cnt = c.fwd_cnt = c.fwd_told = UINT32_MAX - 100;
	assert_int_equal(conn_room(&c), VSOCK_BUF_SMALL);
	c.rx_cnt += VSOCK_BUF_SMALL;
	assert_int_equal(conn_room(&c), 0);
	assert_false(conn_owes_credit(&c));
	c.fwd_cnt += VSOCK_BUF_SMALL / 4 - 1;
	assert_false(conn_owes_credit(&c));
	c.fwd_cnt += 1;
	assert_true(conn_owes_credit(&c));
	assert_int_equal(conn_room(&c), VSOCK_BUF_SMALL / 4);
	conn_fini(&c);
}

static void test_table(void **state)
{
	static struct table t;
	struct conn *c[VSOCK_CONNS_MAX];

	(void)state;
	table_init(&t);
	for (uint32_t i = 0; i < VSOCK_CONNS_MAX; i++) {
		/* Equal in one port or the other, so that buckets are shared. */
		c[i] = table_add(&t, i % 3, i);
		assert_non_null(c[i]);
		assert_int_equal(
			c[i]->buf_alloc, i < VSOCK_CONNS_BIG ? VSOCK_BUF_BIG : VSOCK_BUF_SMALL);
	}
	assert_null(table_add(&t, 99, 99));
	for (uint32_t i = 0; i < VSOCK_CONNS_MAX; i++)
		assert_ptr_equal(table_find(&t, i % 3, i), c[i]);
	assert_null(table_find(&t, 3, 0));
	table_unhash(&t, c[7]);
	table_unhash(&t, c[7]);
	assert_null(table_find(&t, 7 % 3, 7));
	assert_int_equal(t.count, VSOCK_CONNS_MAX);
	for (uint32_t i = 0; i < VSOCK_CONNS_MAX; i++) {
		table_remove(&t, c[i]);
		conn_fini(c[i]);
		free(c[i]);
	}
	assert_int_equal(t.count, 0);
	assert_true(list_empty(&t.all));
}

static void test_ports(void **state)
{
	static struct table t;
	struct conn *c;

	(void)state;
	table_init(&t);
	assert_int_equal(table_new_port(&t, 52), 1u << 30);
	assert_int_equal(table_new_port(&t, 52), (1u << 30) + 1);
	/* At the end it starts over, and passes over one in use. */
	t.next_port = (1u << 31) - 1;
	c = table_add(&t, 1u << 30, 52);
	assert_int_equal(table_new_port(&t, 52), (1u << 31) - 1);
	assert_int_equal(table_new_port(&t, 52), (1u << 30) + 1);
	table_remove(&t, c);
	conn_fini(c);
	free(c);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(conn_state_name(CONN_REQUESTED), "requested");
	assert_string_equal(conn_state_name(CONN_GONE), "gone");
	assert_string_equal(conn_state_name(CONN__COUNT), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_credit_to_guest),
		cmocka_unit_test(test_credit_wraps),
		cmocka_unit_test(test_room_for_guest),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("vsock_conn", tests, NULL, NULL);
}
