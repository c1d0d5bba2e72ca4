// LIBS: net base
/* Texts of the network: published ports, the host's resolver files, messages with descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/net/net.h"
#include "backend/net/scm.h"

/* ---- ports ----------------------------------------------------------------------------------- */

static void test_publish_texts(void **state)
{
	static const struct {
		const char *text, *again;
	} good[] = {
		{"8080:80", "8080:80/tcp"},
		{"8080:80/tcp", "8080:80/tcp"},
		{"53:53/udp", "53:53/udp"},
		{"127.0.0.2:1:65535", "127.0.0.2:1:65535/tcp"},
		{"0.0.0.0:8080:80", "0.0.0.0:8080:80/tcp"},
	};
	char out[NET_PUBLISH_TEXT];
	struct net_publish p;

	(void)state;
	for (size_t i = 0; i < countof(good); i++) {
		assert_int_equal(net_publish_parse(good[i].text, &p, NULL), 0);
		assert_string_equal(net_publish_text(&p, out), good[i].again);
	}
}

static void test_publish_refused(void **state)
{
	static const char *const bad[] = {"", "80", ":", "80:", ":80", "0:80", "80:0", "65536:80",
		"80:80/sctp", "80:80/", "::80:80", "1.2.3:80:80", "1.2.3.4.5:80:80", "a:80:80",
		"-1:80", "+8:80", " 8:80", "8 :80", "08080808:80", "1.2.3.4:80:80:80",
		"255.255.255.255x:1:1", "80:80/tcp/udp"};
	struct net_publish p;
	struct err e;

	(void)state;
	for (size_t i = 0; i < countof(bad); i++) {
		e = (struct err){0};
		assert_int_equal(net_publish_parse(bad[i], &p, &e), -EINVAL);
		assert_true(e.msg[0]);
	}
}

static bool clash(const char *a, const char *b)
{
	struct net_publish p, q;

	assert_int_equal(net_publish_parse(a, &p, NULL), 0);
	assert_int_equal(net_publish_parse(b, &q, NULL), 0);
	assert_int_equal(net_publish_clash(&p, &q), net_publish_clash(&q, &p));
	return net_publish_clash(&p, &q);
}

static void test_publish_clash(void **state)
{
	(void)state;
	assert_true(clash("127.0.0.1:80:80", "127.0.0.1:80:81"));
	assert_true(clash("0.0.0.0:80:80", "127.0.0.1:80:81"));
	assert_true(clash("0.0.0.0:80:80", "0.0.0.0:80:80"));
	assert_false(clash("127.0.0.1:80:80", "127.0.0.2:80:80"));
	assert_false(clash("127.0.0.1:80:80", "127.0.0.1:80:80/udp"));
	assert_false(clash("127.0.0.1:80:80", "127.0.0.1:81:80"));
	assert_false(clash("80:80", "80:80")); /* each VM has its own address */
	assert_false(clash("80:80", "0.0.0.0:80:80"));
}

static int read_spec(const char *text, struct net_spec *s, struct err *e)
{
	autojson struct json_object *o = NULL;

	assert_int_equal(jsonx_parse(text, strlen(text), &o, NULL), 0);
	return net_spec_read(o, s, e);
}

static void test_spec_saved_and_read(void **state)
{
	autojson struct json_object *o = NULL;
	struct net_spec s, again;

	(void)state;
	assert_int_equal(read_spec("{\"mode\":\"rootless\",\"publish\":[\"8080:80\","
				   "\"127.0.0.1:53:53/udp\"]}",
				 &s, NULL),
		0);
	assert_int_equal(s.publish_count, 2);
	o = net_spec_json(&s);
	assert_int_equal(net_spec_read(o, &again, NULL), 0);
	assert_int_equal(again.mode, NET_ROOTLESS);
	assert_memory_equal(again.publish, s.publish, sizeof(s.publish));
	assert_int_equal(net_spec_read(NULL, &again, NULL), 0);
	assert_int_equal(again.mode, NET_NONE);
}

static void test_spec_refused(void **state)
{
	static const char *const bad[] = {"{}", "{\"mode\":\"slirp\"}", "{\"mode\":7}",
		"{\"mode\":\"none\",\"publish\":[\"80:80\"]}",
		"{\"mode\":\"bridged\",\"publish\":[\"80:80\",\"80:81\"]}",
		"{\"mode\":\"bridged\",\"publish\":[80]}",
		"{\"mode\":\"bridged\",\"publish\":\"80:80\"}"};
	struct net_spec s;

	(void)state;
	for (size_t i = 0; i < countof(bad); i++)
		assert_int_equal(read_spec(bad[i], &s, NULL), -EINVAL);
}

/* ---- resolvers ------------------------------------------------------------------------------- */

static void put(const char *root, const char *path, const char *text)
{
	autofree char *full = xasprintf("%s%s", root, path);
	autofree char *dir = xasprintf("%.*s", (int)(strrchr(full, '/') - full), full);

	assert_int_equal(dir_make(dir, 0700, NULL), 0);
	assert_int_equal(file_write_atomic(full, text, strlen(text), 0600, NULL), 0);
}

static int read_dns(const char *etc, const char *resolved, struct net_dns *d, struct err *e)
{
	char root[] = "/tmp/vmdeck-test-XXXXXX";
	int r;

	assert_non_null(mkdtemp(root));
	if (etc)
		put(root, "/etc/resolv.conf", etc);
	if (resolved)
		put(root, "/run/systemd/resolve/resolv.conf", resolved);
	r = net_dns_read(root, d, e);
	assert_int_equal(tree_remove(root, NULL), 0);
	return r;
}

static void test_dns(void **state)
{
	struct net_dns d;

	(void)state;
	assert_int_equal(
		read_dns("nameserver 192.0.2.1\nsearch a.example b.example\n", NULL, &d, NULL), 0);
	assert_int_equal(d.count, 1);
	assert_string_equal(d.servers[0], "192.0.2.1");
	assert_string_equal(d.search, "a.example b.example");
	/* systemd's stub in /etc is a loopback one: its own file has the real ones. */
	assert_int_equal(
		read_dns("nameserver 127.0.0.53\n", "nameserver 192.0.2.7\n", &d, NULL), 0);
	assert_string_equal(d.servers[0], "192.0.2.7");
	assert_int_equal(
		read_dns("nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"
			 "nameserver 192.0.2.4\nnameserver 192.0.2.5\n",
			NULL, &d, NULL),
		0);
	assert_int_equal(d.count, 5);
	assert_int_equal(
		read_dns("nameserver 127.0.0.1\nnameserver ::1\nnameserver 0.0.0.0\n"
			 "nameserver 2001:db8::1\nnameserver 192.0.2.1\nnameserver 192.0.2.1\n",
			NULL, &d, NULL),
		0);
	assert_int_equal(d.count, 1);
}

static void test_dns_none(void **state)
{
	static const char *const none[] = {"", "nameserver 127.0.0.1\n", "nameserver\n",
		"nameserver 1.2.3\n", "#nameserver 192.0.2.1\n", "\0\1\2\377", "search a\n",
		"nameserver 2001:db8::1\n"};
	struct net_dns d;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < countof(none); i++) {
		assert_int_equal(read_dns(none[i], NULL, &d, &e), -ENOENT);
		assert_non_null(strstr(e.msg, "DNS"));
	}
	assert_int_equal(read_dns(NULL, NULL, &d, &e), -ENOENT);
}

static void test_dns_hostile_search(void **state)
{
	struct net_dns d;
	char text[2000] = "nameserver 192.0.2.1\nsearch ok.example `x` \"q\" ../.. ";

	(void)state;
	for (int i = 0; i < 60; i++)
		strcat(text, "long-name-of-a-domain.example ");
	assert_int_equal(read_dns(text, NULL, &d, NULL), 0);
	assert_ptr_equal(strstr(d.search, "ok.example long"), d.search);
	assert_null(strpbrk(d.search, "`\""));
	assert_true(strlen(d.search) < sizeof(d.search));
}

/* ---- messages -------------------------------------------------------------------------------- */

static void test_messages_with_descriptors(void **state)
{
	char text[SCM_TEXT_MAX];
	int sv[2], p[2], got[SCM_FDS_MAX], n = 0;
	char c;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(scm_recv(sv[1], text, got, &n), -EAGAIN);
	assert_int_equal(scm_send(sv[0], "{\"a\":1}", p, 2), 0);
	assert_int_equal(scm_send(sv[0], "second", NULL, 0), 0);
	assert_int_equal(scm_recv(sv[1], text, got, &n), 7);
	assert_string_equal(text, "{\"a\":1}");
	assert_int_equal(n, 2);
	assert_int_equal(fcntl(got[0], F_GETFD), FD_CLOEXEC);
	assert_int_equal(write(got[1], "x", 1), 1);
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(scm_recv(sv[1], text, got + 2, &n), 6);
	assert_int_equal(n, 0);
	close(sv[0]);
	assert_int_equal(scm_recv(sv[1], text, got + 2, &n), 0);
	close(sv[1]);
	for (int i = 0; i < 2; i++) {
		close(got[i]);
		close(p[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_publish_texts),
		cmocka_unit_test(test_publish_refused),
		cmocka_unit_test(test_publish_clash),
		cmocka_unit_test(test_spec_saved_and_read),
		cmocka_unit_test(test_spec_refused),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_dns_none),
		cmocka_unit_test(test_dns_hostile_search),
		cmocka_unit_test(test_messages_with_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
