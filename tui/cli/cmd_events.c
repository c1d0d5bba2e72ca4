/* events: the event log, stored and live. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/cli.h"
#include "tui/cli/text.h"

#define LIMIT_DEFAULT   100
#define LIMIT_FOLLOWING 10
#define RECONNECTS      3
#define VITALS_SHARE    8     /* of the events of a quiet host, how many are vitals */
#define EVENTS_MAX      10000 /* that the daemon gives at once */

struct follow {
	struct cli *c;
	const char *given; /* --vm, or NULL */
	char vm[64];       /* its id when it is a VM that is there */
	bool all;
	int64_t seq; /* newest printed */
	bool ended;
	int r;
	struct err *e;
};

static void print_event(const struct cli *c, struct json_object *ev)
{
	const char *vm = jsonx_str(ev, "vm_name"), *name = jsonx_str(ev, "name");
	char when[40], who[64], what[64], fields[1000];
	bool bad = name && (strstr(name, "fail") || strstr(name, "gap") || strstr(name, "lost"));

	if (c->json) {
		cli_print_json(ev, true);
		return;
	}
	text_time(when, sizeof(when), (uint64_t)jsonx_int(ev, "wall_ns", 0));
	str_safe(who, sizeof(who), vm && *vm ? vm : "-");
	str_safe(what, sizeof(what), name ? name : "?");
	text_fields(fields, sizeof(fields), jsonx_get(ev, "fields"));
	printf("%s%s%s  %-12s  %s%-20s%s%s%s\n", tint_on(TINT_DIM, c->color), when,
		tint_off(c->color), who, tint_on(bad ? TINT_BAD : TINT_NONE, c->color), what,
		bad ? tint_off(c->color) : "", *fields ? "  " : "", fields);
}

static bool is_vitals(struct json_object *ev)
{
	const char *name = jsonx_str(ev, "name");

	return name && strcmp(name, "vitals") == 0;
}

static bool is_wanted(const struct follow *f, struct json_object *ev)
{
	const char *id = jsonx_str(ev, "vm"), *name = jsonx_str(ev, "vm_name");

	if (!f->all && is_vitals(ev))
		return false;
	if (!f->given)
		return true;
	if (f->vm[0])
		return id && strcmp(id, f->vm) == 0;
	return (id && strcmp(id, f->given) == 0) || (name && strcmp(name, f->given) == 0);
}

static void on_event(void *user, struct json_object *ev, bool gap)
{
	struct follow *f = user;

	if (gap)
		fputs("vmdeck: some events are missing here\n", stderr);
	f->seq = jsonx_int(ev, "seq", f->seq);
	if (!is_wanted(f, ev))
		return;
	print_event(f->c, ev);
	if (fflush(stdout) < 0) {
		f->ended = true;
		ev_break(f->c->loop, EVBREAK_ONE);
	}
}

static void on_lost(void *user, const struct err *e)
{
	struct follow *f = user;

	f->ended = true;
	f->r = -ECONNRESET;
	*f->e = *e;
	ev_break(f->c->loop, EVBREAK_ONE);
}

/* --vm may be a prefix; a VM that is gone is known to the log by its full name or id only. */
static int look_up(struct cli *c, struct follow *f, struct err *e)
{
	autojson struct json_object *vm = NULL;
	int r;

	if (!f->given)
		return 0;
	r = cli_call(c, "vm.get", cli_vm_params(f->given), CLI_CALL_S, &vm, e);
	if (r == 0)
		snprintf(f->vm, sizeof(f->vm), "%s", jsonx_str(vm, "id"));
	return r;
}

/* The newest `limit` events that are wanted: vitals are left out here, so more are asked for. */
static int get_stored(struct follow *f, int64_t limit, struct json_object **ret, struct err *e)
{
	autojson struct json_object *list = NULL, *wanted = json_object_new_array();
	struct json_object *params = json_object_new_object();
	int64_t ask = f->all ? limit : min_of(limit * VITALS_SHARE + 100, EVENTS_MAX), skip;
	int r;

	jsonx_add_int(params, "limit", ask);
	if (f->given)
		jsonx_add_str(params, "vm", f->vm[0] ? f->vm : f->given);
	r = cli_call(f->c, "event.list", params, CLI_CALL_S, &list, e);
	if (r < 0)
		return r;
	if (!json_object_is_type(list, json_type_array))
		return err_set(e, EPROTO, "vmdeckd's answer to event.list is no list");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *ev = json_object_array_get_idx(list, i);

		f->seq = max_of(f->seq, jsonx_int(ev, "seq", 0));
		if (f->all || !is_vitals(ev))
			json_object_array_add(wanted, json_object_get(ev));
	}
	skip = (int64_t)json_object_array_length(wanted) - limit;
	if (skip > 0)
		json_object_array_del_idx(wanted, 0, (size_t)skip);
	*ret = steal_ptr(&wanted);
	return 0;
}

static void print_stored(struct cli *c, struct json_object *list, bool following)
{
	if (c->json && !following) {
		cli_print_json(list, false);
		return;
	}
	for (size_t i = 0; i < json_object_array_length(list); i++)
		print_event(c, json_object_array_get_idx(list, i));
}

static int follow_once(struct cli *c, struct follow *f, struct err *e)
{
	struct json_object *params = json_object_new_object();
	int r;

	jsonx_add_int(params, "since", f->seq);
	f->ended = false;
	f->r = 0;
	api_set_event_handler(c->api, on_event, f);
	r = cli_call(c, "event.subscribe", params, CLI_CALL_S, NULL, e);
	if (r < 0)
		return r;
	api_set_lost_handler(c->api, on_lost, f);
	while (!f->ended)
		ev_run(c->loop, 0);
	return f->r;
}

/* A daemon that dies is followed by one that goes on with the numbers of the log. */
static int follow_on(struct cli *c, struct follow *f, struct err *e)
{
	int64_t reached;
	int r;

	fflush(stdout);
	for (int tries = 0;; tries++) {
		reached = f->seq;
		r = cli_open(c, false, e);
		if (r == 0)
			r = follow_once(c, f, e);
		if (r != -ECONNRESET || tries == RECONNECTS)
			return r;
		if (f->seq > reached)
			tries = 0;
		api_close(c->api);
		c->api = NULL;
	}
}

int cmd_events(struct cli *c)
{
	autojson struct json_object *list = NULL;
	bool following = opt_given(&c->opts, "follow");
	int64_t limit = opt_num(&c->opts, "limit", following ? LIMIT_FOLLOWING : LIMIT_DEFAULT);
	struct err e = {0}, unknown = {0};
	struct follow f = {.c = c,
		.given = opt_str(&c->opts, "vm", NULL),
		.all = opt_given(&c->opts, "all"),
		.e = &e};

	if (cli_open(c, false, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	f.seq = jsonx_int(api_hello(c->api), "seq", 0);
	(void)look_up(c, &f, &unknown);
	if (limit > 0 && get_stored(&f, limit, &list, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (!list)
		list = json_object_new_array();
	if (unknown.code && !json_object_array_length(list))
		return cli_fail(&unknown, EXIT_FAILED);
	print_stored(c, list, following);
	if (following && follow_on(c, &f, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	return EXIT_OK;
}
