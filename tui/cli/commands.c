#include "tui/cli/commands.h"

#include <errno.h>
#include <string.h>

#include "backend/base/str.h"

#define FLAG(name, letter, help)                                                                   \
	{                                                                                          \
		name, letter, OPT_FLAG, NULL, help, NULL, 0, 0                                     \
	}
#define VALUE(type, name, letter, arg, help, words)                                                \
	{                                                                                          \
		name, letter, OPT_##type, arg, help, words, 0, 0                                   \
	}
#define NUMBER(name, letter, min, max, arg, help)                                                  \
	{                                                                                          \
		name, letter, OPT_INT, arg, help, NULL, min, max                                   \
	}
#define HELP    FLAG("help", 'h', "this help")
#define ENV     VALUE(LIST, "env", 'e', "K=V", "environment variable; K alone: its value here", NULL)
#define WORKDIR VALUE(STR, "workdir", 'w', "DIR", "folder in the guest; default /", NULL)
#define NETWORK(default)                                                                           \
	VALUE(CHOICE, "net", 0, "MODE", "none, bridged, rootless or auto; default " default,       \
		"none bridged rootless auto")
#define PUBLISH                                                                                    \
	VALUE(LIST, "publish", 'p', "[IP:]HOST:GUEST[/udp]",                                       \
		"a port; without IP on the VM's own address", NULL)
#define USER VALUE(STR, "user", 'u', "USER", "name or UID[:GID]; default root", NULL)

static const struct opt_def help_opt[] = {HELP, {0}};

static const struct opt_def json_opts[] = {FLAG("json", 0, "print JSON"), HELP, {0}};

static const struct opt_def console_opts[] = {
	VALUE(STR, "theme", 0, "NAME", "colours: a file of themes/ or its name", NULL),
	VALUE(STR, "layout", 0, "NAME", "windows as :layout save NAME has kept them", NULL),
	FLAG("no-color", 0, "no colours (also: NO_COLOR is set)"),
	FLAG("ascii", 0, "no line drawing characters"),
	FLAG("plain", 0, "no screen: a line an event, commands from stdin"),
	FLAG("read-only", 0, "change nothing (also: VMDECK_READ_ONLY is set)"),
	FLAG("keys", 0, "only print all keys, as a Markdown table"),
	{0},
};

static const struct opt_def config_opts[] = {
	FLAG("check", 0, "only say what is wrong"),
	VALUE(STR, "theme", 0, "NAME", "as of the console", NULL),
	VALUE(STR, "layout", 0, "NAME", "as of the console", NULL),
	FLAG("no-color", 0, "as of the console"),
	FLAG("ascii", 0, "as of the console"),
	{0},
};

static const struct opt_def boot_opts[] = {
	VALUE(STR, "name", 'n', "NAME", "name; default: made up", NULL),
	NUMBER("vcpus", 'c', 1, 32, "N", "virtual CPUs; default 1"),
	VALUE(MIB, "mem", 'm', "SIZE", "memory: 512 (MiB), 512M, 2G; default 256M", NULL),
	ENV,
	VALUE(CHOICE, "vmm", 0, "VMM", "auto, qemu or firecracker; default auto",
		"auto qemu firecracker"),
	VALUE(LIST, "disk", 'd', "SIZE|FILE", "a disk: 2G (empty), or a raw image to copy",
		"@file"),
	NETWORK("none; auto with -p"),
	PUBLISH,
	FLAG("tty", 't', "run CMD on a terminal"),
	VALUE(STR, "health-exec", 0, "CMD", "healthy while CMD exits with 0 (sh -c in the guest)",
		NULL),
	VALUE(STR, "health-url", 0, "URL",
		"healthy on 2xx or 3xx: http://10.0.2.100:80/ is the guest", NULL),
	VALUE(STR, "health-tcp", 0, "PORT", "healthy while the guest takes connections there",
		NULL),
	VALUE(STR, "health-interval", 0, "S", "between checks of a healthy VM; default 10", NULL),
	VALUE(STR, "health-timeout", 0, "S", "of one check; default 5", NULL),
	VALUE(STR, "health-start-limit", 0, "S",
		"wait until it is healthy; kill it when that takes longer", NULL),
	VALUE(STR, "health-snapshot", 0, "NAME", "take this snapshot when it is healthy first",
		NULL),
	FLAG("quiet", 'q', "print the name only"),
	{0},
};

static const struct opt_def exec_opts[] = {
	FLAG("stdin", 'i', "copy stdin to the command"),
	FLAG("tty", 't', "on a terminal (its keys go to the guest)"),
	ENV,
	WORKDIR,
	USER,
	{0},
};

static const struct opt_def shell_opts[] = {ENV, WORKDIR, USER, {0}};

static const struct opt_def record_opts[] = {
	NUMBER("seconds", 's', 1, 2678400, "N", "end after N seconds"),
	VALUE(LIST, "output-of", 0, "VM", "output of this VM (may be repeated); default: of all",
		"@vm"),
	NUMBER("max-mib", 0, 1, 256, "N", "end when the file has N MiB; default 256"),
	FLAG("quiet", 'q', "no messages"),
	{0},
};

static const struct opt_def replay_opts[] = {
	VALUE(STR, "speed", 's', "X", "0.25 to 16; default 1", NULL),
	VALUE(STR, "from", 0, "TIME", "start there: seconds, or 1:30", NULL),
	FLAG("paused", 'p', "start paused"),
	FLAG("quit", 'q', "leave at the end"),
	VALUE(STR, "asciicast", 0, "FILE", "no console: write what it shows as asciicast v2",
		"@file"),
	VALUE(STR, "size", 0, "COLSxROWS", "of the asciicast; default 100x30", NULL),
	VALUE(STR, "theme", 0, "NAME", "colours: a file of themes/ or its name", NULL),
	FLAG("no-color", 0, "no colours (also: NO_COLOR is set)"),
	FLAG("ascii", 0, "no line drawing characters"),
	{0},
};

static const struct opt_def quiet_opts[] = {FLAG("quiet", 'q', "print names only"), {0}};

static const struct opt_def build_opts[] = {
	FLAG("force", 'f', "build anew although it is up to date"), {0}};

static const struct opt_def attach_opts[] = {
	FLAG("no-stdin", 'r', "only watch (Ctrl-C ends it)"),
	FLAG("stdin", 'i', "copy stdin although it is no terminal"),
	NUMBER("tail", 0, 0, 1 << 30, "BYTES", "output to show first; default 16384"),
	{0},
};

static const struct opt_def logs_opts[] = {
	FLAG("follow", 'f', "go on until the VM ends"),
	FLAG("serial", 0, "the serial console instead of the output"),
	NUMBER("lines", 'n', 0, 1000000, "N", "only the last N lines"),
	NUMBER("bytes", 'c', 0, 1 << 30, "N", "only the last N bytes"),
	FLAG("raw", 0, "on a terminal: all bytes as the guest wrote them"),
	{0},
};

static const struct opt_def events_opts[] = {
	FLAG("follow", 'f', "go on with new ones"),
	FLAG("all", 'a', "also the vitals that each guest sends all the time"),
	VALUE(STR, "vm", 0, "VM", "of this VM only", "@vm"),
	NUMBER("limit", 'n', 0, 10000, "N", "the newest N stored ones; default 100, with -f 10"),
	{0},
};

static const struct opt_def top_opts[] = {
	NUMBER("samples", 'n', 1, 1000000, "N", "so many; default: 1, on a terminal without end"),
	NUMBER("delay", 'd', 1, 3600, "SECONDS", "between samples; default 1"),
	{0},
};

static const struct opt_def doctor_opts[] = {
	FLAG("fix", 0, "remove what networks of VMs that are gone have left"), {0}};

static const struct opt_def stop_opts[] = {
	NUMBER("timeout", 't', 0, 3600, "SECONDS", "kill it after this time; default 10"), {0}};

static const struct opt_def rm_opts[] = {
	FLAG("force", 'f', "kill it first when it runs"),
	FLAG("snapshot", 0, "the names are of snapshots"),
	{0},
};

static const struct opt_def snapshot_opts[] = {
	FLAG("replace", 0, "put it in the place of one of that name"),
	FLAG("quiet", 'q', "print the name only"),
	{0},
};

static const struct opt_def restore_opts[] = {
	VALUE(STR, "name", 'n', "NAME", "name; default: made from the snapshot's", NULL),
	NETWORK("as it was"),
	PUBLISH,
	FLAG("quiet", 'q', "print the name only"),
	{0},
};

static const struct opt_def clone_opts[] = {
	NUMBER("count", 'n', 1, 256, "COUNT", "how many; default 1"),
	VALUE(STR, "name", 0, "PREFIX", "names PREFIX-1, ...; default: of what is cloned", NULL),
	NETWORK("as it was"),
	PUBLISH,
	FLAG("quiet", 'q', "print the names only"),
	{0},
};

static const struct opt_def restores_opts[] = {
	VALUE(STR, "snapshot", 0, "NAME", "of this snapshot only", "@snapshot"),
	NUMBER("limit", 'n', 1, 10000, "N", "the newest N; default 20"),
	{0},
};

static const struct opt_def timeline_opts[] = {
	VALUE(CHOICE, "kind", 0, "KIND", "boot, restore or snapshot; default: as it came to be",
		"boot restore snapshot"),
	FLAG("ascii", 0, "no block elements"),
	{0},
};

static const struct opt_def pool_opts[] = {
	NUMBER("max-mib", 0, 16, 1048576, "N", "memory that idle ones may take; default 512"),
	{0},
};

static const struct opt_def help_opts[] = {
	FLAG("markdown", 0, "all commands as a Markdown table"), {0}};

const struct command commands[] = {
#define COMMAND(fn, name, args, words, min, max, rest, json, opts, summary, details)               \
	{name, args, summary, details, opts, json, WORDS_##words, OPTS_REST_##rest, min, max,      \
		cmd_##fn},
#include "tui/cli/commands.def"
#undef COMMAND
};

const size_t command_count = countof(commands);

bool command_hidden(const struct command *cmd)
{
	return strncmp(cmd->name, "__", 2) == 0;
}

const struct command *command_by_name(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

bool command_group(const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i < command_count; i++)
		if (strncmp(commands[i].name, word, n) == 0 && commands[i].name[n] == ' ')
			return true;
	return false;
}

static int fail_group(const char *word, const char *second, struct err *e)
{
	char list[200] = "", shown[60];
	size_t n = strlen(word), used = 0;

	for (size_t i = 0; i < command_count; i++)
		if (strncmp(commands[i].name, word, n) == 0 && commands[i].name[n] == ' ')
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
				used ? ", " : "", commands[i].name + n + 1);
	if (!second)
		return err_set(e, EINVAL, "'%s' needs one of %s behind it", word, list);
	return err_set(e, EINVAL, "no command '%s %s': '%s' needs one of %s behind it", word,
		str_safe(shown, sizeof(shown), second), word, list);
}

static int fail_unknown(const char *word, struct err *e)
{
	const char *best = NULL;
	int best_distance = 100;
	char shown[60];

	str_safe(shown, sizeof(shown), word);
	for (size_t i = 0; i < command_count; i++) {
		int distance = word_distance(word, commands[i].name);

		if (!command_hidden(&commands[i]) && word_near_enough(word, commands[i].name) &&
			distance < best_distance) {
			best = commands[i].name;
			best_distance = distance;
		}
	}
	if (word[0] == '-')
		return err_set(
			e, EINVAL, "no option '%s' here: options come behind the command", shown);
	if (best)
		return err_set(e, EINVAL, "no command '%s': did you mean '%s'?", shown, best);
	return err_set(e, EINVAL, "no command '%s': vmdeck help lists them", shown);
}

int command_find(int argc, char **argv, const struct command **ret, int *ret_words, struct err *e)
{
	char two[64];

	*ret = NULL;
	if (argc > 1 && command_group(argv[0])) {
		snprintf(two, sizeof(two), "%s %s", argv[0], argv[1]);
		*ret = command_by_name(two);
	}
	*ret_words = *ret ? 2 : 1;
	if (!*ret && argc > 0)
		*ret = command_by_name(argv[0]);
	if (*ret)
		return 0;
	if (argc > 0 && command_group(argv[0]))
		return fail_group(argv[0], argc > 1 && argv[1][0] != '-' ? argv[1] : NULL, e);
	return fail_unknown(argc > 0 ? argv[0] : "", e);
}

struct opts_spec command_spec(const struct command *cmd)
{
	return (struct opts_spec){
		.own = cmd->opts,
		.shared = cmd->json ? json_opts : help_opt,
		.rest = cmd->rest,
		.lead = cmd->args_max,
	};
}

const struct opt_def *command_opt(const struct command *cmd, int i)
{
	const struct opt_def *own = cmd->opts, *shared = cmd->json ? json_opts : help_opt;

	for (; own && own->name; own++)
		if (i-- == 0)
			return own;
	return i < (cmd->json ? 2 : 1) ? shared + i : NULL;
}

int command_parse(const struct command *cmd, int argc, char **argv, struct opts *o, struct err *e)
{
	struct opts_spec spec = command_spec(cmd);
	char shown[60];
	int r = opts_parse(o, &spec, argc, argv, e);

	if (r < 0 || opt_given(o, "help"))
		return r;
	if (o->argc < cmd->args_min || (cmd->rest == OPTS_REST_WORDS && !o->restc))
		return err_set(
			e, EINVAL, "something is missing: vmdeck %s %s", cmd->name, cmd->args);
	if (cmd->args_max >= 0 && o->argc > cmd->args_max) {
		str_safe(shown, sizeof(shown), o->args[cmd->args_max]);
		if (cmd->rest == OPTS_REST_DASHES)
			return err_set(
				e, EINVAL, "unexpected '%s': a command goes behind --", shown);
		return err_set(e, EINVAL, "unexpected '%s': vmdeck %s%s%s", shown, cmd->name,
			cmd->args[0] ? " " : "", cmd->args);
	}
	if (cmd->rest == OPTS_REST_DASHES && o->rest && !o->restc)
		return err_set(e, EINVAL, "no command behind --");
	return 0;
}
