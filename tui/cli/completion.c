/* Completion scripts, from the table of commands. */
#include <errno.h>
#include <string.h>

#include "backend/base/str.h"
#include "tui/cli/completion_impl.h"

const char *completion_second(const struct command *cmd, char *first, size_t n)
{
	size_t len = strcspn(cmd->name, " ");

	snprintf(first, n, "%.*s", (int)len, cmd->name);
	return cmd->name[len] ? cmd->name + len + 1 : NULL;
}

void completion_each_first(FILE *f, completion_word *fn)
{
	char word[32], last[32] = "";

	for (size_t i = 0; i < command_count; i++) {
		bool two = completion_second(&commands[i], word, sizeof(word)) != NULL;

		if (command_hidden(&commands[i]) || strcmp(word, last) == 0)
			continue;
		fn(f, word, two ? NULL : &commands[i]);
		memcpy(last, word, sizeof(last));
	}
}

void completion_each_second(FILE *f, const char *group, completion_word *fn)
{
	char word[32];

	for (size_t i = 0; i < command_count; i++) {
		const char *second = completion_second(&commands[i], word, sizeof(word));

		if (second && strcmp(word, group) == 0)
			fn(f, second, &commands[i]);
	}
}

void completion_put_word(FILE *f, const char *word, const struct command *cmd)
{
	(void)cmd;
	fprintf(f, "%s ", word);
}

void completion_put_quoted(FILE *f, const char *s, const char *escaped)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", f);
		else if (strchr(escaped, *s))
			fprintf(f, "\\%c", *s);
		else
			fputc(*s, f);
	}
}

int completion_print(FILE *f, const char *shell, struct err *e)
{
	static const struct {
		const char *shell;
		void (*print)(FILE *f);
	} shells[] = {
		{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};
	char safe[60];

	for (size_t i = 0; i < countof(shells); i++)
		if (strcmp(shells[i].shell, shell) == 0) {
			shells[i].print(f);
			return 0;
		}
	return err_set(e, EINVAL, "no completion for '%s': there is bash, zsh and fish",
		str_safe(safe, sizeof(safe), shell));
}
