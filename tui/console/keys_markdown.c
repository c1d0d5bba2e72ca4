/* The README's table of keys, from the table of actions. */
#include "tui/console/actions.h"
#include "tui/console/console.h"

/* Keys that do something to VMs come first, then those that move and look. */
static bool acts(const struct action_info *info)
{
	return info->flags & (ACTION_HINT | ACTION_ARG | ACTION_DESTROYS);
}

static const char *prefix_of(const struct action_info *info)
{
	if (info->contexts & CONTEXT_GUEST)
		return "C-] ";
	return info->contexts & CONTEXT_WINDOW && !(info->contexts & CONTEXT_ALL) ? "C-w " : "";
}

/* "`j` `Down`"; behind a prefix "`C-] d`". */
static void put_keys(FILE *f, const struct action_info *info)
{
	const char *list = info->keys, *space = "";
	console_key k;
	char text[16];

	while ((k = key_list_next(&list)) != K_NONE) {
		fprintf(f, "%s`%s%s`", space, prefix_of(info), key_text(text, sizeof(text), k));
		space = " ";
	}
}

static void put_rows(FILE *f, unsigned context, bool acting)
{
	for (int i = 0; i < ACT__COUNT; i++) {
		const struct action_info *info = &action_table[i];
		bool guest = info->contexts & CONTEXT_GUEST;
		bool window = context == CONTEXT_WINDOW;

		if (!(info->contexts & context) || (!guest && !window && acts(info) != acting) ||
			(window && (info->contexts & CONTEXT_ALL)))
			continue;
		fputs("| ", f);
		put_keys(f, info);
		if (guest || info->contexts & CONTEXT_COPY)
			fprintf(f, " | | %s%s |\n", guest ? "" : "in copy mode: ", info->help);
		else
			fprintf(f, " | `:%s` | %s |\n", info->name, info->help);
	}
}

void console_keys_markdown(FILE *f)
{
	fputs("| Keys | Command | Does |\n|---|---|---|\n", f);
	put_rows(f, CONTEXT_ALL, true);
	put_rows(f, CONTEXT_ALL, false);
	put_rows(f, CONTEXT_WINDOW, false);
	put_rows(f, CONTEXT_GUEST, false);
	put_rows(f, CONTEXT_COPY, false);
	put_rows(f, CONTEXT_REPLAY, false);
	put_rows(f, CONTEXT_REPLAY, true);
}
