/* Health of a VM: its cell in the list, and its page. */
#include <string.h>

#include "backend/base/str.h"
#include "tui/console/app.h"
#include "tui/console/clock.h"
#include "tui/console/views.h"

static const struct {
	const char *state;
	enum glyph glyph;
	enum role role;
} looks[] = {
	{"healthy", GLYPH_RUNNING, ROLE_STATE_RUNNING},
	{"starting", GLYPH_STARTING, ROLE_STATE_STARTING},
	{"unhealthy", GLYPH_FAILED, ROLE_HEALTH_WARN},
	{"timeout", GLYPH_FAILED, ROLE_HEALTH_WARN},
	{"unreachable", GLYPH_FAILED, ROLE_HEALTH_WARN},
	{"stopped", GLYPH_STOPPED, ROLE_STATE_STOPPED},
	{"unknown", GLYPH_UNKNOWN, ROLE_TEXT_DIM},
};

static size_t look_of(const char *state)
{
	size_t i = 0;

	while (i < countof(looks) - 1 && strcmp(looks[i].state, state) != 0)
		i++;
	return i;
}

bool health_is_bad(const struct deck_vm *vm)
{
	return deck_vm_alive(vm) && looks[look_of(vm->health)].role == ROLE_HEALTH_WARN;
}

/* Checks are known; else it is from before there were any. */
static bool checked(const struct deck_vm *vm)
{
	return vm->check.probe[0] || (vm->health[0] && strcmp(vm->health, "unknown") != 0);
}

void cell_health(const void *row, struct cell *c)
{
	const struct deck_vm *vm = row;
	size_t i = look_of(vm->health);

	if (!deck_vm_alive(vm) || !checked(vm)) {
		c->role = ROLE_TEXT_DIM;
		cell_printf(c, "-");
		return;
	}
	c->glyph = (int)looks[i].glyph;
	c->role = looks[i].role;
	cell_printf(c, "%s", vm->health);
}

/* ---- the page -------------------------------------------------------------------------------- */

static char *age_text(char *out, size_t n, uint64_t since_ns, uint64_t now_ns)
{
	if (!since_ns || since_ns > now_ns)
		snprintf(out, n, "0 s");
	else
		str_duration(out, n, (now_ns - since_ns) / 100000000 * 100000000);
	return out;
}

/* What can be said without a check. */
static const char *state_before(const struct deck_vm *vm)
{
	if (!deck_vm_alive(vm))
		return "stopped";
	if (vm->state == DECK_STARTING)
		return "starting";
	if (!vm->agent)
		return "unreachable";
	return vm->health[0] && strcmp(vm->health, "unknown") != 0 ? vm->health : "agent answers";
}

static const char *why_before(const struct deck_vm *vm)
{
	if (!deck_vm_alive(vm))
		return vm->reason[0] ? vm->reason : "its VMM has ended";
	if (vm->state == DECK_STARTING)
		return "its agent has not answered HELLO yet";
	if (vm->state == DECK_PAUSED)
		return "its CPUs are paused: nothing in it runs";
	if (!vm->agent)
		return "its agent has lost the connection and redials";
	return vm->snapshot[0] ? "its agent answered the probe after the restore"
			       : "its agent is connected";
}

static void put_unchecked(struct page *pg, const struct deck_vm *vm)
{
	bool bad = deck_vm_alive(vm) && !vm->agent && vm->state != DECK_STARTING;
	struct pen pen = page_line(pg);
	char a[64], b[64];

	pen_column(&pen, ROLE_TEXT_DIM, PAGE_LABEL, "health");
	pen_put(&pen, bad ? ROLE_HEALTH_WARN : state_role(vm->state), state_before(vm));
	page_field(pg, "why", "%s", why_before(vm));
	page_field(pg, "probe", "agent: its connection, and the vitals it sends by itself");
	if (vm->checked_ns)
		page_field(pg, "last check", "%s ago (%s)",
			age_text(a, sizeof(a), vm->checked_ns, pg->now_ns),
			time_text(b, sizeof(b), vm->checked_ns));
	else
		page_field(pg, "last check", "none yet");
}

static void put_checked(struct page *pg, const struct deck_vm *vm)
{
	const struct deck_check *c = &vm->check;
	size_t look = look_of(vm->health);
	struct pen pen = page_line(pg);
	char a[64], b[64], took[32];

	pen_column(&pen, ROLE_TEXT_DIM, PAGE_LABEL, "health");
	pen_printf(&pen, looks[look].role, "%s %s", paint_glyph(pg->paint, looks[look].glyph),
		vm->health);
	pen_printf(&pen, ROLE_TEXT, " for %s", age_text(a, sizeof(a), c->since_ns, pg->now_ns));
	if (c->failed)
		pen_printf(&pen, ROLE_HEALTH_WARN, ", %lld failed check%s in a row",
			(long long)c->failed, c->failed == 1 ? "" : "s");
	page_field(pg, "why", "%s", c->why);
	page_field(pg, "probe", "%s%s%s", c->probe, c->target[0] ? ": " : "", c->target);
	if (c->at_ns)
		page_field(pg, "last check", "%s ago, took %s (%s)",
			age_text(a, sizeof(a), c->at_ns, pg->now_ns),
			ms_text(took, sizeof(took), c->took_ms), time_text(b, sizeof(b), c->at_ns));
	else
		page_field(pg, "last check", "none yet");
	if (c->interval_s > 0)
		page_field(pg, "checks", "every %g s while healthy, limit %g s", c->interval_s,
			c->timeout_s);
}

void draw_health(struct page *pg, const struct deck_vm *vm)
{
	const struct figures *fs = vm->figures;
	char a[64];

	if (vm->check.probe[0])
		put_checked(pg, vm);
	else
		put_unchecked(pg, vm);
	page_field(pg, "state", "%s for %s%s%s", deck_state_names[vm->state],
		age_text(a, sizeof(a), vm->since_ns, pg->now_ns), vm->reason[0] ? ": " : "",
		vm->reason);
	if (vm->exited)
		page_field(pg, "main process", "%s %lld", vm->exit_how, (long long)vm->exit_value);
	if (fs && fs->oom_kills >= 0)
		page_field(pg, "oom kills", "%.0f%s", fs->oom_kills,
			fs->oom_kills > 0 ? ": its memory was not enough" : "");
}
