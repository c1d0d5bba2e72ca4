/* What every command has: its options, the loop, the connection to vmdeckd, how to print and fail.
 */
#ifndef VMDECK_CLI_CLI_H
#define VMDECK_CLI_CLI_H

#include <ev.h>
#include <json-c/json.h>

#include "backend/api/client.h"
#include "tui/cli/commands.h"

/* Exit codes. exec: the command's own, and podman's for what is not the command's. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_OURS = 125, EXIT_SIGNAL = 128 };

/* Limits of waits, s. What the daemon does in steps has the daemon's own limits; these are above
 * them, for a daemon that does not answer at all. */
#define CLI_CALL_S     30
#define CLI_BOOT_S     900
#define CLI_BUILD_S    7200
#define CLI_SNAPSHOT_S 3600
#define CLI_VERIFY_S   3600
#define CLI_RESTORE_S  900
#define CLI_CLONE_S    7200 /* hundreds, in a queue */

struct cli {
	const struct command *cmd;
	struct opts opts;
	struct ev_loop *loop;   /* made by cli_init */
	struct api_client *api; /* NULL until cli_open */
	bool tty_out, tty_err;
	bool color, color_err;
	bool json;
	bool plain;     /* within line mode: no escape sequence is written, whoever's it is */
	bool read_only; /* --read-only or VMDECK_READ_ONLY: the daemon refuses what writes */
	int signal;     /* caught by cli_catch, 0: none */
	int catching;   /* depth of cli_catch */
	ev_signal catch[3];
};

void cli_init(struct cli *c);
void cli_fini(struct cli *c);
/* Finds, parses and runs a command (argv without the program's name). Returns the exit code. */
int cli_run(struct cli *c, int argc, char **argv);

/* Connects, starting vmdeckd when none runs (no_start: -ECONNREFUSED). No-op when connected. */
int cli_open(struct cli *c, bool no_start, struct err *e);
/* A call and its answer, connecting first; takes params. name: of the wait, for the sentence when
 * limit s pass. -EINTR: a signal was caught (c->signal); then, and after a timeout, the connection
 * is closed and the next call opens a new one. *ret (may be NULL) is the caller's. */
int cli_call(struct cli *c, const char *method, struct json_object *params, double limit,
	struct json_object **ret, struct err *e);
/* From now on SIGINT, SIGTERM and SIGHUP end waits instead of the program. May be nested. */
void cli_catch(struct cli *c);
void cli_uncatch(struct cli *c);

/* "vmdeck: sentence" on stderr; returns code. */
int cli_fail(const struct err *e, int code);
/* Prints o to stdout as JSON, indented or as one line. */
void cli_print_json(struct json_object *o, bool one_line);
/* Text of a peer to a terminal or pipe: on a terminal made safe. */
void cli_puts(const struct cli *c, const char *text);

/* {"vm": name} */
struct json_object *cli_vm_params(const char *vm);
/* "network" and "publish" into the parameters of boot, restore or clone. */
void cli_network(const struct opts *o, struct json_object *params);
/* --env values as an object (NULL when there are none). */
int cli_env(const struct opts *o, struct json_object **ret, struct err *e);
/* Words as an array of strings, refused when they are not UTF-8 (JSON cannot carry them). */
int cli_words(const char *const *words, int n, struct json_object **ret, struct err *e);

#endif
