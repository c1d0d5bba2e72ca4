// LIBS: vm net health snapshot guest image vmm base
// OBJS: tests/support/looptest.c tests/support/vmm_script.c tests/support/vm_world.c
/* Health beside the life of a VM: its checks follow its agent, its state and its end. The VMM is
 * scripted, the agent is the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tests/support/vm_world.h"

static struct peer agent;
static struct vm *asked_for;

static int open_socket(void *user, int family, int type, struct err *e)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	asked_for = user;
	return fd < 0 ? err_errno(e, "socket") : fd;
}

static int setup(void **state)
{
	asked_for = NULL;
	return w_setup(state);
}

static struct vm *boot(const char *key, const char *value, const char *limit, struct told *t)
{
	struct vm_spec spec = {.driver = vmm_drivers[0], .vcpus = 1, .mem_mib = 64};
	struct vm *vm;

	snprintf(spec.name, sizeof(spec.name), "a");
	snprintf(spec.image, sizeof(spec.image), "mini");
	spec.kernel = xstrdup("/kernel");
	spec.initrd = xstrdup("/initrd");
	if (key)
		assert_int_equal(health_spec_set(&spec.health, key, value, NULL), 0);
	if (limit)
		assert_int_equal(health_spec_set(&spec.health, "start_limit", limit, NULL), 0);
	spec.health.interval = 0.1;
	assert_int_equal(vm_boot(&w_host, &spec, t ? w_tell : NULL, t, NULL), 0);
	assert_int_equal(vm_find(&w_host, "a", &vm, NULL), 0);
	return vm;
}

/* The agent dials and serves. */
static void serve(struct vm *vm)
{
	struct wire_ready ready = {.version = WIRE_VERSION, .uptime_ns = 5, .agent = {"t1", 2}};
	struct wire_hello_ack ack = {.verdict = WIRE_BOOTED, .total_us = 7};
	const struct wire_serving serving = {.us = 9};
	autofree char *path = xasprintf("%s_%d", vm->vsock_path, WIRE_PORT_CONTROL);
	uint8_t b[256];
	int n;

	peer_dial(&agent, path);
	peer_put(&agent, wire_put_ready(b, sizeof(b), &ready), b);
	peer_expect(&agent, WIRE_HELLO);
	memcpy(ack.generation, vm->generation, WIRE_ID);
	n = wire_put_hello_ack(b, sizeof(b), &ack);
	peer_put(&agent, n + wire_put_serving(b + n, sizeof(b) - (size_t)n, &serving), b);
	T_UNTIL(guest_connected(vm->guest), "SERVING");
}

static void pong(void)
{
	uint8_t b[64];
	uint64_t nonce;

	peer_expect(&agent, WIRE_PING);
	assert_int_equal(wire_get_u64(&agent.f, &nonce), 0);
	peer_put(&agent, wire_put_pong(b, sizeof(b), nonce, 1, 0), b);
}

static void until(const struct vm *vm, enum health_state s)
{
	T_UNTIL(vm->health.state == s, health_state_names[s]);
}

/* Running, and its agent answered the first check. */
static struct vm *healthy(void)
{
	struct vm *vm = boot(NULL, NULL, NULL, NULL);

	script_answer(0);
	serve(vm);
	assert_int_equal(vm->state, VM_RUNNING);
	pong();
	until(vm, HEALTH_HEALTHY);
	return vm;
}

/* ---- the agent ------------------------------------------------------------------------------- */

static void test_agent_lost(void **state)
{
	struct vm *vm = healthy();

	(void)state;
	/* In the middle of a check, and between two. */
	peer_expect(&agent, WIRE_PING);
	peer_close(&agent);
	until(vm, HEALTH_UNREACHABLE);
	assert_string_equal(vm->health.reason, "agent connection lost");
	assert_null(vm->health.probe);
	serve(vm);
	pong();
	until(vm, HEALTH_HEALTHY);
	peer_close(&agent);
	until(vm, HEALTH_UNREACHABLE);
	assert_false(ev_is_active(&vm->health.timer)); /* nothing is asked until it is back */
	assert_int_equal(vm_kill(vm, NULL, NULL, NULL), 0);
	script_exit("killed");
	assert_int_equal(vm->health.state, HEALTH_STOPPED);
}

static void test_paused(void **state)
{
	struct vm *vm = healthy();

	(void)state;
	script_state(VMM_PAUSED);
	assert_int_equal(vm->health.state, HEALTH_UNKNOWN);
	assert_string_equal(vm->health.reason, "paused");
	peer_close(&agent); /* is not what it is paused for */
	T_UNTIL(!guest_connected(vm->guest), "the lost connection");
	assert_int_equal(vm->health.state, HEALTH_UNKNOWN);
	script_state(VMM_RUNNING);
	assert_int_equal(vm->health.state, HEALTH_UNREACHABLE);
	serve(vm);
	pong();
	until(vm, HEALTH_HEALTHY);
	peer_close(&agent);
}

static void test_vmm_gone_within_a_check(void **state)
{
	struct vm *vm = healthy();

	(void)state;
	peer_expect(&agent, WIRE_PING);
	script_exit("killed by signal 9");
	assert_int_equal(vm->state, VM_FAILED);
	assert_int_equal(vm->health.state, HEALTH_UNREACHABLE);
	assert_non_null(strstr(vm->health.reason, "killed by signal 9"));
	peer_close(&agent);
}

static void test_daemon_ends_within_a_check(void **state)
{
	(void)healthy();
	(void)state;
	peer_expect(&agent, WIRE_PING);
	w_close();
	peer_close(&agent);
	w_open();
}

/* ---- the start limit ------------------------------------------------------------------------- */

static void test_start_limit(void **state)
{
	struct told t = {0};
	struct vm *vm = boot(NULL, NULL, "0.2", &t);

	(void)state;
	script_answer(0);
	serve(vm);
	assert_int_equal(vm->state, VM_STARTING); /* until it is healthy */
	T_UNTIL(t.times, "the limit");
	assert_int_equal(t.r, -ETIMEDOUT);
	assert_false(t.with_vm);
	assert_non_null(
		strstr(t.text, "not healthy within its start limit of 0.2 s and was killed"));
	assert_int_equal(w_host.count, 0);
	peer_close(&agent);
}

static void test_start_limit_kept(void **state)
{
	struct told t = {0};
	struct vm *vm = boot(NULL, NULL, "20", &t);

	(void)state;
	script_answer(0);
	serve(vm);
	peer_expect(&agent, WIRE_PING);
	peer_close(&agent); /* also when the agent dials anew meanwhile */
	until(vm, HEALTH_UNREACHABLE);
	assert_int_equal(t.times, 0);
	serve(vm);
	pong();
	T_UNTIL(t.times, "the boot");
	assert_int_equal(t.r, 0);
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(vm->health.state, HEALTH_HEALTHY);
	peer_close(&agent);
}

/* ---- the network ----------------------------------------------------------------------------- */

static int listen_on_loopback(char out[32])
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(out, 32, "127.0.0.1:%d", ntohs(at.sin_port));
	return fd;
}

static void test_port_of_the_guest(void **state)
{
	char at[32];
	int server = listen_on_loopback(at);
	struct vm *vm;

	(void)state;
	w_host.cb.open_socket = open_socket;
	vm = boot("tcp", at, NULL, NULL);
	assert_int_equal(vm_health_check(&w_host, &vm->spec, NULL), 0);
	script_answer(0);
	serve(vm);
	until(vm, HEALTH_HEALTHY);
	assert_ptr_equal(asked_for, vm);
	close(server);
	until(vm, HEALTH_UNHEALTHY);
	assert_non_null(strstr(vm->health.reason, "Connection refused"));
	/* What a copy without a network falls back to. */
	vm_health_fit(vm);
	assert_int_equal(vm->spec.health.kind, HEALTH_TCP);
	w_host.cb.open_socket = NULL;
	health_keep(&vm->health);
	vm_health_fit(vm);
	assert_int_equal(vm->spec.health.kind, HEALTH_AGENT);
	peer_close(&agent);
}

static void test_no_network(void **state)
{
	struct vm_spec spec = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(vm_health_check(&w_host, &spec, &e), 0);
	assert_int_equal(health_spec_set(&spec.health, "tcp", "80", NULL), 0);
	assert_int_equal(vm_health_check(&w_host, &spec, &e), -EINVAL);
	assert_string_equal(e.msg, "VM has no network: give it --net");
	vm_spec_fini(&spec);
}

/* ---- a new daemon ---------------------------------------------------------------------------- */

static void test_spec_outlives_the_daemon(void **state)
{
	struct vm *vm = boot("exec", "echo up", NULL, NULL);
	struct json_object *o;

	(void)state;
	script_answer(0);
	serve(vm);
	assert_int_equal(vm->state, VM_RUNNING);
	script_exit("gone");
	peer_close(&agent);
	w_close();
	w_open();
	assert_int_equal(vm_find(&w_host, "a", &vm, NULL), 0);
	o = health_to_json(&vm->health);
	assert_string_equal(jsonx_str(o, "state"), "unreachable");
	assert_string_equal(jsonx_str(o, "probe"), "exec");
	assert_string_equal(jsonx_str(o, "target"), "echo up");
	json_object_put(o);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, w_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_agent_lost),
		T(test_paused),
		T(test_vmm_gone_within_a_check),
		T(test_daemon_ends_within_a_check),
		T(test_start_limit),
		T(test_start_limit_kept),
		T(test_port_of_the_guest),
		T(test_no_network),
		T(test_spec_outlives_the_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
