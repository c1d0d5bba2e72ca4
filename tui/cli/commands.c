#include "tui/cli/commands.h"

#include <errno.h>
#include <string.h>

#include "backend/base/str.h"

static const struct opt_def help_opt[] = {
	{.name = "help", .letter = 'h', .type = OPT_FLAG, .help = "this help"},
	{0},
};

static const struct opt_def json_opts[] = {
	{.name = "json", .type = OPT_FLAG, .help = "print JSON"},
	{.name = "help", .letter = 'h', .type = OPT_FLAG, .help = "this help"},
	{0},
};

static const struct opt_def console_opts[] = {
	{.name = "theme", .type = OPT_STR, .arg = "NAME", .help = "colours: a file of themes/ or its name"},
	{.name = "no-color", .type = OPT_FLAG, .help = "no colours (also: NO_COLOR is set)"},
	{.name = "ascii", .type = OPT_FLAG, .help = "no line drawing characters"},
	{0},
};

#define ENV_OPT                                                                                    \
	{.name = "env", .letter = 'e', .type = OPT_LIST, .arg = "K=V",                             \
		.help = "environment variable; K alone: its value here"}

static const struct opt_def boot_opts[] = {
	{.name = "name", .letter = 'n', .type = OPT_STR, .arg = "NAME", .help = "name; default: made up"},
	{.name = "vcpus", .letter = 'c', .type = OPT_INT, .arg = "N", .help = "virtual CPUs; default 1",
		.min = 1, .max = 32},
	{.name = "mem", .letter = 'm', .type = OPT_MIB, .arg = "SIZE",
		.help = "memory: 512 (MiB), 512M, 2G; default 256M"},
	ENV_OPT,
	{.name = "vmm", .type = OPT_CHOICE, .arg = "VMM", .help = "auto, qemu or firecracker; default auto",
		.words = "auto qemu firecracker"},
	{.name = "tty", .letter = 't', .type = OPT_FLAG, .help = "run CMD on a terminal"},
	{.name = "quiet", .letter = 'q', .type = OPT_FLAG, .help = "print the name only"},
	{0},
};

#define EXEC_PLACE_OPTS                                                                            \
	ENV_OPT,                                                                                   \
		{.name = "workdir", .letter = 'w', .type = OPT_STR, .arg = "DIR",                  \
			.help = "folder in the guest; default /"},                                 \
	{                                                                                          \
		.name = "user", .letter = 'u', .type = OPT_STR, .arg = "USER",                     \
		.help = "name or UID[:GID]; default root"                                          \
	}

static const struct opt_def exec_opts[] = {
	{.name = "stdin", .letter = 'i', .type = OPT_FLAG, .help = "copy stdin to the command"},
	{.name = "tty", .letter = 't', .type = OPT_FLAG,
		.help = "on a terminal (its keys go to the guest)"},
	EXEC_PLACE_OPTS,
	{0},
};

static const struct opt_def shell_opts[] = {EXEC_PLACE_OPTS, {0}};

static const struct opt_def quiet_opts[] = {
	{.name = "quiet", .letter = 'q', .type = OPT_FLAG, .help = "print names only"},
	{0},
};

static const struct opt_def build_opts[] = {
	{.name = "force", .letter = 'f', .type = OPT_FLAG, .help = "build anew although it is up to date"},
	{0},
};

static const struct opt_def attach_opts[] = {
	{.name = "no-stdin", .letter = 'r', .type = OPT_FLAG, .help = "only watch (Ctrl-C ends it)"},
	{.name = "stdin", .letter = 'i', .type = OPT_FLAG, .help = "copy stdin although it is no terminal"},
	{.name = "tail", .type = OPT_INT, .arg = "BYTES", .help = "output to show first; default 16384",
		.min = 0, .max = 1 << 30},
	{0},
};

static const struct opt_def logs_opts[] = {
	{.name = "follow", .letter = 'f', .type = OPT_FLAG, .help = "go on until the VM ends"},
	{.name = "serial", .type = OPT_FLAG, .help = "the serial console instead of the output"},
	{.name = "lines", .letter = 'n', .type = OPT_INT, .arg = "N", .help = "only the last N lines",
		.min = 0, .max = 1000000},
	{.name = "bytes", .letter = 'c', .type = OPT_INT, .arg = "N", .help = "only the last N bytes",
		.min = 0, .max = 1 << 30},
	{.name = "raw", .type = OPT_FLAG, .help = "on a terminal: all bytes as the guest wrote them"},
	{0},
};

static const struct opt_def events_opts[] = {
	{.name = "follow", .letter = 'f', .type = OPT_FLAG, .help = "go on with new ones"},
	{.name = "vm", .type = OPT_STR, .arg = "VM", .help = "of this VM only", .words = "@vm"},
	{.name = "limit", .letter = 'n', .type = OPT_INT, .arg = "N",
		.help = "the newest N stored ones; default 100, with -f 10", .min = 0, .max = 10000},
	{0},
};

static const struct opt_def stop_opts[] = {
	{.name = "timeout", .letter = 't', .type = OPT_INT, .arg = "SECONDS",
		.help = "kill it after this time; default 10", .min = 0, .max = 3600},
	{0},
};

static const struct opt_def rm_opts[] = {
	{.name = "force", .letter = 'f', .type = OPT_FLAG, .help = "kill it first when it runs"},
	{0},
};

static const struct opt_def help_opts[] = {
	{.name = "markdown", .type = OPT_FLAG, .help = "all commands as a Markdown table"},
	{0},
};

const struct command commands[] = {
	{.name = "console", .args = "", .summary = "open the console (also: vmdeck without a command)",
		.opts = console_opts, .run = cmd_console},
	{.name = "tour", .args = "", .summary = "show everything once, with a real VM, as plain text",
		.details = "Builds image mini where it is missing, boots a VM, runs commands in it, shows\n"
			   "its output, pauses, resumes, stops and removes it. Ctrl-C cleans up.",
		.run = cmd_tour},
	{.name = "boot", .args = "[IMAGE] [-- CMD...]", .summary = "boot a new VM and print its name",
		.details = "Returns when the guest's agent answered. IMAGE: default mini. CMD is the main\n"
			   "process; without it a shell runs on a terminal (vmdeck attach).",
		.opts = boot_opts, .json = true, .words = WORDS_IMAGE, .rest = OPTS_REST_DASHES,
		.args_max = 1, .run = cmd_boot},
	{.name = "ls", .args = "", .summary = "list the VMs", .opts = quiet_opts, .json = true,
		.run = cmd_ls},
	{.name = "exec", .args = "VM [--] CMD...", .summary = "run a command in a VM",
		.details = "Exit code: the command's; 125 vmdeck failed, 126 CMD cannot be run, 127 it was\n"
			   "not found, 128 + N it was ended by signal N. Signals are passed on to the\n"
			   "command; a second Ctrl-C within 2 s ends vmdeck and with it the command.",
		.opts = exec_opts, .words = WORDS_VM, .rest = OPTS_REST_WORDS, .args_min = 1,
		.args_max = 1, .needs_rest = true, .run = cmd_exec},
	{.name = "shell", .args = "VM", .summary = "open a shell in a VM (exec -i -t VM -- /bin/sh -l)",
		.opts = shell_opts, .words = WORDS_VM, .args_min = 1, .args_max = 1, .run = cmd_shell},
	{.name = "attach", .args = "VM", .summary = "watch and type into a VM's main process",
		.details = "C-] d or C-] . detaches, C-] C-] sends C-]. The VM goes on. Without a terminal\n"
			   "the output is copied until the VM ends.",
		.opts = attach_opts, .words = WORDS_VM, .args_min = 1, .args_max = 1, .run = cmd_attach},
	{.name = "logs", .args = "VM", .summary = "print a VM's output",
		.details = "On a terminal, escape sequences other than colours are left out and control\n"
			   "bytes become visible; --raw and pipes get every byte.",
		.opts = logs_opts, .words = WORDS_VM, .args_min = 1, .args_max = 1, .run = cmd_logs},
	{.name = "events", .args = "", .summary = "print the event log",
		.details = "With -f --json: one object a line.", .opts = events_opts, .json = true,
		.run = cmd_events},
	{.name = "pause", .args = "VM...", .summary = "stop the virtual CPUs", .json = true,
		.words = WORDS_VM, .args_min = 1, .args_max = -1, .run = cmd_pause},
	{.name = "resume", .args = "VM...", .summary = "let paused virtual CPUs run", .json = true,
		.words = WORDS_VM, .args_min = 1, .args_max = -1, .run = cmd_resume},
	{.name = "stop", .args = "VM...", .summary = "ask the guest to power off, kill after a time",
		.opts = stop_opts, .json = true, .words = WORDS_VM, .args_min = 1, .args_max = -1,
		.run = cmd_stop},
	{.name = "kill", .args = "VM...", .summary = "end the VMM at once", .json = true,
		.words = WORDS_VM, .args_min = 1, .args_max = -1, .run = cmd_kill},
	{.name = "rm", .args = "VM...", .summary = "remove a stopped VM with its logs", .opts = rm_opts,
		.json = true, .words = WORDS_VM, .args_min = 1, .args_max = -1, .run = cmd_rm},
	{.name = "ping", .args = "VM...", .summary = "ask the guest's agent for a sign of life",
		.json = true, .words = WORDS_VM, .args_min = 1, .args_max = -1, .run = cmd_ping},
	{.name = "images", .args = "", .summary = "list the images", .opts = quiet_opts, .json = true,
		.run = cmd_images},
	{.name = "image build", .args = "NAME", .summary = "build an image",
		.details = "NAME: mini. A build of the same image that is under way is joined.",
		.opts = build_opts, .json = true, .words = WORDS_IMAGE, .args_min = 1, .args_max = 1,
		.run = cmd_image_build},
	{.name = "image rm", .args = "NAME...", .summary = "remove an image that no VM uses", .json = true,
		.words = WORDS_IMAGE, .args_min = 1, .args_max = -1, .run = cmd_image_rm},
	{.name = "doctor", .args = "", .summary = "what this host has and lacks", .json = true,
		.details = "Exit code 1 when something that is needed is missing.", .run = cmd_doctor},
	{.name = "daemon status", .args = "", .summary = "whether vmdeckd runs, and where", .json = true,
		.run = cmd_daemon_status},
	{.name = "daemon start", .args = "", .summary = "start vmdeckd (every command does when needed)",
		.json = true, .run = cmd_daemon_start},
	{.name = "daemon stop", .args = "", .summary = "end vmdeckd; the VMs go on", .json = true,
		.run = cmd_daemon_stop},
	{.name = "version", .args = "", .summary = "versions of vmdeck, vmdeckd and the libraries",
		.json = true, .run = cmd_version},
	{.name = "completion", .args = "SHELL", .summary = "completion script for bash, zsh or fish",
		.details = "bash: source <(vmdeck completion bash)\n"
			   "zsh:  vmdeck completion zsh > a folder of $fpath, as _vmdeck\n"
			   "fish: vmdeck completion fish | source",
		.words = WORDS_SHELL, .args_min = 1, .args_max = 1, .run = cmd_completion},
	{.name = "help", .args = "[COMMAND]", .summary = "help for vmdeck or a command",
		.opts = help_opts, .words = WORDS_COMMAND, .args_max = 2, .run = cmd_help},
	{.name = "__complete", .args = "vms|images", .summary = "names for the completion scripts",
		.hidden = true, .args_min = 1, .args_max = 1, .run = cmd_complete},
};

const size_t command_count = countof(commands);

const struct command *command_by_name(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* "image" of "image build": a first word that needs a second one. */
static bool is_group(const char *word)
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

		if (!commands[i].hidden && word_near_enough(word, commands[i].name) &&
			distance < best_distance) {
			best = commands[i].name;
			best_distance = distance;
		}
	}
	if (word[0] == '-')
		return err_set(e, EINVAL, "no option '%s' here: options come behind the command", shown);
	if (best)
		return err_set(e, EINVAL, "no command '%s': did you mean '%s'?", shown, best);
	return err_set(e, EINVAL, "no command '%s': vmdeck help lists them", shown);
}

int command_find(int argc, char **argv, const struct command **ret, int *ret_words, struct err *e)
{
	char two[64];

	if (argc > 0 && is_group(argv[0])) {
		if (argc < 2 || argv[1][0] == '-')
			return fail_group(argv[0], NULL, e);
		snprintf(two, sizeof(two), "%s %s", argv[0], argv[1]);
		*ret = command_by_name(two);
		*ret_words = 2;
		return *ret ? 0 : fail_group(argv[0], argv[1], e);
	}
	*ret = argc > 0 ? command_by_name(argv[0]) : NULL;
	*ret_words = 1;
	return *ret ? 0 : fail_unknown(argc > 0 ? argv[0] : "", e);
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
	if (o->argc < cmd->args_min || (cmd->needs_rest && !o->restc))
		return err_set(e, EINVAL, "something is missing: vmdeck %s %s", cmd->name, cmd->args);
	if (cmd->args_max >= 0 && o->argc > cmd->args_max) {
		str_safe(shown, sizeof(shown), o->args[cmd->args_max]);
		if (cmd->rest == OPTS_REST_DASHES)
			return err_set(e, EINVAL, "unexpected '%s': a command goes behind --", shown);
		return err_set(e, EINVAL, "unexpected '%s': vmdeck %s%s%s", shown, cmd->name,
			cmd->args[0] ? " " : "", cmd->args);
	}
	if (cmd->rest == OPTS_REST_DASHES && o->rest && !o->restc)
		return err_set(e, EINVAL, "no command behind --");
	return 0;
}
