/* Disks through generations of clones: each reads what its ancestors wrote, whichever of their
 * snapshots are still there. */
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
#include "tests/support/snapshot_world.h"

#define SIZE (4u << 20)

static struct snap_world world;

/* A VM's disk: its layers, top first. */
struct chain {
	char *layers[SNAPSHOT_LAYERS_MAX];
	int count;
};

static void chain_fini(struct chain *c)
{
	for (int i = 0; i < c->count; i++)
		free(c->layers[i]);
	*c = (struct chain){0};
}

static int setup(void **state)
{
	(void)state;
	snap_world_init(&world);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	snap_world_fini(&world);
	return 0;
}

/* The booted VM: an image of 0x11 in the first 64 KiB, and an empty layer of its own. */
static void boot(struct chain *c)
{
	autofree char *make = NULL;
	char block[65536];

	c->count = 2;
	c->layers[0] = snap_path(&world, "vm0.qcow2");
	c->layers[1] = snap_path(&world, "root.img");
	memset(block, 0x11, sizeof(block));
	assert_int_equal(file_write_atomic(c->layers[1], block, sizeof(block), 0600, NULL), 0);
	assert_int_equal(truncate(c->layers[1], SIZE), 0);
	make = xasprintf("qemu-img create -q -f qcow2 %s %u", c->layers[0], SIZE);
	assert_int_equal(system(make), 0);
}

/* Layers i.. as qemu wants a chain without names in the files. */
static char *options(const struct chain *c, int i)
{
	autofree char *below = i + 1 < c->count ? options(c, i + 1) : NULL;

	return xasprintf(
		"{\"driver\":\"%s\",\"file\":{\"driver\":\"file\",\"filename\":\"%s\"}%s%s}",
		i + 1 < c->count ? "qcow2" : "raw", c->layers[i], below ? ",\"backing\":" : "",
		below ? below : "");
}

static bool io(const struct chain *c, const char *command)
{
	autofree char *chain = options(c, 0);
	autofree char *line =
		xasprintf("qemu-io -c '%s' 'json:%s' >/dev/null 2>&1", command, chain);

	return system(line) == 0;
}

static void write_kib(const struct chain *c, int at, int pattern)
{
	char command[64];

	snprintf(command, sizeof(command), "write -P %d %dk 64k", pattern, at);
	assert_true(io(c, command));
}

static bool reads(const struct chain *c, int at, int pattern)
{
	char command[64];

	snprintf(command, sizeof(command), "read -P %d %dk 64k", pattern, at);
	return io(c, command);
}

static void snapshot_of(const struct chain *c, const char *name)
{
	struct snapshot_disk_source src = {.count = c->count, .lowest = "raw", .size = SIZE};
	struct err e = {0};

	for (int i = 0; i < c->count; i++)
		src.layers[i] = c->layers[i];
	if (snap_make(&world, &(struct snap_spec){.name = name, .seed = 1, .mib = 1, .disk = &src},
		    &e) < 0 ||
		snap_good(&world, name, &e) < 0)
		fail_msg("%s", e.msg);
}

static void clone_of(const char *name, const char *vm, struct chain *c)
{
	autofree char *dir = snap_path(&world, vm);
	struct snapshot s;
	struct err e = {0};
	struct stat st;

	assert_int_equal(dir_make(dir, 0700, &e), 0);
	assert_int_equal(snapshot_load(&world.paths, name, &s, &e), 0);
	assert_int_equal(snapshot_clone_disk(&s, 0, dir, c->layers, &c->count, &e), 0);
	assert_int_equal(c->count, s.disks[0].layers + 1);
	assert_int_equal(stat(c->layers[0], &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snapshot_fini(&s);
}

static void remove_snapshot(const char *name)
{
	autofree char *trash = NULL;
	struct err e = {0};

	assert_int_equal(snapshot_remove(&world.paths, name, &trash, &e), 0);
	assert_int_equal(tree_remove(trash, &e), 0);
}

static ino_t inode(const char *rest)
{
	autofree char *path = snap_path(&world, rest);
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void three_generations(void **state)
{
	struct chain vm0 = {0}, vm1 = {0}, vm2 = {0}, vm3 = {0}, twin = {0};
	struct err e = {0};

	(void)state;
	boot(&vm0);
	write_kib(&vm0, 64, 0x21);
	snapshot_of(&vm0, "gen1");
	write_kib(&vm0, 64, 0xee); /* the source goes on: no clone sees it */
	clone_of("gen1", "vm1", &vm1);
	clone_of("gen1", "twin", &twin);
	write_kib(&vm1, 128, 0x22);
	assert_true(reads(&twin, 128, 0)); /* own disks */
	snapshot_of(&vm1, "gen2");
	clone_of("gen2", "vm2", &vm2);
	write_kib(&vm2, 192, 0x23);
	write_kib(&vm2, 0, 0x24);
	snapshot_of(&vm2, "gen3");
	/* Frozen layers are one file, however many snapshots hold them. */
	assert_int_equal(inode("snapshots/gen1/disk-0.0"), inode("snapshots/gen3/disk-0.0"));
	assert_int_equal(inode("snapshots/gen2/disk-0.2"), inode("snapshots/gen3/disk-0.2"));
	assert_int_not_equal(inode("snapshots/gen1/disk-0.1"), inode("vm0.qcow2"));
	remove_snapshot("gen2");
	assert_int_equal(snap_good(&world, "gen1", &e), 0);
	assert_int_equal(snap_good(&world, "gen3", &e), 0);
	clone_of("gen3", "vm3", &vm3);
	assert_int_equal(vm3.count, 5);
	for (int i = 0; i < 2; i++) {
		assert_true(reads(&vm3, 0, 0x24));
		assert_true(reads(&vm3, 64, 0x21));
		assert_true(reads(&vm3, 128, 0x22));
		assert_true(reads(&vm3, 192, 0x23));
		assert_true(reads(&vm3, 256, 0));
		if (!i)
			remove_snapshot("gen1");
	}
	assert_false(reads(&vm3, 64, 0x22)); /* the reader itself can tell */
	chain_fini(&vm0);
	chain_fini(&vm1);
	chain_fini(&vm2);
	chain_fini(&vm3);
	chain_fini(&twin);
}

/* A damaged layer is found in every snapshot that holds it. */
static void a_shared_layer_is_checked_in_each(void **state)
{
	struct chain vm0 = {0}, vm1 = {0};
	autofree char *layer = snap_path(&world, "snapshots/gen1/disk-0.0");
	struct err e = {0};

	(void)state;
	boot(&vm0);
	snapshot_of(&vm0, "gen1");
	clone_of("gen1", "vm1", &vm1);
	snapshot_of(&vm1, "gen2");
	snap_flip(layer, 4000, 2);
	assert_int_equal(snap_good(&world, "gen1", &e), -EBADMSG);
	assert_int_equal(snap_good(&world, "gen2", &e), -EBADMSG);
	assert_non_null(strstr(e.msg, "'gen2' is damaged: its file 'disk-0.0'"));
	chain_fini(&vm0);
	chain_fini(&vm1);
}

static void chains_have_a_limit(void **state)
{
	struct snapshot_disk_source src = {
		.count = SNAPSHOT_LAYERS_MAX + 1, .lowest = "raw", .size = SIZE};
	char *layers[SNAPSHOT_LAYERS_MAX];
	struct snapshot s = {.name = "deep", .dir = NULL, .disk_count = 1};
	struct snapshot_draft d;
	struct err e = {0};
	int n;

	(void)state;
	assert_int_equal(snapshot_draft_begin(&d, &world.paths, "x", "aa", true, &e), 0);
	assert_int_equal(snapshot_draft_disk(&d, NULL, &src, &e), -E2BIG);
	src.count = 0;
	assert_int_equal(snapshot_draft_disk(&d, NULL, &src, &e), -E2BIG);
	src.count = 1;
	src.layers[0] = "/nowhere/disk";
	assert_int_equal(snapshot_draft_disk(&d, NULL, &src, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "/nowhere/disk"));
	snapshot_draft_abandon(&d);
	s.disks[0].layers = SNAPSHOT_LAYERS_MAX;
	assert_int_equal(snapshot_clone_disk(&s, 0, world.dir, layers, &n, &e), -E2BIG);
	assert_non_null(strstr(e.msg, "'deep'"));
}

static void without_qemu_img_it_says_so(void **state)
{
	struct chain vm0 = {0};
	struct snapshot_disk_source src = {.count = 2, .lowest = "raw", .size = SIZE};
	autofree char *path = xstrdup(getenv("PATH"));
	struct err e = {0};

	(void)state;
	boot(&vm0);
	src.layers[0] = vm0.layers[0];
	src.layers[1] = vm0.layers[1];
	setenv("PATH", world.dir, 1);
	assert_int_equal(
		snap_make(&world, &(struct snap_spec){.name = "a", .mib = 1, .disk = &src}, &e),
		-ENOENT);
	setenv("PATH", path, 1);
	assert_non_null(strstr(e.msg, "qemu-utils"));
	src.size = (uint64_t)1 << 62; /* its own complaint reaches the user */
	assert_int_equal(
		snap_make(&world, &(struct snap_spec){.name = "a", .mib = 1, .disk = &src}, &e),
		-EIO);
	assert_non_null(strstr(e.msg, "exit 1"));
	assert_int_equal(snap_count(&world, "snapshots", NULL), 0);
	chain_fini(&vm0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(three_generations, setup, teardown),
		cmocka_unit_test_setup_teardown(a_shared_layer_is_checked_in_each, setup, teardown),
		cmocka_unit_test_setup_teardown(chains_have_a_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(without_qemu_img_it_says_so, setup, teardown),
	};

	return cmocka_run_group_tests_name("snapshot_disk", tests, NULL, NULL);
}
