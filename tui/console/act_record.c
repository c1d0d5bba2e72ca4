/* :record and its marks. */
#include "backend/base/str.h"
#include "tui/console/act.h"
#include "tui/record/recorder.h"

void record_fini(struct app *a)
{
	recorder_stop(a->recorder, "the console was left");
	a->recorder = NULL;
}

const char *record_text(const struct app *a, char *out, size_t n)
{
	char size[32];

	snprintf(out, n, " REC %s ", str_bytes(size, sizeof(size), recorder_bytes(a->recorder)));
	return out;
}

static void on_ended(void *user, const struct err *why)
{
	struct app *a = user;

	recorder_stop(a->recorder, why->msg);
	a->recorder = NULL;
	app_notice(a, NOTICE_ERROR, "the recording has ended: %s", why->msg);
}

static void stop(struct app *a)
{
	char size[32], took[32];

	str_bytes(size, sizeof(size), recorder_bytes(a->recorder));
	str_duration(took, sizeof(took), (uint64_t)recorder_ms(a->recorder) * 1000000);
	app_notice(a, NOTICE_OK, "%s of %s in '%.200s': vmdeck replay shows it", size, took,
		recorder_path(a->recorder));
	recorder_stop(a->recorder, "ended by the operator");
	a->recorder = NULL;
}

void act_RECORD(struct app *a, const char *arg)
{
	const struct recorder_opts o = {.path = arg, .from_console = true};
	struct err e = {0};

	if (a->recorder && !*arg)
		stop(a);
	else if (a->recorder)
		app_notice(a, NOTICE_WARN,
			"a recording is under way into '%.200s': :record ends it",
			recorder_path(a->recorder));
	else if (a->replay)
		app_notice(a, NOTICE_WARN, "this is a recording already");
	else if (!*arg)
		app_notice(a, NOTICE_ERROR, "into which file? :record FILE");
	else if (recorder_start(&a->recorder, a->loop, &o, on_ended, a, &e) < 0)
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
	else
		app_notice(a, NOTICE_OK, "recording into '%.200s': :record ends it", arg);
}

void act_RECORD_MARK(struct app *a, const char *arg)
{
	struct err e = {0};

	if (!a->recorder)
		app_notice(a, NOTICE_WARN, "nothing is recorded: :record FILE begins");
	else if (recorder_mark(a->recorder, *arg ? arg : "mark", &e) < 0)
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
	else
		app_notice(a, NOTICE_OK, "marked");
}
