// LIBS: base
// OBJS: tui/console/actions.c tui/console/keymap.c tui/console/keys.c tui/console/keys_file.c
// OBJS: tui/console/conf_file.c
// OBJS: tui/console/model*.c tui/console/read_only.c tui/console/figures.c tui/console/ring.c
/* The keys in force: each action bound anew, unbound, and what is wrong in keys.conf. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "backend/base/file.h"
#include "tui/console/keymap.h"

static char dir[64], said[2000];

static void on_complaint(void *user, const char *text)
{
	const char *slash = strrchr(text, '/');
	size_t len = strlen(said);

	(void)user;
	snprintf(said + len, sizeof(said) - len, "%s\n", slash ? slash + 1 : text);
}

/* The number of complaints; their texts are in said. */
static int load(const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/keys.conf", dir);
	assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
	said[0] = '\0';
	return keys_load(path, on_complaint, NULL);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/vmdeck-keys-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	keymap_reset();
	return tree_remove(dir, NULL);
}

static console_key key(const char *text)
{
	return key_parse(text, strlen(text));
}

/* Every action in every context it has: M-F9 can be its key, and it can have none. */
static void test_all(void **state)
{
	char text[64], keys[80];

	(void)state;
	for (int i = 0; i < ACT__COUNT; i++)
		for (const char *s = keymap_sections; *s; s += strspn(s, " ")) {
			char section[16];
			unsigned contexts;

			snprintf(section, sizeof(section), "%.*s", (int)strcspn(s, " "), s);
			s += strlen(section);
			contexts = keymap_section(section) & action_table[i].contexts;
			if (!contexts)
				continue;
			snprintf(text, sizeof(text), "[%s]\n%s = M-F9\n", section,
				action_table[i].name);
			assert_int_equal(load(text), 0);
			for (unsigned c = 1; c <= CONTEXT__LAST; c <<= 1)
				if (contexts & c)
					assert_int_equal(action_by_key(c, key("M-F9")), i);
			assert_string_equal(
				keymap_keys((enum action)i, contexts, keys, sizeof(keys)), "M-F9");
			snprintf(text, sizeof(text), "[%s]\n%s =\n", section, action_table[i].name);
			assert_int_equal(load(text), 0);
			assert_string_equal(
				keymap_keys((enum action)i, contexts, keys, sizeof(keys)), "");
		}
}

static void test_conflicts(void **state)
{
	(void)state;
	/* Two lines, one key: the first keeps it. */
	assert_int_equal(load("[list]\nstop = F5\nkill = F5\n"), 1);
	assert_string_equal(said, "keys.conf:3: F5 is bound to stop in line 2 already\n");
	assert_int_equal(action_by_key(CONTEXT_LIST, key("F5")), ACT_STOP);
	/* The same key in different places is none. */
	assert_int_equal(load("[list]\nstop = F5\n[snapshots]\nverify = F5\n"), 0);
	/* The only key of another action is not taken silently; with a line for it, it is. */
	assert_int_equal(load("[all]\nboot = x\n"), 1);
	assert_non_null(strstr(said, "keys.conf:2: this was the only key of stop"));
	assert_int_equal(load("[all]\nboot = x\nstop = b\n"), 0);
	assert_int_equal(action_by_key(CONTEXT_LIST, key("x")), ACT_BOOT);
	assert_int_equal(action_by_key(CONTEXT_LIST, key("b")), ACT_STOP);
	assert_int_equal(load("[all]\nboot = x\nstop =\n"), 0);
	assert_int_equal(action_by_key(CONTEXT_LIST, key("b")), ACT_NONE);
}

static void test_complaints(void **state)
{
	static const struct {
		const char *text, *complaint;
	} cases[] = {
		{"[lists]\nstop = x\n", "keys.conf:2: there is no section [lists]"},
		{"# a\n\n[list]\nstopp = x\n", "keys.conf:4: there is no action 'stopp'"},
		{"[list]\nstop = C-\n", "keys.conf:2: 'C-' is no key"},
		{"[list]\nverify = F5\n", "keys.conf:2: verify is not done in [list]"},
		{"[console]\nprefix = Foo\n", "keys.conf:2: prefix: 1 to 4 keys are wanted"},
		{"[list]\nstop\n", "keys.conf:2: expected '[section]' or 'action = keys'"},
		{"[list]\nstop = 1 2 3 4 5 6 7 8 9\n", "keys.conf:2: stop has 8 keys already"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(load(cases[i].text) >= 1);
		if (!strstr(said, cases[i].complaint))
			fail_msg("'%s' has no '%s'", said, cases[i].complaint);
	}
	/* The good lines of a file with bad ones count. */
	assert_int_equal(load("[list]\nstopp = x\nstop = F5\n"), 1);
	assert_int_equal(action_by_key(CONTEXT_LIST, key("F5")), ACT_STOP);
	assert_int_equal(keys_load("/nonexistent/keys.conf", NULL, NULL), 0);
	assert_int_equal(action_by_key(CONTEXT_LIST, key("x")), ACT_STOP);
}

static void test_prefix(void **state)
{
	char text[24];

	(void)state;
	assert_int_equal(load("[console]\nprefix = C-a F11\n"), 0);
	assert_true(keymap_is_prefix(key("C-a")) && keymap_is_prefix(key("F11")));
	assert_false(keymap_is_prefix(key("C-]")));
	assert_string_equal(keymap_prefix_text(text, sizeof(text)), "C-a");
}

/* Anything may stand in a file. */
static void test_noise(void **state)
{
	static const char alphabet[] = "[]lisatonp = \n\n\t;#CM-xF5\xff\x01";
	char text[3000];
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 300; round++) {
		size_t n = (size_t)snprintf(text, sizeof(text), round & 1 ? "[list]\nstop = " : "");

		while (n < sizeof(text) - 1) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			text[n++] = alphabet[(seed >> 33) % (sizeof(alphabet) - 1)];
		}
		text[n] = '\0';
		load(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_conflicts),
		cmocka_unit_test(test_complaints),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
