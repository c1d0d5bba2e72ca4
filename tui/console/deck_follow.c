/* Output and serial console of a VM into their panes: where to begin, where to go on, gaps. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/console/deck_impl.h"

#define TAIL          (64 * 1024)   /* shown of what was written before */
#define TAIL_BOOT     (256 * 1024)  /* of the serial console while it boots */
#define CATCH_UP      (1024 * 1024) /* more than that is skipped, with a ruled line */
#define SKIP_LINE_MAX 4096          /* of a line that a tail cut in half */

static struct json_object *follow_params(struct deck_tab *t, enum source source)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "vm", t->deck->vm.id);
	if (source == SOURCE_SERIAL) {
		jsonx_add_bool(o, "serial", true);
		jsonx_add_bool(o, "follow", true);
		if (t->serial_next)
			jsonx_add_int(o, "since", (int64_t)t->serial_next);
		else
			jsonx_add_int(o, "tail", t->id == TAB_OUTPUT ? TAIL_BOOT : TAIL);
		return o;
	}
	if (t->known)
		jsonx_add_int(o, "since", (int64_t)t->output_next);
	else
		jsonx_add_int(o, "tail", TAIL);
	if (source == SOURCE_ATTACH) {
		jsonx_add_int(o, "rows", t->rows);
		jsonx_add_int(o, "cols", t->cols);
	} else {
		jsonx_add_bool(o, "follow", true);
	}
	return o;
}

static void tab_refused(struct deck_tab *t, enum source source, const struct err *e)
{
	struct decks *ds = t->deck->decks;

	/* A lost connection is told by the link, once for all. */
	if (e->code == ECONNRESET || e->code == EPIPE)
		return;
	t->blocked = source;
	/* The console of a VM that is about to boot comes with the next step. */
	if (source == SOURCE_SERIAL && e->code == ENOENT && t->deck->vm.state == DECK_STARTING)
		return;
	tab_rule(t, 0, "%s", e->msg);
	ds->h->notice(ds->user, NOTICE_ERROR, e->msg);
	if (t->id == TAB_OUTPUT && t->deck->attached)
		ds->h->released(ds->user, t->deck, t->id);
}

void tab_follow(struct deck_tab *t, enum source source)
{
	struct err e = {0};

	tab_pane(t);
	/* The agent numbers its output from the boot on: all of it belongs behind the boot. */
	if (t->source == SOURCE_NONE && t->id == TAB_OUTPUT && source == SOURCE_SERIAL) {
		t->known = true;
		t->output_next = 0;
	}
	/* Looking at the serial console again shows it from its tail on; after a loss of the daemon
	 * it goes on behind the ruled line. */
	if (t->id == TAB_SERIAL && !t->serial_next)
		pane_reset(t->pane);
	pane_set_lines(t->pane, source == SOURCE_SERIAL || !t->deck->vm.tty);
	t->ended = false;
	t->blocked = SOURCE_NONE;
	t->source = source;
	t->feed.next = t->output_next;
	if (feed_open(&t->feed, t->deck->decks->link->client,
		    source == SOURCE_ATTACH ? "vm.attach" : "vm.logs", follow_params(t, source),
		    &e) < 0) {
		t->source = SOURCE_NONE;
		tab_refused(t, source, &e);
	}
}

/* The serial console is there again after the daemon was lost. */
static void serial_again(struct deck_tab *t, uint64_t start, uint64_t end)
{
	uint64_t next = t->serial_next;
	char size[32];

	t->serial_next = 0;
	if (end > next && end - next > CATCH_UP) {
		tab_rule(t, 0, "%s of the serial console are not shown here",
			str_bytes(size, sizeof(size), end - next - TAIL));
		t->serial_next = end - TAIL;
		tab_follow(t, SOURCE_SERIAL);
	} else if (start > next) {
		tab_rule(t, 0, "%s of the serial console are no longer kept",
			str_bytes(size, sizeof(size), start - next));
	}
}

static void on_open(struct feed *f, struct json_object *result)
{
	struct deck_tab *t = f->user;
	uint64_t start = (uint64_t)jsonx_int(result, "start", 0);
	uint64_t end = (uint64_t)jsonx_int(result, "end", 0);
	uint64_t first = (uint64_t)jsonx_int(result, "first", 0);
	char size[32];

	if (t->source == SOURCE_SERIAL) {
		f->skip = start > first && !t->serial_next ? SKIP_LINE_MAX : 0;
		f->next = start;
		if (t->id == TAB_SERIAL && t->serial_next)
			serial_again(t, start, end);
		return;
	}
	if (!t->known) {
		f->skip = start > first ? SKIP_LINE_MAX : 0;
	} else if (end > t->output_next && end - t->output_next > CATCH_UP) {
		tab_rule(t, 0, "%s of output are not shown here",
			str_bytes(size, sizeof(size), end - t->output_next - TAIL));
		t->output_next = end - TAIL;
		tab_follow(t, t->source);
		return;
	} else if (start > t->output_next) {
		tab_rule(t, 0, "%s of output are no longer kept",
			str_bytes(size, sizeof(size), start - t->output_next));
	}
	t->known = true;
	t->caught_up = end;
	f->next = start;
}

char *deck_end_text(const struct deck_vm *vm, char *out, size_t n)
{
	char how[64] = "";

	if (vm->exited)
		snprintf(how, sizeof(how), " (main process: %s %lld)", vm->exit_how,
			(long long)vm->exit_value);
	snprintf(out, n, "%s%s%.160s%s", deck_state_names[vm->state], vm->reason[0] ? ": " : "",
		vm->reason, how);
	return out;
}

static void on_end(struct feed *f, int r, const struct err *e)
{
	struct deck_tab *t = f->user;
	struct decks *ds = t->deck->decks;
	enum source source = t->source;
	char text[300];

	if (source != SOURCE_SERIAL)
		t->output_next = f->next;
	else if (t->id == TAB_OUTPUT || r < 0)
		t->serial_next = f->next;
	t->source = SOURCE_NONE;
	if (r < 0) {
		tab_refused(t, source, e);
		return;
	}
	t->ended = true;
	if (t->id != TAB_OUTPUT || source == SOURCE_SERIAL)
		return;
	pane_settle(t->pane);
	if (t->late[0])
		deck_turn(t->deck);
	else if (!deck_vm_alive(&t->deck->vm))
		tab_rule(t, t->deck->vm.since_ns, "%s",
			deck_end_text(&t->deck->vm, text, sizeof(text)));
	if (t->deck->attached)
		ds->h->released(ds->user, t->deck, t->id);
}

const struct feed_ops follow_ops = {.on_open = on_open, .on_end = on_end};

uint64_t deck_behind(const struct deck *d, enum tab tab)
{
	const struct deck_tab *t = &d->tab[tab];
	uint64_t behind = t->feed.pending.len;

	/* Of what it had when the stream was opened. */
	if ((t->source == SOURCE_OUTPUT || t->source == SOURCE_ATTACH) && t->feed.open &&
		t->caught_up > t->feed.next)
		behind += t->caught_up - t->feed.next;
	return behind;
}

void tab_rule_late(struct deck_tab *t, uint64_t wall, bool at_end, const char *text)
{
	/* Only the last one: what lies between is in the timeline. */
	snprintf(t->late, sizeof(t->late), "%.230s", text);
	t->late_at_end = at_end;
	t->late_wall = wall;
	deck_turn(t->deck);
}

void deck_turn(struct deck *d)
{
	struct deck_tab *t = &d->tab[TAB_OUTPUT];
	bool due;

	if (!t->late[0] || !t->pane)
		return;
	due = t->ended || t->source == SOURCE_SERIAL ||
	      (!t->late_at_end && t->feed.open && t->feed.next >= t->caught_up);
	if (!due)
		return;
	if (t->late_at_end) {
		feed_settle(&t->feed);
		pane_settle(t->pane);
	}
	tab_rule(t, t->late_wall, "%s", t->late);
	t->late[0] = '\0';
}
