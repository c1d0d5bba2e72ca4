/* The network that HELLO asks for, set up by the real agent as a process in a network namespace of
 * this test's own; and what a restored copy ends. */
// OBJS: tests/support/agent_client.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/agent_client.h"

#define WORLD "10.0.2.1"
#define GUEST "10.0.2.100"
#define FIRST "# written by vmdeck-agent at each boot and restore\n"

static const char *const sleeper[] = {"sleep", "100000", NULL};
static struct agent_proc agent;
static struct wire_hello_ack ack;
static char etc[64], path[128];
static bool alone; /* in a namespace of our own */

static void run(const char *command)
{
	int status = system(command);

	if (status)
		fail_msg("'%s' ended with %d", command, status);
}

/* What a command prints, until the next call. */
static const char *say(const char *command)
{
	static char text[8192];
	FILE *f = popen(command, "r");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	pclose(f);
	return text;
}

static const char *slurp(const char *name)
{
	static char text[4096];
	FILE *f = fopen(name, "r");
	size_t n;

	if (!f)
		return NULL;
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = 0;
	fclose(f);
	return text;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static struct wire_str str(const char *s)
{
	return (struct wire_str){.s = s, .len = (uint16_t)strlen(s)};
}

/* The other end of the cable, in a namespace of its own, listening on port 80. */
struct world {
	pid_t pid;
	int fd; /* socket pair with it */
};
static struct world world;

static void world_run(int fd)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(80)};
	int l, c;
	char b;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Not the agent's connections, which would stay open here. */
	fd = dup2(fd, 3);
	close_range(4, UINT_MAX, 0);
	/* The other end of the cable is ours; then we listen. */
	if (unshare(CLONE_NEWNET) < 0 || write(fd, "1", 1) != 1 || read(fd, &b, 1) != 1 ||
		system("busybox ip addr add " WORLD "/24 dev veth0 && "
		       "busybox ip link set veth0 up"))
		_exit(1);
	inet_pton(AF_INET, WORLD, &sa.sin_addr);
	l = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(l, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(l, 8) < 0 ||
		write(fd, "2", 1) != 1)
		_exit(2);
	while ((c = accept(l, NULL, NULL)) >= 0)
		;
	_exit(3);
}

/* eth0, with the world at its other end. */
static void world_begin(struct world *w)
{
	char command[128], b;
	int pair[2];

	run("busybox ip link add name eth0 type veth");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	w->pid = fork();
	assert_true(w->pid >= 0);
	if (!w->pid)
		world_run(pair[1]);
	close(pair[1]);
	w->fd = pair[0];
	assert_int_equal(read(w->fd, &b, 1), 1);
	snprintf(command, sizeof(command), "busybox ip link set veth0 netns %d", (int)w->pid);
	run(command);
	assert_int_equal(write(w->fd, "g", 1), 1);
	assert_int_equal(read(w->fd, &b, 1), 1);
}

static void world_end(struct world *w)
{
	if (w->pid <= 0)
		return;
	kill(w->pid, SIGKILL);
	waitpid(w->pid, NULL, 0);
	close(w->fd);
	w->pid = 0;
}

static int setup(void **state)
{
	(void)state;
	strcpy(etc, "/tmp/vmdeck-test-etc-XXXXXX");
	if (!mkdtemp(etc))
		return -1;
	snprintf(path, sizeof(path), "%s/resolv.conf", etc);
	return 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	world_end(&world);
	snprintf(command, sizeof(command), "rm -rf %s; busybox ip link del eth0 2>/dev/null", etc);
	return system(command) < 0;
}

static void need_namespace(void)
{
	if (!alone)
		skip();
}

/* The agent with the usual network, up to its first HELLO. */
static void up(void)
{
	struct wire_out_open open;

	agent_start_network(&agent, etc);
	agent.net = (struct wire_network){.present = 1,
		.address = {10, 0, 2, 100},
		.bits = 24,
		.gateway = {10, 0, 2, 1},
		.mtu = 1400,
		.dns = {str("192.0.2.53"), str("2001:db8::53")},
		.dns_count = 2,
		.search = str("one.test two.test")};
	agent_hello(&agent, 1, sleeper, false, &ack);
	agent_output(&agent, &open);
}

static void again(uint8_t generation)
{
	struct wire_out_open open;

	peer_close(&agent.control);
	agent_hello(&agent, generation, NULL, false, &ack);
	agent_output(&agent, &open);
}

static void expect_done(void)
{
	assert_string_equal(agent.network_why, "");
	assert_int_equal(ack.network, WIRE_NETWORK_DONE);
}

static void expect_failed(const char *why)
{
	if (!strstr(agent.network_why, why))
		fail_msg("'%s' does not say '%s'", agent.network_why, why);
	assert_int_equal(ack.network, WIRE_NETWORK_FAILED);
}

static void expect_link(void)
{
	const char *text = say("busybox ip -4 addr show dev eth0");
	const char *first = strstr(text, "inet ");

	assert_non_null(strstr(text, "mtu 1400"));
	assert_non_null(strstr(text, "UP"));
	assert_non_null(strstr(text, "inet " GUEST "/24"));
	assert_null(strstr(first + 1, "inet ")); /* the only one */
	assert_string_equal(
		say("busybox ip route show 0.0.0.0/0"), "default via " WORLD " dev eth0 \n");
}

static void test_none_is_asked_for(void **state)
{
	(void)state;
	need_namespace();
	world_begin(&world);
	agent_start_network(&agent, etc);
	agent_hello(&agent, 1, sleeper, false, &ack);
	assert_int_equal(ack.network, WIRE_NETWORK_NONE);
	assert_string_equal(agent.network_why, "");
	assert_null(strstr(say("busybox ip link show dev eth0"), "UP"));
	assert_null(slurp(path));
	agent_stop(&agent);
}

static void test_set_up(void **state)
{
	struct stat before, after;

	(void)state;
	need_namespace();
	world_begin(&world);
	up();
	expect_done();
	assert_true(ack.network_us > 0 && ack.network_us <= ack.total_us);
	expect_link();
	assert_string_equal(slurp(path), FIRST "search one.test two.test\n"
					       "nameserver 192.0.2.53\n"
					       "nameserver 2001:db8::53\n");
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(before.st_mode & 07777, 0644);
	/* The same once more, as to a new daemon and to a copy: nothing is written. */
	for (uint8_t generation = 1; generation <= 2; generation++) {
		again(generation);
		expect_done();
		expect_link();
		assert_int_equal(stat(path, &after), 0);
		assert_int_equal(after.st_ino, before.st_ino);
		assert_int_equal(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
	}
	/* Somebody in the guest took it down. */
	run("busybox ip link set eth0 down && busybox ip addr flush dev eth0");
	again(2);
	expect_done();
	expect_link();
	agent_stop(&agent);
}

/* An older address of the same network would take the new one with it when it goes. */
static void test_replaces_what_was(void **state)
{
	char other[128], left[128];
	struct stat st;

	(void)state;
	need_namespace();
	world_begin(&world);
	run("busybox ip link set eth0 up; busybox ip addr add 10.0.2.50/24 dev eth0; "
	    "busybox ip addr add " GUEST "/24 dev eth0; "
	    "busybox ip addr add 192.168.7.7/16 dev eth0; "
	    "busybox ip route add default via 10.0.2.99");
	/* A link out of the folder, and what a killed agent left. */
	snprintf(other, sizeof(other), "%s/other", etc);
	snprintf(left, sizeof(left), "%s/.resolv.conf.vmdeck", etc);
	write_file(other, "not to be touched\n");
	assert_int_equal(symlink("other", path), 0);
	assert_int_equal(symlink("other", left), 0);
	up();
	expect_done();
	expect_link();
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_non_null(strstr(slurp(path), "nameserver 192.0.2.53\n"));
	assert_string_equal(slurp(other), "not to be touched\n");
	assert_int_equal(lstat(left, &st), -1);
	/* Other resolvers take their place; none leave the file alone. */
	agent.net.dns[0] = str("198.51.100.7");
	agent.net.dns_count = 1;
	agent.net.search = str("");
	again(1);
	expect_done();
	assert_string_equal(slurp(path), FIRST "nameserver 198.51.100.7\n");
	agent.net.dns_count = 0;
	again(1);
	expect_done();
	assert_string_equal(slurp(path), FIRST "nameserver 198.51.100.7\n");
	agent_stop(&agent);
}

static void test_no_interface(void **state)
{
	(void)state;
	need_namespace();
	up();
	expect_failed("the guest has no ethernet interface");
	/* What does not need one is done. */
	assert_non_null(strstr(slurp(path), "nameserver 192.0.2.53\n"));
	exec_expect(&agent, "echo served", "served\n");
	/* Two that cannot be told apart; one. */
	run("busybox ip link add name eth2 type veth");
	again(1);
	expect_failed("none of the guest's 2 ethernet interfaces is hardware");
	run("busybox ip link del eth2");
	world_begin(&world);
	again(1);
	expect_done();
	expect_link();
	agent_stop(&agent);
}

static void test_bad_values(void **state)
{
	(void)state;
	need_namespace();
	world_begin(&world);
	up();
	agent.net.gateway[0] = 172;
	again(1);
	expect_failed("eth0: cannot set the default route: Network is unreachable");
	agent.net.gateway[0] = 10;
	agent.net.mtu = 10;
	again(1);
	expect_failed("eth0: cannot set the MTU");
	agent.net.mtu = 1400;
	agent.net.dns[0] = str("1.2.3.4\noptions debug");
	again(1);
	expect_failed("resolver 1 of the host is no address");
	assert_string_equal(
		slurp(path), FIRST "search one.test two.test\nnameserver 2001:db8::53\n");
	agent.net.dns[0] = str("192.0.2.53");
	agent.net.search = str("a.test\nnameserver 6.6.6.6");
	again(1);
	expect_failed("the search list for resolv.conf");
	assert_string_equal(slurp(path), FIRST "nameserver 192.0.2.53\nnameserver 2001:db8::53\n");
	/* Each of them leaves the rest in order. */
	expect_link();
	agent_stop(&agent);
}

static void test_folder_is_gone(void **state)
{
	(void)state;
	need_namespace();
	world_begin(&world);
	rmdir(etc);
	up();
	expect_failed("resolv.conf: No such file or directory");
	expect_link();
	agent_stop(&agent);
}

static void test_not_its_own_guest(void **state)
{
	(void)state;
	agent_start(&agent);
	agent.net.present = 1;
	agent.net.bits = 24;
	agent_hello(&agent, 1, sleeper, false, &ack);
	expect_failed("its network is left alone");
	agent_stop(&agent);
}

/* ---- a restored copy ---- */

static int listen_on(const char *ip, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	inet_pton(AF_INET, ip, &sa.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* wait: until it is answered. */
static int dial(const char *ip, uint16_t port, bool wait)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	inet_pton(AF_INET, ip, &sa.sin_addr);
	r = connect(fd, (struct sockaddr *)&sa, sizeof(sa));
	assert_true(!r || errno == EINPROGRESS);
	if (wait)
		assert_int_equal(
			poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, CLIENT_MS), 1);
	return fd;
}

/* The same by an IPv6 socket, as servers for both families use. */
static int dial_mapped(const char *ip, uint16_t port)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sa.sin6_addr.s6_addr[10] = sa.sin6_addr.s6_addr[11] = 0xff;
	inet_pton(AF_INET, ip, sa.sin6_addr.s6_addr + 12);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static int error_of(int fd)
{
	socklen_t len = sizeof(int);
	int error = -1;

	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	return error;
}

static void test_copy_ends_connections(void **state)
{
	enum { OUT, MAPPED, NOBODY, LOOP, SELF, LISTENER, COUNT };
	int fd[COUNT], loop_listener;

	(void)state;
	need_namespace();
	run("busybox ip link set lo up");
	world_begin(&world);
	up();
	expect_done();
	loop_listener = listen_on("127.0.0.1", 81);
	fd[OUT] = dial(WORLD, 80, true);
	fd[MAPPED] = dial_mapped(WORLD, 80);
	fd[NOBODY] = dial("10.0.2.77", 80, false);
	fd[LOOP] = dial("127.0.0.1", 81, true);
	fd[LISTENER] = listen_on(GUEST, 82);
	fd[SELF] = dial(GUEST, 82, true);
	assert_non_null(strstr(slurp("/proc/net/arp"), WORLD));
	/* The source, known to a new daemon, keeps all of them... */
	again(1);
	expect_done();
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(error_of(fd[i]), 0);
	assert_non_null(strstr(slurp("/proc/net/arp"), WORLD));
	/* ...a copy has no other ends for those that lead out, and new neighbours. */
	again(2);
	expect_done();
	assert_int_equal(error_of(fd[OUT]), ECONNABORTED);
	assert_int_equal(error_of(fd[MAPPED]), ECONNABORTED);
	assert_int_equal(error_of(fd[NOBODY]), ECONNABORTED);
	assert_int_equal(error_of(fd[LOOP]), 0);
	assert_int_equal(error_of(fd[SELF]), 0);
	assert_null(strstr(slurp("/proc/net/arp"), WORLD));
	/* It works anew, and the listener still listens. */
	for (int i = 0; i < COUNT; i++)
		if (i != LISTENER)
			close(fd[i]);
	fd[OUT] = dial(WORLD, 80, true);
	assert_int_equal(error_of(fd[OUT]), 0);
	fd[SELF] = dial(GUEST, 82, true);
	assert_int_equal(error_of(fd[SELF]), 0);
	close(fd[OUT]);
	close(fd[SELF]);
	close(fd[LISTENER]);
	close(loop_listener);
	agent_stop(&agent);
}

/* More than one reading of the kernel's table holds. */
static void test_copy_ends_many(void **state)
{
	enum { MANY = 1500 };
	static int fd[MANY];
	struct rlimit files;

	(void)state;
	need_namespace();
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	if (files.rlim_max < MANY + 64 || setrlimit(RLIMIT_NOFILE, &files) < 0)
		skip(); /* not so many descriptors here */
	world_begin(&world);
	up();
	for (int i = 0; i < MANY; i++)
		fd[i] = dial("10.0.2.77", (uint16_t)(1000 + i), false);
	again(2);
	expect_done();
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(error_of(fd[i]), ECONNABORTED);
		close(fd[i]);
	}
	print_message("%d connections ended in %u us\n", MANY, ack.network_us);
	agent_stop(&agent);
}

/* A network namespace, also for an ordinary user. */
static bool be_alone(void)
{
	char map[64];
	int fd, uid = (int)getuid();

	if (!unshare(CLONE_NEWNET))
		return true;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return false;
	fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
	snprintf(map, sizeof(map), "0 %d 1", uid);
	if (fd < 0 || write(fd, map, strlen(map)) < 0)
		return false;
	close(fd);
	return true;
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_none_is_asked_for),
		T(test_set_up),
		T(test_replaces_what_was),
		T(test_no_interface),
		T(test_bad_values),
		T(test_folder_is_gone),
		T(test_not_its_own_guest),
		T(test_copy_ends_connections),
		T(test_copy_ends_many),
	};

	alone = be_alone();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
