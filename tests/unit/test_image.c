/* Images on disk, and refusals in plain words. */
// LIBS: image base
// OBJS: tests/support/image_fake.c tests/support/image_world.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/image/kernel.h"
#include "tests/support/image_world.h"

static struct world world;

static int setup(void **state)
{
	(void)state;
	world_init(&world);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&world);
	return 0;
}

/* ---- images on disk ---------------------------------------------------------------------------
 */

static void names_are_checked(void **state)
{
	char long_name[301];
	struct image im;
	struct err e;

	(void)state;
	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[300] = '\0';
	const char *bad[] = {"", "../x", "a/b", ".hidden", "a\nb", "a b", "-f", long_name};

	for (size_t i = 0; i < countof(bad); i++) {
		assert_int_equal(image_load(&world.paths, bad[i], &im, &e), -EINVAL);
		assert_null(strchr(e.msg, '\n'));
		assert_int_equal(image_remove(&world.paths, bad[i], &e), -EINVAL);
		assert_int_equal(image_build(&world.paths, bad[i], false, NULL, NULL, &e), -EINVAL);
	}
	assert_int_not_equal(access(world.paths.home, F_OK), 0);
}

static void missing_ones_say_what_to_do(void **state)
{
	struct image im;
	struct err e;

	(void)state;
	assert_int_equal(image_load(&world.paths, "mini", &im, &e), -ENOENT);
	world_says(&e, "vmdeck image build mini");
	assert_int_equal(image_load(&world.paths, "other", &im, &e), -ENOENT);
	world_says(&e, "there is none; vmdeck image build makes mini");
	assert_int_equal(world_build(&world, false, &e), 0);
	assert_int_equal(image_load(&world.paths, "other", &im, &e), -ENOENT);
	world_says(&e, "there is mini");
	assert_int_equal(image_remove(&world.paths, "other", &e), -ENOENT);
	assert_int_equal(image_build(&world.paths, "other", false, NULL, NULL, &e), -ENOENT);
	world_says(&e, "it knows mini");
}

static void damage_is_seen_and_built_over(void **state)
{
	autofree char *initrd = world_path(&world, "home/images/mini/initrd.cpio");
	autofree char *manifest = world_path(&world, "home/images/mini/manifest.json");
	struct image im;
	struct err e;

	(void)state;
	assert_int_equal(world_build(&world, false, &e), 0);
	assert_int_equal(truncate(initrd, 100), 0);
	assert_int_equal(image_load(&world.paths, "mini", &im, &e), -EBADMSG);
	world_says(&e, "initrd.cpio has 100 bytes instead of");
	assert_int_equal(world_build(&world, false, &e), 0);
	world_check_good(&world);
	assert_int_equal(unlink(initrd), 0);
	assert_int_equal(image_load(&world.paths, "mini", &im, &e), -EBADMSG);
	world_says(&e, "initrd.cpio is missing");
	fake_text(manifest, "{\"format\":1,\"name\":5}");
	assert_int_equal(image_load(&world.paths, "mini", &im, &e), -EBADMSG);
	fake_text(manifest, "garbage\x01\x02");
	assert_int_equal(image_load(&world.paths, "mini", &im, &e), -EBADMSG);
	assert_int_equal(world_build(&world, false, &e), 0);
	world_check_good(&world);
}

static void cached_kernel_is_checked(void **state)
{
	autofree char *vmlinux = world_path(&world, "home/kernels/" FAKE_RELEASE "/vmlinux");
	autofree char *module =
		world_path(&world, "home/kernels/" FAKE_RELEASE "/modules/vsock.ko");
	struct kernel *k = xcalloc(1, sizeof(*k));
	struct stat st;
	struct err e;

	(void)state;
	assert_int_equal(world_build(&world, false, &e), 0);
	assert_int_equal(stat(vmlinux, &st), 0);
	assert_int_equal(st.st_nlink, 2); /* no second copy */
	fake_text(module, "bits have turned");
	assert_int_equal(kernel_load(&world.paths, FAKE_RELEASE, k, &e), -EBADMSG);
	kernel_fini(k);
	assert_int_equal(world_build(&world, true, &e), 0);
	assert_int_equal(kernel_load(&world.paths, FAKE_RELEASE, k, &e), 0);
	kernel_fini(k);
	free(k);
	world_check_good(&world);
}

static void stale_when_the_agent_changed(void **state)
{
	struct image a, b;
	char why[160];
	struct err e;

	(void)state;
	assert_int_equal(world_build(&world, false, &e), 0);
	assert_int_equal(image_load(&world.paths, "mini", &a, &e), 0);
	assert_false(image_is_stale(&a, why, sizeof(why)));
	assert_string_equal(why, "");
	fake_agent_file(world.dir, "agent 2");
	assert_true(image_is_stale(&a, why, sizeof(why)));
	assert_string_equal(why, "the agent has changed since it was built");
	assert_int_equal(world_build(&world, false, &e), 0);
	assert_int_equal(image_load(&world.paths, "mini", &b, &e), 0);
	assert_string_not_equal(a.build_id, b.build_id);
	assert_string_equal(a.config, b.config);
	b.config[0] = (char)(b.config[0] == '0' ? '1' : '0');
	assert_true(image_is_stale(&b, why, sizeof(why)));
	assert_string_equal(why, "its boot configuration has changed since it was built");
	/* The same parts give the same image again. */
	fake_agent_file(world.dir, "agent 1");
	assert_int_equal(world_build(&world, true, &e), 0);
	assert_int_equal(image_load(&world.paths, "mini", &b, &e), 0);
	assert_string_equal(a.build_id, b.build_id);
}

struct listed {
	char text[500];
};

static void on_image(void *user, const struct image *im, const struct err *e)
{
	struct listed *l = user;
	size_t n = strlen(l->text);

	snprintf(l->text + n, sizeof(l->text) - n, "%s%s ", im->name, e ? "(broken)" : "");
}

static void list_and_remove(void **state)
{
	autofree char *broken = world_path(&world, "home/images/broken/file");
	autofree char *temp = world_path(&world, "home/images/.x.tmp-abcdef/file");
	struct listed l = {""};
	struct image im;
	struct err e;

	(void)state;
	assert_int_equal(image_each(&world.paths, on_image, &l, &e), 0);
	assert_string_equal(l.text, "");
	assert_int_equal(world_build(&world, false, &e), 0);
	fake_text(broken, "");
	fake_text(temp, "");
	assert_int_equal(image_each(&world.paths, on_image, &l, &e), 0);
	assert_string_equal(l.text, "broken(broken) mini ");
	assert_int_equal(image_remove(&world.paths, "broken", &e), 0);
	assert_int_equal(image_remove(&world.paths, "mini", &e), 0);
	assert_int_equal(image_load(&world.paths, "mini", &im, &e), -ENOENT);
	assert_int_equal(image_remove(&world.paths, "mini", &e), -ENOENT);
}

static void no_remove_while_it_is_built(void **state)
{
	struct builder b;
	char line[100];
	struct err e;

	(void)state;
	assert_int_equal(world_build(&world, false, &e), 0);
	builder_start(&b, &world, true, true);
	assert_true(builder_line(&b, line, sizeof(line)));
	assert_int_equal(image_remove(&world.paths, "mini", &e), -EBUSY);
	world_says(&e, "is being built by process");
	builder_go(&b);
	assert_int_equal(builder_end(&b, NULL), 0);
	assert_int_equal(image_remove(&world.paths, "mini", &e), 0);
}

/* ---- refusals ---------------------------------------------------------------------------------
 */

static void bad_programs_are_refused(void **state)
{
	autofree char *agent = world_path(&world, "libexec/vmdeck-agent");
	struct err e;

	(void)state;
	fake_text(agent, "#!/bin/sh\n");
	world_refused(&world, -ENOEXEC, "is no static x86-64 program");
	fake_agent_file(world.dir, "good");
	world_script(&world, "busybox", "echo sh");
	world_refused(&world, -ENOEXEC, "install package busybox-static");
	setenv("PATH", "/nowhere", 1);
	world_refused(&world, -ENOENT, "install package busybox-static");
	setenv("PATH", world.path, 1);
	assert_int_equal(world_build(&world, false, &e), 0);
}

static void bad_packages_are_refused(void **state)
{
	autofree char *deb = NULL, *garbage = world_path(&world, "garbage.deb");
	struct fake_package no_vsock = {.dir = world.dir, .no_module = "vsock"};
	struct fake_package gzip = {.dir = world.dir, .packer = "\x1f\x8b........."};
	struct fake_package good = {.dir = world.dir};
	struct fake_package xz = {.dir = world.dir, .compressed = true};

	(void)state;
	fake_text(garbage, "this is no package");
	setenv("VMDECK_KERNEL_DEB", garbage, 1);
	world_refused(&world, -EIO, "VMDECK_KERNEL_DEB: dpkg-deb: exit 2");
	setenv("VMDECK_KERNEL_DEB", "/nowhere/kernel.deb", 1);
	world_refused(&world, -ENOENT, "/nowhere/kernel.deb");
	setenv("VMDECK_KERNEL_DEB", world.dir, 1);
	world_refused(&world, -EINVAL, "is no package file");
	setenv("VMDECK_KERNEL_DEB", world.deb, 1);
	deb = fake_deb(&no_vsock);
	world_refused(&world, -ENOENT, "has no module 'vsock'");
	free(deb);
	deb = fake_deb(&gzip);
	world_refused(&world, -EOPNOTSUPP, "compressed by gzip");
	free(deb);
	deb = fake_deb(&xz);
	world_refused(&world, -EOPNOTSUPP, "modules are compressed (.ko.xz)");
	free(deb);
	deb = fake_deb(&good);
	assert_int_equal(truncate(deb, 30000), 0);
	world_refused(&world, -EIO, "dpkg-deb");
}

static void further_needs_come_along(void **state)
{
	struct fake_package p = {.dir = world.dir, .extra_need = "extra_one"};
	struct kernel *k = xcalloc(1, sizeof(*k));
	autofree char *deb = fake_deb(&p);
	struct err e;

	(void)state;
	assert_int_equal(world_build(&world, false, &e), 0);
	assert_int_equal(kernel_load(&world.paths, FAKE_RELEASE, k, &e), 0);
	assert_non_null(modules_find(&k->modules, "extra_one"));
	assert_null(modules_find(&k->modules, "unwanted"));
	kernel_fini(k);
	free(k);
	world_check_good(&world);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(names_are_checked),
		T(missing_ones_say_what_to_do),
		T(damage_is_seen_and_built_over),
		T(cached_kernel_is_checked),
		T(stale_when_the_agent_changed),
		T(list_and_remove),
		T(no_remove_while_it_is_built),
		T(bad_programs_are_refused),
		T(bad_packages_are_refused),
		T(further_needs_come_along),
	};

	return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
