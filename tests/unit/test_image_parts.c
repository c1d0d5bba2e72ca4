/* The pure parts of image building: tar, cpio, vmlinux, modules, control fields; hostile input. */
// LIBS: image base
// OBJS: tests/support/image_fake.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "backend/image/cpio.h"
#include "backend/base/hash.h"
#include "backend/image/modules.h"
#include "backend/image/package.h"
#include "backend/image/tar.h"
#include "backend/image/vmlinux.h"
#include "tests/support/image_fake.h"

#define BIG (9u << 20) /* more than one LZ4 block of 8 MiB */

/* ---- tar --------------------------------------------------------------------------------------
 */

struct seen {
	char text[4096];
};

static int on_entry(void *user, const struct tar_entry *en, struct err *e)
{
	struct seen *s = user;
	size_t n = strlen(s->text);

	(void)e;
	snprintf(s->text + n, sizeof(s->text) - n, "[%s %c %d]", en->name, en->type, (int)en->size);
	return strstr(en->name, "skip") ? 0 : 1;
}

static int on_data(void *user, const uint8_t *p, size_t n, struct err *e)
{
	struct seen *s = user;

	(void)e;
	strncat(s->text, (const char *)p, n);
	return 0;
}

static void put_header(struct buf *b, const char *name, char type, size_t size)
{
	uint8_t h[512] = {0};
	unsigned sum = 0;

	memcpy(h, name, min_of(strlen(name), 100u));
	snprintf((char *)h + 124, 12, "%011zo", size);
	h[156] = (uint8_t)type;
	memcpy(h + 257, "ustar  ", 8); /* GNU's */
	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
	assert_int_equal(buf_append(b, h, sizeof(h)), 0);
}

static void put_data(struct buf *b, const char *text)
{
	char block[1024] = {0};
	size_t n = strlen(text);

	memcpy(block, text, n);
	assert_int_equal(buf_append(b, block, (n + 511) / 512 * 512), 0);
}

static void put_end(struct buf *b)
{
	uint8_t zero[1024] = {0};

	assert_int_equal(buf_append(b, zero, sizeof(zero)), 0);
}

static int feed(struct buf *b, size_t step, struct seen *s)
{
	const struct tar_handler h = {on_entry, on_data, s};
	struct err e = {0};
	struct tar t;
	int r = 0;

	memset(s, 0, sizeof(*s));
	tar_init(&t, &h);
	for (size_t at = 0; at < b->len && !r; at += step)
		r = tar_feed(&t, buf_peek(b) + at, min_of(step, b->len - at), &e);
	if (!r)
		r = tar_finish(&t, &e);
	assert_true(r == 0 || e.msg[0]);
	return r;
}

static void tar_reads_entries_in_any_pieces(void **state)
{
	const size_t steps[] = {1, 7, 511, 512, 513, 100000};
	char long_name[160];
	char want[512];
	struct seen s;
	struct buf b;

	(void)state;
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	buf_init(&b, 0);
	put_header(&b, "./boot/", '5', 0);
	put_header(&b, "./boot/a", '0', 5);
	put_data(&b, "hello");
	put_header(&b, "./skip", '0', 600);
	put_data(&b, "x");
	put_data(&b, "y");
	put_header(&b, "././@LongLink", 'L', sizeof(long_name));
	put_data(&b, long_name);
	put_header(&b, "cut", '0', 2);
	put_data(&b, "ok");
	put_end(&b);
	snprintf(want, sizeof(want), "[boot/ 5 0][boot/a 0 5]hello[skip 0 600][%s 0 2]ok",
		long_name);
	for (size_t i = 0; i < countof(steps); i++) {
		assert_int_equal(feed(&b, steps[i], &s), 0);
		assert_string_equal(s.text, want);
	}
	buf_fini(&b);
}

static void tar_refuses_damage(void **state)
{
	struct seen s;
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	put_header(&b, "a", '0', 5);
	put_data(&b, "hello");
	assert_int_equal(feed(&b, 512, &s), -EBADMSG); /* no end */
	put_end(&b);
	assert_int_equal(feed(&b, 512, &s), 0);
	b.data[b.head + 3] ^= 1;
	assert_int_equal(feed(&b, 512, &s), -EBADMSG); /* checksum */
	buf_fini(&b);
	put_header(&b, "a", 'L', 100000); /* a long name that is too long */
	assert_int_equal(feed(&b, 512, &s), -EBADMSG);
	buf_fini(&b);
	put_header(&b, "a", 'x', 100);
	assert_int_equal(feed(&b, 512, &s), -EBADMSG);
	buf_fini(&b);
}

/* ---- cpio -------------------------------------------------------------------------------------
 */

static void cpio_writes_sorted_and_the_same(void **state)
{
	struct buf a, b;
	struct err e;

	(void)state;
	buf_init(&a, 0);
	buf_init(&b, 0);
	for (int i = 0; i < 2; i++) {
		struct cpio c;

		cpio_init(&c);
		if (i)
			cpio_link(&c, "d/link", "file");
		cpio_file(&c, "d/file", 0644, "abc", 3);
		cpio_chardev(&c, "null", 0666, 1, 3);
		cpio_dir(&c, "d", 0755);
		if (!i)
			cpio_link(&c, "d/link", "file");
		assert_int_equal(cpio_write(&c, i ? &b : &a, &e), 0);
		cpio_fini(&c);
	}
	assert_int_equal(a.len, b.len);
	assert_memory_equal(buf_peek(&a), buf_peek(&b), a.len);
	assert_memory_equal(
		buf_peek(&a), "07070100000001000041ED00000000000000000000000200000000", 54);
	assert_int_equal(a.len % 4, 0);
	assert_non_null(memmem(buf_peek(&a), a.len, "null", 4));
	assert_non_null(memmem(buf_peek(&a), a.len, "TRAILER!!!", 11));
	buf_fini(&a);
	buf_fini(&b);
}

static void cpio_refuses_twice_and_no_folder(void **state)
{
	struct cpio c;
	struct buf out;
	struct err e;

	(void)state;
	buf_init(&out, 100);
	cpio_init(&c);
	cpio_file(&c, "nowhere/file", 0644, "abc", 3);
	assert_int_equal(cpio_write(&c, &out, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "'nowhere/file' has no folder"));
	cpio_dir(&c, "nowhere", 0755);
	cpio_dir(&c, "nowhere", 0755);
	assert_int_equal(cpio_write(&c, &out, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "twice"));
	cpio_fini(&c);
	cpio_fini(&c);
	cpio_fini(NULL);
	cpio_file(&c, "file", 0644, "abc", 3);
	assert_int_equal(cpio_write(&c, &out, &e), -EFBIG);
	cpio_fini(&c);
	buf_fini(&out);
}

/* ---- vmlinux ----------------------------------------------------------------------------------
 */

static void vmlinux_comes_out_whole(void **state)
{
	autofree uint8_t *elf = fake_elf(BIG, EM_X86_64, true), *got = NULL;
	size_t len = 0;
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 0);
	fake_vmlinuz(&b, elf, BIG);
	assert_int_equal(vmlinux_unpack(buf_peek(&b), b.len, &got, &len, &e), 0);
	assert_int_equal(len, BIG);
	assert_memory_equal(got, elf, len);
	buf_fini(&b);
}

static int unpack_elf(uint16_t machine, bool pvh, struct err *e)
{
	autofree uint8_t *elf = fake_elf(20000, machine, pvh), *got = NULL;
	size_t len;
	struct buf b;
	int r;

	buf_init(&b, 0);
	fake_vmlinuz(&b, elf, 20000);
	r = vmlinux_unpack(buf_peek(&b), b.len, &got, &len, e);
	buf_fini(&b);
	return r;
}

static void vmlinux_checks_what_it_holds(void **state)
{
	static const struct {
		const char *bytes, *name;
	} others[] = {{"\x1f\x8b........", "gzip"},
		{"\xfd"
		 "7zXZ...",
			"xz"},
		{"\x28\xb5\x2f\xfd....", "zstd"}, {"BZh9....", "bzip2"},
		{"????????????", "unknown"}};
	uint8_t *got;
	size_t len;
	struct err e;

	(void)state;
	assert_int_equal(unpack_elf(EM_X86_64, true, &e), 0);
	assert_int_equal(unpack_elf(EM_AARCH64, true, &e), -ENOEXEC);
	assert_int_equal(unpack_elf(EM_X86_64, false, &e), -ENOEXEC);
	assert_non_null(strstr(e.msg, "PVH"));
	assert_int_equal(vmlinux_unpack((const uint8_t *)"short", 5, &got, &len, &e), -ENOEXEC);
	for (size_t i = 0; i < countof(others); i++) {
		struct buf b;

		buf_init(&b, 0);
		fake_bzimage(&b, others[i].bytes, strlen(others[i].bytes) + 1);
		assert_int_equal(vmlinux_unpack(buf_peek(&b), b.len, &got, &len, &e), -EOPNOTSUPP);
		assert_non_null(strstr(e.msg, others[i].name));
		buf_fini(&b);
	}
}

/* Every byte of the headers changed, and every length of the file: no crash, nothing but errors or
 * the right kernel. */
static void vmlinux_survives_damage(void **state)
{
	autofree uint8_t *elf = fake_elf(20000, EM_X86_64, true);
	struct buf b;
	struct err e;
	size_t len;

	(void)state;
	buf_init(&b, 0);
	fake_vmlinuz(&b, elf, 20000);
	for (size_t i = 0; i < b.len; i++) {
		autofree uint8_t *got = NULL;

		b.data[b.head + i] ^= 0xff;
		(void)vmlinux_unpack(buf_peek(&b), b.len, &got, &len, &e);
		b.data[b.head + i] ^= 0xff;
	}
	for (size_t n = 0; n < b.len; n++) {
		autofree uint8_t *copy = xcalloc(1, n + 1), *got = NULL;

		memcpy(copy, buf_peek(&b), n);
		if (n < b.len - 4) /* the four bytes behind the payload are nobody's */
			assert_int_not_equal(vmlinux_unpack(copy, n, &got, &len, &e), 0);
	}
	buf_fini(&b);
}

/* ---- modules ----------------------------------------------------------------------------------
 */

static void add_module(struct modules *m, const char *path, const char *const *info, bool sign)
{
	struct module *mod;
	struct err e;
	struct buf b;

	buf_init(&b, 0);
	fake_module(&b, info, sign);
	assert_int_equal(modules_add(m, path, b.len, &mod, &e), 0);
	memcpy(mod->data, buf_peek(&b), b.len);
	buf_fini(&b);
}

static void add_needs(struct modules *m, const char *path, const char *needs)
{
	autofree char *depends = xasprintf("depends=%s", needs);
	const char *info[] = {"license=GPL", "alias=a:*", depends, "alias=b", NULL};

	add_module(m, path, info, true);
}

static char *ordered(struct modules *m, const char *const *wanted)
{
	size_t order[MODULES_MAX], n = 0;
	char *text = xstrdup("");
	struct err e;

	assert_int_equal(modules_order(m, wanted, order, &n, &e), 0);
	for (size_t i = 0; i < n; i++) {
		char *more = xasprintf("%s%s ", text, m->v[order[i]].name);

		free(text);
		text = more;
	}
	return text;
}

static void modules_load_in_order(void **state)
{
	const char *const wanted[] = {"transport", "mmio", "missing", NULL};
	struct modules *m = xcalloc(1, sizeof(*m));
	autofree char *order = NULL;
	struct buf dep, alias;

	(void)state;
	add_needs(m, "kernel/t/transport.ko", "virtio,common,virtio-ring,vsock");
	add_needs(m, "kernel/t/common.ko", "vsock");
	add_needs(m, "kernel/v/mmio.ko", "virtio,virtio_ring");
	add_needs(m, "kernel/v/virtio.ko", "virtio_ring");
	add_needs(m, "kernel/v/virtio-ring.ko", "");
	add_needs(m, "kernel/v/vsock.ko", "builtin_one");
	order = ordered(m, wanted);
	assert_string_equal(order, "virtio_ring virtio vsock common transport mmio ");
	buf_init(&dep, 0);
	buf_init(&alias, 0);
	assert_int_equal(modules_put_dep(m, &dep), 0);
	assert_int_equal(modules_put_alias(m, &alias), 0);
	assert_int_equal(buf_append(&dep, "", 1), 0);
	assert_non_null(strstr((const char *)buf_peek(&dep),
		"kernel/t/transport.ko: kernel/t/common.ko kernel/v/vsock.ko kernel/v/virtio.ko "
		"kernel/v/virtio-ring.ko\n"));
	assert_non_null(strstr((const char *)buf_peek(&dep), "\nkernel/v/virtio-ring.ko:\n"));
	assert_memory_equal(buf_peek(&alias), "alias a:* transport\nalias b transport\n", 38);
	assert_int_equal(modules_unsigned_len(&m->v[0]), m->v[0].len - 140);
	buf_fini(&dep);
	buf_fini(&alias);
	modules_fini(m);
	free(m);
}

static void modules_refuse_circles_and_names(void **state)
{
	static const char *const bad[] = {
		"", "/abs.ko", "kernel/../x.ko", "kernel/a b.ko", "kernel/a\nb.ko", "kernel/.ko/"};
	const char *const wanted[] = {"a", NULL};
	struct modules *m = xcalloc(1, sizeof(*m));
	size_t order[MODULES_MAX], n;
	struct module *mod;
	struct err e;

	(void)state;
	add_needs(m, "kernel/a.ko", "b");
	add_needs(m, "kernel/b.ko", "a");
	assert_int_equal(modules_order(m, wanted, order, &n, &e), -ELOOP);
	for (size_t i = 0; i < countof(bad); i++)
		assert_true(modules_add(m, bad[i], 10, &mod, &e) < 0);
	assert_int_equal(modules_add(m, "kernel/c.ko", MODULE_BYTES_MAX + 1u, &mod, &e), -E2BIG);
	modules_fini(m);
	modules_fini(m);
	modules_fini(NULL);
	free(m);
}

static void modules_survive_damage(void **state)
{
	const char *const info[] = {"depends=a,b", NULL};
	struct modules *m = xcalloc(1, sizeof(*m));
	struct module whole, *mod;

	(void)state;
	add_module(m, "kernel/a.ko", info, true);
	mod = &m->v[0];
	whole = *mod;
	for (size_t i = 0; i < whole.len; i++) {
		mod->data[i] ^= 0xff;
		(void)modules_info(mod, "depends", NULL);
		(void)modules_unsigned_len(mod);
		mod->data[i] ^= 0xff;
	}
	for (size_t n = 0; n < whole.len; n++) {
		autofree uint8_t *cut = xcalloc(1, n + 1);
		struct module part = {.data = cut, .len = n};

		memcpy(cut, whole.data, n);
		(void)modules_info(&part, "depends", NULL);
		(void)modules_unsigned_len(&part);
	}
	assert_string_equal(modules_info(mod, "depends", NULL), "a,b");
	modules_fini(m);
	free(m);
}

/* ---- control fields, hashes -------------------------------------------------------------------
 */

static void fields_are_of_the_first_paragraph(void **state)
{
	const char *control =
		"Package: a\nSize:  12\nDescription: x\n more: y\n\nSize: 13\nSHA256: f\n";
	char out[8];

	(void)state;
	assert_int_equal(package_field(control, "size", out, sizeof(out)), 0);
	assert_string_equal(out, "12");
	assert_int_equal(package_field(control, "SHA256", out, sizeof(out)), -ENOENT);
	assert_int_equal(package_field(control, "Siz", out, sizeof(out)), -ENOENT);
	assert_int_equal(package_field("", "Size", out, sizeof(out)), -ENOENT);
	assert_int_equal(package_field("Size: 123456789012", "Size", out, sizeof(out)), 0);
	assert_string_equal(out, "1234567");
}

static void hashes_are_sha256(void **state)
{
	char sum[HASH_HEX];
	struct err e;

	(void)state;
	assert_int_equal(hash_bytes("abc", 3, sum, &e), 0);
	assert_string_equal(
		sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(hash_file("/nowhere/at/all", sum, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tar_reads_entries_in_any_pieces),
		cmocka_unit_test(tar_refuses_damage),
		cmocka_unit_test(cpio_writes_sorted_and_the_same),
		cmocka_unit_test(cpio_refuses_twice_and_no_folder),
		cmocka_unit_test(vmlinux_comes_out_whole),
		cmocka_unit_test(vmlinux_checks_what_it_holds),
		cmocka_unit_test(vmlinux_survives_damage),
		cmocka_unit_test(modules_load_in_order),
		cmocka_unit_test(modules_refuse_circles_and_names),
		cmocka_unit_test(modules_survive_damage),
		cmocka_unit_test(fields_are_of_the_first_paragraph),
		cmocka_unit_test(hashes_are_sha256),
	};

	return cmocka_run_group_tests_name("image_parts", tests, NULL, NULL);
}
