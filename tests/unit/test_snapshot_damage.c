/* Damaged snapshots: no byte of any file changes without being found, and what a restore reads
 * before it starts a VMM is refused before. */
// LIBS: snapshot base
// OBJS: tests/support/snapshot_world.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/hash.h"
#include "tests/support/snapshot_world.h"

#define SEED 20251
#define MIB  4

static struct snap_world world;
static char *disk_path;

/* One snapshot with a disk of one layer, for all tests: each puts back what it changes. */
static int group_setup(void **state)
{
	struct snapshot_disk_source src = {.count = 1, .lowest = "raw", .size = 3 << 20};
	struct rng r = {SEED};
	uint8_t block[4096];
	struct err e = {0};
	int fd;

	(void)state;
	snap_world_init(&world);
	disk_path = snap_path(&world, "root.img");
	fd = open(disk_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 3 << 20), 0);
	for (int i = 0; i < 20; i++) {
		rng_fill(&r, block, sizeof(block));
		assert_int_equal(pwrite(fd, block, sizeof(block),
					 (off_t)(rng_next(&r) % 768 * sizeof(block))),
			sizeof(block));
	}
	close(fd);
	src.layers[0] = disk_path;
	if (snap_make(&world,
		    &(struct snap_spec){.name = "base", .seed = SEED, .mib = MIB, .disk = &src},
		    &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(snap_good(&world, "base", &e), 0);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	free(disk_path);
	snap_world_fini(&world);
	return 0;
}

static char *file_of(const char *file)
{
	autofree char *rest = xasprintf("snapshots/base/%s", file);

	return snap_path(&world, rest);
}

static int load(struct snapshot *s, struct err *e)
{
	return snapshot_load(&world.paths, "base", s, e);
}

/* What a restore would do: 0, or refused. */
static int use(bool *verify, struct err *e)
{
	struct snapshot s;
	int r = load(&s, e);

	if (r < 0)
		return r;
	r = snapshot_check(&s, &snap_host, verify, e);
	snapshot_fini(&s);
	return r;
}

static void assert_damaged(int r, const struct err *e, const char *what)
{
	assert_int_equal(r, -EBADMSG);
	if (!strstr(e->msg, "snapshot 'base' is damaged") || !strstr(e->msg, what) ||
		!strstr(e->msg, "vmdeck rm --snapshot base"))
		fail_msg("\"%s\" does not say \"%s\"", e->msg, what);
}

static void assert_mended(void)
{
	struct err e = {0};

	if (snap_good(&world, "base", &e) < 0)
		fail_msg("%s", e.msg);
}

/* Cut behind, not before: ext4 flushes a file that was emptied and written again. */
static void put(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	close(fd);
}

/* ---- manifest.json -------------------------------------------------------------------------- */

static void manifest_cut_at_each_length(void **state)
{
	autofree char *path = file_of("manifest.json");
	autofree uint8_t *text = NULL;
	struct snapshot s;
	size_t len;

	(void)state;
	text = snap_slurp(path, &len);
	for (size_t n = 0; n < len; n++) {
		struct err e = {0};

		put(path, text, n);
		assert_damaged(load(&s, &e), &e, "manifest.json");
	}
	put(path, text, len);
	assert_mended();
}

static void manifest_with_any_byte_flipped(void **state)
{
	autofree char *path = file_of("manifest.json");
	autofree uint8_t *text = NULL;
	struct rng r = {SEED};
	struct snapshot s;
	size_t len;

	(void)state;
	text = snap_slurp(path, &len);
	for (size_t n = 0; n < len; n++) {
		for (int k = 0; k < 3; k++) {
			uint8_t mask = k ? (uint8_t)(1 + rng_next(&r) % 255) : 1;
			struct err e = {0};

			text[n] ^= mask;
			put(path, text, len);
			assert_damaged(load(&s, &e), &e, "manifest.json");
			text[n] ^= mask;
		}
	}
	put(path, text, len);
	assert_mended();
}

/* Whoever can compute a checksum can write a manifest: its values are held to their ranges. */
static void resealed(const char *text, const char *from, const char *to, const char *path)
{
	const char *inner = strstr(text, "{\"format"), *end = strstr(text, ",\"sha256\":\"");
	const char *at = strstr(text, from);
	autofree char *changed = NULL, *whole = NULL;
	char sum[HASH_HEX];

	if (!at)
		fail_msg("the manifest has no '%s'", from);
	changed = xasprintf("%.*s%s%.*s", (int)(at - inner), inner, to,
		(int)(end - at - (ptrdiff_t)strlen(from)), at + strlen(from));
	assert_int_equal(hash_bytes(changed, strlen(changed), sum, NULL), 0);
	whole = xasprintf("{\"manifest\":%s,\"sha256\":\"%s\"}", changed, sum);
	put(path, whole, strlen(whole));
}

static void manifest_hostile_values(void **state)
{
	static const char *const cases[][3] = {
		{"\"format\":1", "\"format\":2", "format 2"},
		{"\"name\":\"base\"", "\"name\":\"other\"", "other"},
		{"\"name\":\"base\"", "\"name\":\"../base\"", "\"name\""},
		{"\"name\":\"base\"", "\"name\":\"base\\u0000\"", "\"name\""},
		{"\"name\":\"base\"", "\"name\":17", "\"name\""},
		{"\"mem_mib\":4", "\"mem_mib\":0", "mem_mib"},
		{"\"mem_mib\":4", "\"mem_mib\":-4", "mem_mib"},
		{"\"mem_mib\":4", "\"mem_mib\":4.0", "mem_mib"},
		{"\"mem_mib\":4", "\"mem_mib\":99999999999", "mem_mib"},
		{"\"mem_mib\":4", "\"mem_mib\":\"4\"", "mem_mib"},
		{"\"vcpus\":1", "\"vcpus\":5000", "vcpus"},
		{"\"vmm\":\"qemu\"", "\"vmm\":\"\"", "vmm"},
		{"\"vmm\":\"qemu\"", "\"vmm\":\"qemu\\u001b[2J\"", "vmm"},
		{"\"vmm\":\"qemu\"", "\"vmm\":\"a name that is far too long\"", "vmm"},
		{"\"temporary\":false", "\"temporary\":0", "temporary"},
		{"\"argv\":[", "\"argv\":[7,", "argv"},
		{"\"argv\":[", "\"argv\":[\"a\\u0000b\",", "argv"},
		{"\"source_name\":\"web\"", "\"source_name\":null", "source_name"},
		{"\"lowest\":\"raw\"", "\"lowest\":\"vmdk\"", "disks"},
		{"\"size\":3145728", "\"size\":3145727", "disks"},
		{"\"size\":3145728", "\"size\":0", "disks"},
		{"\"layers\":[", "\"layers\":[{},", "disks"},
		{"\"disks\":[", "\"disks\":[1,", "disks"},
		{"\"disks\":[", "\"diskz\":[", "disks"},
		{"\"memory_ino\":\"", "\"memory_ino\":\"0", "memory_ino"},
	};
	autofree char *path = file_of("manifest.json");
	autofree uint8_t *text = NULL;
	struct snapshot s;
	size_t len;

	(void)state;
	text = snap_slurp(path, &len);
	for (size_t i = 0; i < countof(cases); i++) {
		struct err e = {0};

		resealed((char *)text, cases[i][0], cases[i][1], path);
		assert_damaged(load(&s, &e), &e, cases[i][2]);
	}
	resealed((char *)text, "\"mem_mib\":4", "\"mem_mib\":4", path);
	assert_mended();
	put(path, text, len);
}

static void manifest_too_large_or_no_file(void **state)
{
	autofree char *path = file_of("manifest.json"), *aside = file_of("aside");
	autofree char *big = xcalloc(1, (1 << 20) + 1);
	autofree uint8_t *text = NULL;
	struct snapshot s;
	struct err e = {0};
	size_t len;

	(void)state;
	text = snap_slurp(path, &len);
	memset(big, ' ', (1 << 20) + 1);
	memcpy(big, text, len); /* right, but for its size */
	put(path, big, (1 << 20) + 1);
	assert_damaged(load(&s, &e), &e, "too large");
	put(path, text, len);
	assert_int_equal(rename(path, aside), 0);
	assert_damaged(load(&s, &e), &e, "manifest.json cannot be read");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_damaged(load(&s, &e), &e, "manifest.json cannot be read");
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_damaged(load(&s, &e), &e, "manifest.json"); /* and does not wait for a writer */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rename(aside, path), 0);
	assert_mended();
}

/* ---- files that a restore reads ------------------------------------------------------------- */

static void missing_cut_or_grown_files(void **state)
{
	static const char *const files[] = {
		"state", "memory", "memory.sum", "disk-0.0", "disk-0.new"};

	(void)state;
	for (size_t i = 0; i < countof(files); i++) {
		autofree char *path = file_of(files[i]), *aside = file_of("aside");
		autofree char *copy = xasprintf("cp -p --sparse=always %s %s", path, aside);
		bool verify;
		struct err e = {0};
		struct stat st;

		assert_int_equal(system(copy), 0);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(truncate(path, st.st_size - 1), 0);
		assert_damaged(use(&verify, &e), &e, files[i]);
		assert_int_equal(truncate(path, st.st_size + 4096), 0);
		assert_damaged(use(&verify, &e), &e, "bytes instead of");
		assert_int_equal(truncate(path, 0), 0);
		assert_damaged(use(&verify, &e), &e, "has 0 bytes instead of");
		assert_int_equal(unlink(path), 0);
		assert_damaged(use(&verify, &e), &e, "missing");
		assert_int_equal(symlink(aside, path), 0);
		assert_damaged(use(&verify, &e), &e, files[i]);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(rename(aside, path), 0);
		assert_mended();
	}
}

static void state_with_a_byte_flipped(void **state)
{
	autofree char *path = file_of("state");
	struct rng r = {SEED};

	(void)state;
	for (int i = 0; i < 100; i++) {
		uint64_t at = i == 0   ? 0
			      : i == 1 ? WORLD_STATE_BYTES - 1
				       : rng_next(&r) % WORLD_STATE_BYTES;
		uint8_t mask = (uint8_t)(1u << (i % 8));
		struct err e = {0};
		bool verify;

		snap_flip(path, at, mask);
		assert_damaged(use(&verify, &e), &e, "'state' was changed");
		snap_flip(path, at, mask);
	}
	assert_mended();
}

/* ---- memory --------------------------------------------------------------------------------- */

static int verify_memory(struct err *e)
{
	struct snapshot s;
	int r = load(&s, e);

	if (r < 0)
		return r;
	r = snapshot_verify_memory(NULL, &s, e);
	snapshot_fini(&s);
	return r;
}

static void memory_with_a_byte_flipped(void **state)
{
	autofree char *path = file_of("memory");
	struct rng r = {SEED};
	bool verify = true;

	(void)state;
	for (int i = 0; i < 60; i++) {
		uint64_t at = i ? rng_next(&r) % (MIB << 20) : (MIB << 20) - 1;
		uint8_t mask = (uint8_t)(1 + rng_next(&r) % 255);
		struct err e = {0};
		char range[64];

		/* In a hole too: then it is zero no more. */
		snap_flip(path, at, mask);
		assert_int_equal(use(&verify, &e), 0);
		assert_true(verify); /* the first use is told, for free */
		snprintf(range, sizeof(range), "bytes %llu to %llu",
			(unsigned long long)(at >> 20 << 20),
			(unsigned long long)((at >> 20 << 20) + (1 << 20) - 1));
		assert_damaged(verify_memory(&e), &e, range);
		assert_int_equal(use(&verify, &e), 0);
		assert_true(verify); /* no false verdict is kept */
		assert_damaged(snap_good(&world, "base", &e), &e, "memory");
		snap_flip(path, at, mask);
		assert_int_equal(verify_memory(&e), 0);
		assert_int_equal(use(&verify, &e), 0);
		assert_false(verify); /* the verdict is kept */
	}
}

static void memory_copied_home(void **state)
{
	autofree char *path = file_of("memory"), *aside = file_of("aside"), *copy = NULL;
	struct err e = {0};
	bool verify = false;

	(void)state;
	copy = xasprintf("cp --sparse=always %s %s && mv %s %s", path, aside, aside, path);
	assert_int_equal(system(copy), 0);
	assert_int_equal(use(&verify, &e), 0);
	assert_true(verify);
	assert_int_equal(verify_memory(&e), 0);
	assert_int_equal(use(&verify, &e), 0);
	assert_false(verify);
}

static void sums_with_a_byte_flipped(void **state)
{
	autofree char *path = file_of("memory.sum");

	(void)state;
	for (uint64_t at = 0; at < MIB * 32; at += 5) {
		struct err e = {0};

		snap_flip(path, at, 0x10);
		assert_damaged(verify_memory(&e), &e, "'memory.sum' was changed");
		snap_flip(path, at, 0x10);
	}
	assert_mended();
}

/* A verdict is only good for the stamp and the content it was given for. */
static void verdict_of_another_time(void **state)
{
	static const char *const lies[] = {"", "\n", "0 0 0\n", "garbage"};
	autofree char *path = file_of("memory"), *seen = file_of("memory.seen");
	autofree uint8_t *good = NULL;
	struct err e = {0};
	bool verify = false;
	size_t len;

	(void)state;
	snap_flip(path, 5, 1);
	snap_flip(path, 5, 1);
	assert_int_equal(verify_memory(&e), 0);
	good = snap_slurp(seen, &len);
	for (size_t i = 0; i < countof(lies); i++) {
		put(seen, lies[i], strlen(lies[i]));
		assert_int_equal(use(&verify, &e), 0);
		assert_true(verify);
	}
	put(seen, good, len);
	assert_int_equal(use(&verify, &e), 0);
	assert_false(verify);
	snap_flip(path, 5, 1);
	assert_int_equal(use(&verify, &e), 0);
	assert_true(verify);
	snap_flip(path, 5, 1);
	assert_int_equal(verify_memory(&e), 0);
}

static void disks_with_a_byte_flipped(void **state)
{
	static const char *const files[] = {"disk-0.0", "disk-0.new"};
	struct rng r = {SEED};

	(void)state;
	for (int i = 0; i < 60; i++) {
		autofree char *path = file_of(files[i % 2]);
		struct stat st;
		struct err e = {0};
		uint64_t at;

		assert_int_equal(stat(path, &st), 0);
		at = rng_next(&r) % (uint64_t)st.st_size;
		snap_flip(path, at, 0x40);
		assert_damaged(snap_good(&world, "base", &e), &e, files[i % 2]);
		snap_flip(path, at, 0x40);
	}
	assert_mended();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manifest_cut_at_each_length),
		cmocka_unit_test(manifest_with_any_byte_flipped),
		cmocka_unit_test(manifest_hostile_values),
		cmocka_unit_test(manifest_too_large_or_no_file),
		cmocka_unit_test(missing_cut_or_grown_files),
		cmocka_unit_test(state_with_a_byte_flipped),
		cmocka_unit_test(memory_with_a_byte_flipped),
		cmocka_unit_test(memory_copied_home),
		cmocka_unit_test(sums_with_a_byte_flipped),
		cmocka_unit_test(verdict_of_another_time),
		cmocka_unit_test(disks_with_a_byte_flipped),
	};

	return cmocka_run_group_tests_name("snapshot_damage", tests, group_setup, group_teardown);
}
