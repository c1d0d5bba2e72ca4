#include "tui/console/complete.h"

#include <string.h>

#include "tui/console/layouts.h"

/* The word that is typed, and what it could become. */
struct words {
	const char *typed;
	size_t common; /* bytes that all share */
	int count;
	char first[OPTION_TEXT];
	char *hint; /* all of them, with spaces between */
	size_t len, room;
};

static void add(struct words *w, const char *word)
{
	if (strncmp(word, w->typed, strlen(w->typed)) != 0)
		return;
	if (w->count++ == 0) {
		snprintf(w->first, sizeof(w->first), "%s", word);
		w->common = strlen(w->first);
	}
	while (strncmp(word, w->first, w->common) != 0)
		w->common--;
	if (w->len < w->room)
		w->len += (size_t)snprintf(w->hint + w->len, w->room - w->len, "%s ", word);
}

static void add_list(struct words *w, const char *list)
{
	char word[OPTION_TEXT];

	while (*list) {
		size_t n = strcspn(list, " ");

		snprintf(word, sizeof(word), "%.*s", (int)min_of(n, sizeof(word) - 1), list);
		add(w, word);
		list += n + strspn(list + n, " ");
	}
}

static void add_themes(struct words *w)
{
	char **names = themes_list();

	for (char **name = names; *name; name++)
		add(w, *name);
	themes_free(names);
}

static void add_layouts(struct words *w)
{
	char names[2000];

	if (layout_list(names, sizeof(names), NULL) > 0)
		add_list(w, names);
}

static void add_values(struct words *w, const char *arg)
{
	char name[48];
	enum option_id id;

	snprintf(
		name, sizeof(name), "%.*s", (int)min_of(strcspn(arg, "= "), sizeof(name) - 1), arg);
	id = option_by_name(name, NULL);
	if (id == OPTION_NONE)
		return;
	if (option_table[id].type == OPTION_BOOL)
		add_list(w, "on off");
	else if (strcmp(option_table[id].words, "@theme") == 0)
		add_themes(w);
	else if (option_table[id].type == OPTION_CHOICE)
		add_list(w, option_table[id].words);
}

static void add_options(struct words *w)
{
	for (int i = 0; i < OPTION__COUNT; i++)
		if (!(option_table[i].flags & OPTION_START))
			add(w, option_table[i].name);
}

static void collect(struct app *a, struct words *w, enum action act, const char *arg)
{
	if (act == ACT_THEME)
		add_themes(w);
	else if (act == ACT_SET && w->typed > arg)
		add_values(w, arg);
	else if (act == ACT_SET)
		add_options(w);
	else if (act == ACT_LAYOUT && w->typed == arg)
		add_list(w, "save load rm");
	else if (act == ACT_LAYOUT)
		add_layouts(w);
	for (int i = 0; act == ACT_RESTORE && i < a->model.snapshots; i++)
		add(w, a->model.snapshot[i]->name);
	for (int i = 0; act == ACT_BOOT && i < a->model.images; i++)
		add(w, a->model.image[i].name);
}

void argument_complete(struct app *a, struct edit *ed, char *out, size_t n)
{
	size_t name = strcspn(ed->text, " ");
	const char *arg = ed->text + name + strspn(ed->text + name, " ");
	enum action act = action_by_name(ed->text, name);
	struct words w = {.typed = arg, .hint = out, .room = n};
	char full[EDIT_MAX];

	for (const char *s = arg; *s; s++)
		if (*s == ' ' || (*s == '=' && act == ACT_SET))
			w.typed = s + 1;
	out[0] = '\0';
	if (act == ACT_NONE)
		return;
	collect(a, &w, act, arg);
	if (w.count == 0) {
		snprintf(out, n, "%s", action_table[act].help);
		return;
	}
	if (w.count == 1)
		out[0] = '\0';
	snprintf(full, sizeof(full), "%.*s%.*s%s", (int)(w.typed - ed->text), ed->text,
		(int)w.common, w.first,
		w.count == 1 && act == ACT_SET && w.typed == arg ? "=" : "");
	edit_set(ed, full);
}
