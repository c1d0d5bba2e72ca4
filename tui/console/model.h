/* The console's mirror of the daemon: VMs and images, kept up to date by events, corrected by what
 * the calls answer. Pure: no I/O, no clock of its own. */
#ifndef VMDECK_TUI_CONSOLE_MODEL_H
#define VMDECK_TUI_CONSOLE_MODEL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

enum deck_state {
	DECK_STARTING,
	DECK_RUNNING,
	DECK_PAUSED,
	DECK_STOPPING,
	DECK_STOPPED,
	DECK_FAILED,
	DECK_UNKNOWN,
	DECK__COUNT
};
extern const char *const deck_state_names[DECK__COUNT];

/* A wait under way. */
struct deck_wait {
	char name[48]; /* "" when there is none */
	int n, of;
	uint64_t since_ns; /* wall clock of the daemon's host */
	double limit_s;    /* 0: none */
};

struct deck_vm {
	char id[40], name[64];
	enum deck_state state;
	char reason[300];
	char image[64], vmm[24], accel[16];
	int vcpus;
	int64_t mem_mib;
	uint64_t created_ns, started_ns, since_ns; /* wall clock; since: of the state */
	double boot_ms;                            /* 0: not known */
	struct deck_wait wait;
	bool agent; /* connected */
	bool tty;   /* main process on a terminal */
	uint64_t out_first, out_end;
	char generation[40];
	int64_t mem_used, mem_total; /* bytes, as the guest says; 0: not known */
	bool exited;                 /* the main process ended */
	char exit_how[12];
	int64_t exit_value;
	/* The daemon has it no more; the row stays for its pane (a boot that failed) until it is
	 * dismissed. */
	bool gone;
	unsigned seen; /* number of the list that had it last */
	bool kept;     /* gone by a failed boot: lists don't take the row away */
};

struct deck_image {
	char name[64], state[16], why[200];
	bool stale;
	uint64_t bytes;
	/* Build under way: */
	char step[64];
	uint64_t done, total;
};

#define MODEL_IMAGES_MAX 64

struct model {
	struct deck_vm **vm; /* owned; oldest first */
	int count, cap;
	struct deck_image image[MODEL_IMAGES_MAX];
	int images;
	unsigned lists; /* number of the newest list */
	bool loaded;    /* a list of VMs has arrived */
	bool stale;     /* the connection is lost: what is here is what was */
};

/* What a change was, so that nobody looks at the rest. */
enum model_change {
	MODEL_VMS = 1, /* rows came or went */
	MODEL_VM = 2,  /* a row shows something else */
	MODEL_IMAGES = 4,
};

/* What an event tells that only a call can answer. */
struct model_todo {
	bool get_vm; /* of the event */
	bool list_images;
};

void model_init(struct model *m);
void model_fini(struct model *m);

/* All VMs (result of vm.list). Those that are missing go. */
unsigned model_set_vms(struct model *m, struct json_object *list);
/* One VM (result of vm.get, vm.boot...). */
unsigned model_set_vm(struct model *m, struct json_object *vm);
unsigned model_set_images(struct model *m, struct json_object *list);
/* Applies an event. */
unsigned model_event(struct model *m, struct json_object *event, struct model_todo *ret_todo);
/* The connection was lost or is there again. */
unsigned model_set_stale(struct model *m, bool stale);
/* Takes a row out, gone or not. */
unsigned model_drop(struct model *m, const char *id);

struct deck_vm *model_find(const struct model *m, const char *id);
struct deck_image *model_image(struct model *m, const char *name);
/* VMs in this state (gone ones are not counted). */
int model_count(const struct model *m, enum deck_state state);
bool deck_vm_alive(const struct deck_vm *vm);

/* The rows that a filter leaves: VMs whose name, id, image, state or VMM contain it. */
struct model_view {
	struct deck_vm **row; /* of the model */
	int count, cap;
};
void model_view_fill(struct model_view *v, const struct model *m, const char *filter);
void model_view_fini(struct model_view *v);

/* Decodes a VM of proto.def over what vm holds; false when it has no id. */
bool deck_vm_decode(struct deck_vm *vm, struct json_object *o);
void deck_image_decode(struct deck_image *im, struct json_object *o);
enum deck_state deck_state_parse(const char *name);

#endif
