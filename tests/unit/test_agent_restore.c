/* HELLO after a snapshot, as a real process: what a restored copy drops, what the source keeps, and
 * that nothing runs twice. The copy is an agent whose connections are still there: as hostile as
 * a VMM that forgets to reset them. */
// OBJS: tests/support/agent_client.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/agent_client.h"

/* Only to see that nothing comes. */
#define QUIET_MS 300
#define LONG_MS  60000

static struct agent_proc agent;

static void quiesce(uint32_t execs)
{
	struct wire_quiesced m;
	struct wire_frame f;
	uint8_t buf[32];

	peer_send(
		&agent.control, buf, (size_t)wire_put_u32(buf, sizeof(buf), WIRE_QUIESCE, LONG_MS));
	peer_expect(&agent.control, WIRE_QUIESCED, &f);
	assert_int_equal(wire_get_quiesced(&f, &m), 0);
	assert_int_equal(m.drained, 1);
	assert_int_equal(m.execs, execs);
}

static void hello(uint8_t generation, uint8_t verdict, uint32_t execs, uint32_t dropped)
{
	struct wire_hello_ack ack;
	struct wire_out_open open;

	peer_close(&agent.control);
	agent_hello(&agent, generation, NULL, false, &ack);
	assert_int_equal(ack.verdict, verdict);
	assert_int_equal(agent.serving.execs, execs);
	assert_int_equal(agent.serving.dropped, dropped);
	assert_true(agent.serving.us >= ack.total_us);
	/* The output was dialled before SERVING was said. */
	agent_output(&agent, &open);
	assert_int_equal(open.generation[0], generation);
}

/* A command that leaves a mark each time it runs. */
struct marked {
	char path[128], script[256];
	const char *argv[4];
	uint8_t id[WIRE_ID];
	struct exec_spec spec;
};

static void mark_init(struct marked *m, const char *name, const char *then)
{
	memset(m, 0, sizeof(*m));
	snprintf(m->path, sizeof(m->path), "%s/%s", agent.dir, name);
	snprintf(m->script, sizeof(m->script), "echo x >> %s; echo ran; %s", m->path, then);
	m->argv[0] = "sh";
	m->argv[1] = "-c";
	m->argv[2] = m->script;
	memset(m->id, name[0], WIRE_ID);
	m->spec = (struct exec_spec){.argv = m->argv, .id = m->id};
}

/* How often it ran; the mark is removed. */
static int mark_count(const struct marked *m)
{
	FILE *f = fopen(m->path, "r");
	int n = 0, c;

	if (!f)
		return 0;
	while ((c = getc(f)) != EOF)
		n += c == 'x';
	fclose(f);
	unlink(m->path);
	return n;
}

static void refused_as_seen(const struct marked *m)
{
	char why[256];
	struct peer p;

	exec_connect(&agent, &p);
	exec_send_req(&p, &m->spec);
	exec_expect_refused(&p, 125, why, sizeof(why));
	assert_non_null(strstr(why, "twice"));
}

/* One command in each phase: `waiting` sent REQ, `acked` has ACK and sends GO, `running` runs. */
struct phases {
	struct marked waiting, acked, running;
	struct peer p_waiting, p_acked, p_running;
	pid_t pid;
};

static struct phases ph;

static void phases_begin(void)
{
	struct wire_frame f;

	mark_init(&ph.waiting, "waiting", "exit 1");
	mark_init(&ph.acked, "acked", "exit 2");
	mark_init(&ph.running, "running", "sleep 1; exit 3");
	ph.pid = exec_start(&agent, &ph.p_running, &ph.running.spec);
	exec_wait_text(&ph.p_running, "ran");
	exec_connect(&agent, &ph.p_acked);
	exec_send_req(&ph.p_acked, &ph.acked.spec);
	peer_expect(&ph.p_acked, WIRE_ACK, &f);
	quiesce(2);
	peer_put(&ph.p_acked, WIRE_GO, NULL, 0);
	exec_connect(&agent, &ph.p_waiting);
	exec_send_req(&ph.p_waiting, &ph.waiting.spec);
	assert_int_equal(peer_next(&ph.p_acked, &f, QUIET_MS), -ETIMEDOUT);
	assert_int_equal(peer_next(&ph.p_waiting, &f, QUIET_MS), -ETIMEDOUT);
}

static void test_copy_drops_commands(void **state)
{
	(void)state;
	agent_up(&agent);
	phases_begin();
	/* A transport that is reset takes this one with it. */
	peer_close(&ph.p_waiting);
	hello(2, WIRE_RESTORED, 0, 2);
	peer_expect_end(&ph.p_acked);
	peer_expect_end(&ph.p_running);
	assert_true(pid_gone(ph.pid, CLIENT_MS));
	/* What ran before the snapshot is known here too. */
	refused_as_seen(&ph.running);
	assert_int_equal(mark_count(&ph.acked), 0);
	assert_int_equal(mark_count(&ph.waiting), 0);
	assert_int_equal(mark_count(&ph.running), 1);
	exec_expect(&agent, "echo served", "served\n");
	agent_stop(&agent);
}

/* Connections that are reset before the control connection, or while no host is known. */
static void test_reset_commands_are_counted(void **state)
{
	(void)state;
	agent_up(&agent);
	phases_begin();
	peer_close(&ph.p_waiting);
	peer_close(&ph.p_acked);
	peer_close(&ph.p_running);
	assert_true(pid_gone(ph.pid, CLIENT_MS));
	hello(2, WIRE_RESTORED, 0, 2);
	assert_int_equal(mark_count(&ph.acked), 0);
	assert_int_equal(mark_count(&ph.waiting), 0);
	assert_int_equal(mark_count(&ph.running), 1);
	/* The next one has lost none. */
	hello(3, WIRE_RESTORED, 0, 0);
	agent_stop(&agent);
}

/* All three go to their end, each once. */
static void source_goes_on(void)
{
	struct exec_result r;
	struct wire_frame f;

	peer_expect(&ph.p_waiting, WIRE_ACK, &f);
	peer_put(&ph.p_waiting, WIRE_GO, NULL, 0);
	peer_expect(&ph.p_waiting, WIRE_STARTED, &f);
	peer_expect(&ph.p_acked, WIRE_STARTED, &f);
	exec_finish(&ph.p_waiting, &r);
	assert_int_equal(r.value, 1);
	exec_finish(&ph.p_acked, &r);
	assert_int_equal(r.value, 2);
	exec_finish(&ph.p_running, &r);
	assert_int_equal(r.value, 3);
	refused_as_seen(&ph.waiting);
	refused_as_seen(&ph.acked);
	refused_as_seen(&ph.running);
	assert_int_equal(mark_count(&ph.waiting), 1);
	assert_int_equal(mark_count(&ph.acked), 1);
	assert_int_equal(mark_count(&ph.running), 1);
}

static void test_source_keeps_commands(void **state)
{
	uint8_t buf[32];

	(void)state;
	agent_up(&agent);
	phases_begin();
	peer_send(&agent.control, buf, (size_t)wire_put_u64(buf, sizeof(buf), WIRE_THAW, 1));
	peer_expect(&agent.control, WIRE_THAWED, &(struct wire_frame){0});
	source_goes_on();
	agent_stop(&agent);
}

/* A daemon that died between QUIESCE and THAW, and its successor. */
static void test_new_daemon_keeps_commands(void **state)
{
	(void)state;
	agent_up(&agent);
	phases_begin();
	hello(1, WIRE_RESUMED, 2, 0);
	source_goes_on();
	agent_stop(&agent);
}

/* Without a host, what was asked for does not begin. */
static void test_go_waits_for_hello(void **state)
{
	struct marked m;
	struct exec_result r;
	struct wire_frame f;
	struct peer p;

	(void)state;
	agent_up(&agent);
	mark_init(&m, "go", "exit 0");
	exec_connect(&agent, &p);
	exec_send_req(&p, &m.spec);
	peer_expect(&p, WIRE_ACK, &f);
	peer_close(&agent.control);
	/* READY is with us: the agent has noticed. */
	assert_true(peer_waits(agent.control_fd, CLIENT_MS));
	peer_put(&p, WIRE_GO, NULL, 0);
	assert_int_equal(peer_next(&p, &f, QUIET_MS), -ETIMEDOUT);
	hello(1, WIRE_RESUMED, 1, 0);
	peer_expect(&p, WIRE_STARTED, &f);
	exec_finish(&p, &r);
	assert_int_equal(mark_count(&m), 1);
	agent_stop(&agent);
}

/* A second HELLO on the same connection, of another generation, while quiesced. */
static void test_hello_on_the_same_connection(void **state)
{
	static struct wire_hello h;
	struct wire_hello_ack ack;
	struct wire_out_open open;
	struct wire_frame f;
	uint8_t buf[512];

	(void)state;
	agent_up(&agent);
	quiesce(0);
	h.version = WIRE_VERSION;
	memset(h.generation, 5, WIRE_ID);
	peer_send(&agent.control, buf, (size_t)wire_put_hello(buf, sizeof(buf), &h));
	peer_expect(&agent.control, WIRE_HELLO_ACK, &f);
	assert_int_equal(wire_get_hello_ack(&f, &ack), 0);
	assert_int_equal(ack.verdict, WIRE_RESTORED);
	peer_expect(&agent.control, WIRE_SERVING, &f);
	agent_output(&agent, &open);
	assert_int_equal(open.generation[0], 5);
	exec_expect(&agent, "echo served", "served\n");
	agent_stop(&agent);
}

/* While quiesced a lost output connection is not dialled again: in a copy, HELLO comes first. */
static void test_output_waits_for_hello(void **state)
{
	struct wire_out_open open;
	uint8_t buf[32];

	(void)state;
	agent_up(&agent);
	quiesce(0);
	peer_close(&agent.output);
	assert_false(peer_waits(agent.output_fd, QUIET_MS));
	hello(7, WIRE_RESTORED, 0, 0);
	/* The source dials when it is thawed. */
	quiesce(0);
	peer_close(&agent.output);
	assert_false(peer_waits(agent.output_fd, QUIET_MS));
	peer_send(&agent.control, buf, (size_t)wire_put_u64(buf, sizeof(buf), WIRE_THAW, 1));
	agent_output(&agent, &open);
	agent_stop(&agent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy_drops_commands),
		cmocka_unit_test(test_reset_commands_are_counted),
		cmocka_unit_test(test_source_keeps_commands),
		cmocka_unit_test(test_new_daemon_keeps_commands),
		cmocka_unit_test(test_go_waits_for_hello),
		cmocka_unit_test(test_hello_on_the_same_connection),
		cmocka_unit_test(test_output_waits_for_hello),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
