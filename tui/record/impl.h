/* Between the files of the recorder. */
#ifndef VMDECK_TUI_RECORD_IMPL_H
#define VMDECK_TUI_RECORD_IMPL_H

#include "backend/api/client.h"
#include "backend/record/record.h"
#include "tui/record/recorder.h"

#define FOLLOWED_MAX 100 /* VMs whose output is recorded: each takes two connections */

struct recorded_stream {
	struct recorder *r;
	struct recorded_vm *vm;
	enum record_source source;
	struct api_stream *stream; /* NULL: not open */
	bool ended;                /* all of it is recorded */
};

/* A call about one VM: one at a time, and once more when something happened meanwhile. */
struct recorded_ask {
	struct recorder *r;
	struct recorded_vm *vm; /* NULL: a list */
	enum record_call call;
	bool asking, again;
	int64_t asked;   /* ms */
	uint64_t stored; /* hash of the newest answer: what is the same is not stored again */
};

struct recorded_vm {
	struct recorded_vm *next;
	char id[NAME_MAX_BYTES + 1], name[NAME_MAX_BYTES + 1];
	bool gone, fresh; /* fresh: came while we recorded, so all of its output is taken */
	struct recorded_ask get, timing;
	struct recorded_stream stream[RECORD_SOURCES];
};

struct recorder {
	struct record_writer out;
	struct ev_loop *loop;
	struct api_client *api;
	char *path;
	char **wanted; /* VMs; NULL: all */
	struct recorded_vm *vms;
	int followed;
	struct recorded_ask list[RECORD_CALLS];
	void (*ended)(void *user, const struct err *why);
	void *user;
	bool failed;
	struct err why;
	ev_timer fail; /* ended is called from the loop, never from within a callback of ours */
};

/* Something could not be written or asked: the recording ends. */
void recorder_failed(struct recorder *r, const struct err *why);
/* Opens what is wanted of the VM's streams and not open. */
void recorded_follow(struct recorded_vm *vm);
void recorded_unfollow(struct recorded_vm *vm);

#endif
