/* health: what the last check of a VM said. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/lists.h"

#define LABEL "%-11s "

static void put(const char *label, const char *text)
{
	char safe[700];

	if (*text)
		printf(LABEL "%s\n", label, str_safe(safe, sizeof(safe), text));
}

static void put_last_check(struct json_object *o)
{
	uint64_t at = list_u64(o, "at_ns");
	char age[32], took[32];

	if (!at) {
		put("last check", "none yet");
		return;
	}
	printf(LABEL "%s ago, took %s\n", "last check", text_age(age, sizeof(age), at),
		str_duration(took, sizeof(took),
			(uint64_t)(json_object_get_double(jsonx_get(o, "took_ms")) * 1e6)));
}

static void print_health(const struct cli *c, struct json_object *o)
{
	const char *state = list_text(o, "state");
	int failed = (int)jsonx_int(o, "failed", 0);
	char age[32];

	printf(LABEL "%s%s%s for %s", "health", tint_on(tint_of_state(state), c->color), state,
		tint_off(c->color), text_age(age, sizeof(age), list_u64(o, "since_ns")));
	if (failed)
		printf(", %d failed check%s in a row", failed, failed == 1 ? "" : "s");
	printf("\n");
	put("reason", list_text(o, "reason"));
	put("probe", list_text(o, "probe"));
	put("target", list_text(o, "target"));
	put_last_check(o);
	printf(LABEL "every %g s while healthy, limit %g s\n", "checks",
		json_object_get_double(jsonx_get(o, "interval_s")),
		json_object_get_double(jsonx_get(o, "timeout_s")));
}

int cmd_health(struct cli *c)
{
	autojson struct json_object *result = NULL;
	struct json_object *params = json_object_new_object();
	struct err e = {0};

	jsonx_add_str(params, "vm", c->opts.args[0]);
	if (cli_call(c, "vm.health", params, CLI_CALL_S, &result, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (c->json)
		cli_print_json(result, false);
	else
		print_health(c, result);
	return EXIT_OK;
}
