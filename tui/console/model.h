/* The console's mirror of the daemon: VMs, images, snapshots, timings and the newest events, kept
 * up to date by the event stream, corrected by what the calls answer. Pure: no I/O, no clock. */
#ifndef VMDECK_TUI_CONSOLE_MODEL_H
#define VMDECK_TUI_CONSOLE_MODEL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "tui/console/figures.h"

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
	int place;         /* in the queue, from 1; 0: in none */
	double usual_ms;   /* what it usually takes; 0: not known */
};

/* A snapshot being taken of a VM. */
struct deck_making {
	char name[64]; /* "" when there is none */
	char step[48];
	int n, of;
	uint64_t since_ns;    /* wall clock; of the step */
	uint64_t done, total; /* bytes; total 0: not known yet */
};

/* The last check of a VM's health; probe "" when none is known. */
struct deck_check {
	char why[200], probe[8], target[120];
	uint64_t at_ns, since_ns; /* wall clock: of the check, of the state; 0: none */
	double took_ms, interval_s, timeout_s;
	int64_t failed; /* in a row */
};

/* Its network; mode "": none. */
struct deck_net {
	char mode[16], address[32]; /* its own on the host */
	bool up;
	char why[128]; /* when it is not up */
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
	uint64_t checked_ns; /* wall clock: last sign of life of its agent; 0: none */
	char health[16];     /* "healthy", "unknown", ... */
	struct deck_check check;
	struct deck_net net;
	char snapshot[64]; /* that it was restored from; "" for a booted one */
	char source[64];   /* of a temporary snapshot: the VM that was cloned */
	struct deck_making making;
	int64_t mem_used, mem_total; /* bytes, as the guest says; 0: not known */
	bool exited;                 /* the main process ended */
	char exit_how[12];
	int64_t exit_value;
	/* The daemon has it no more; the row stays for its pane (a boot that failed) until it is
	 * dismissed. */
	bool gone;
	struct figures *figures; /* of the model's row only, owned; NULL: none yet */
	unsigned seen;           /* number of the list that had it last */
	bool kept;               /* gone by a failed boot: lists don't take the row away */
};

struct deck_image {
	char name[64], state[16], why[200];
	char kernel[64], agent[40];
	bool stale;
	uint64_t bytes, created_ns;
	/* Build under way: */
	char step[64];
	uint64_t done, total;
	uint64_t since_ns; /* wall clock; of the step, or of the build when it was listed */
};

struct deck_restores {
	int64_t count, failed;
	double p50_ms, p90_ms, p99_ms, max_ms;
};

struct deck_snapshot {
	char name[64], id[72], why[300];
	enum deck_snapshot_state { SNAPSHOT_READY, SNAPSHOT_CREATING, SNAPSHOT_DAMAGED } state;
	uint64_t created_ns; /* wall clock */
	bool temporary, drained;
	char source_id[40], source[64], parent[64];
	char vmm[24], vmm_version[40], accel[16], image[64], dir[300];
	int vcpus, disks;
	int64_t mem_mib;
	uint64_t memory_bytes, state_bytes, disk_bytes;
	double pause_ms, quiesce_ms, took_ms;
	int users;
	char user_names[600]; /* "a, b, c" */
	int pool_wanted, pool_ready;
	double pool_idle_mib;
	char pool_why[200];
	struct deck_restores restores;
	struct deck_making making; /* while it is made */
	unsigned seen;
};
extern const char *const deck_snapshot_states[];

#define TIMING_PHASES_MAX 32

struct deck_phase {
	char name[32];
	double at_ms, ms, limit_s;
};

/* What is usual for the same snapshot or image. */
struct deck_usual {
	struct deck_restores total;
	int phases;
	struct deck_phase phase[TIMING_PHASES_MAX];
};

enum deck_result { RESULT_RUNNING, RESULT_OK, RESULT_FAILED, RESULT_CANCELLED, RESULT_UNKNOWN };
extern const char *const deck_results[];

/* A boot or a restore: its phases so far, or all. */
struct deck_timing {
	char id[72]; /* of the VM */
	char kind[12], vm_name[64], subject[64], subject_id[72], vmm[24];
	enum deck_result result;
	char step[48], last_event[80], why[300];
	uint64_t started_ns; /* wall clock */
	double total_ms;     /* once it has ended */
	int phases;
	struct deck_phase phase[TIMING_PHASES_MAX];
	struct deck_usual *usual; /* owned; NULL: was not asked for */
	unsigned seen;
};

struct deck_event {
	uint64_t seq, wall_ns;
	char vm_name[64], name[40];
	char fields[400]; /* as JSON text without its braces, cut */
};

#define MODEL_IMAGES_MAX    64
#define MODEL_SNAPSHOTS_MAX 1000
#define MODEL_TIMINGS_MAX   500
#define MODEL_EVENTS_MAX    1000

struct model {
	struct deck_vm **vm; /* owned; oldest first */
	int count, cap;
	struct lh_table *by_id; /* owned; rows of vm */
	int unindexed;          /* rows taken out of by_id since it was made */
	struct deck_image image[MODEL_IMAGES_MAX];
	int images;
	struct deck_snapshot *snapshot[MODEL_SNAPSHOTS_MAX]; /* owned; oldest first */
	int snapshots;
	struct deck_timing *timing[MODEL_TIMINGS_MAX]; /* owned; newest first */
	int timings;
	struct deck_event *event[MODEL_EVENTS_MAX]; /* owned; oldest first */
	int events;
	struct deck_host host;
	unsigned lists; /* number of the newest list */
	bool loaded;    /* a list of VMs has arrived */
	bool stale;     /* the connection is lost: what is here is what was */
	/* Kept along, so that no frame goes through all rows: */
	int in_state[DECK__COUNT]; /* VMs that are not gone */
	int waiting;               /* VMs with a wait or a snapshot under way */
};

/* What a change was, so that nobody looks at the rest. */
enum model_change {
	MODEL_VMS = 1, /* rows came or went */
	MODEL_VM = 2,  /* a row shows something else */
	MODEL_IMAGES = 4,
	MODEL_SNAPSHOTS = 8,
	MODEL_TIMINGS = 16,
	MODEL_EVENTS = 32,
	MODEL_FIGURES = 64,
};

/* What an event tells that only a call can answer. */
struct model_todo {
	bool get_vm; /* of the event */
	bool list_images;
	bool list_snapshots; /* there is another set of them */
	bool ask_snapshots;  /* one has other users or percentiles: asked for when they are shown */
};

void model_init(struct model *m);
void model_fini(struct model *m);

/* All VMs (result of vm.list). Those that are missing go. */
unsigned model_set_vms(struct model *m, struct json_object *list);
/* One VM (result of vm.get, vm.boot...). */
unsigned model_set_vm(struct model *m, struct json_object *vm);
/* The health of one (result of vm.health). */
unsigned model_set_health(struct model *m, struct json_object *health);
unsigned model_set_images(struct model *m, struct json_object *list);
/* All snapshots, finished and under way (result of snapshot.list). */
unsigned model_set_snapshots(struct model *m, struct json_object *list);
/* Restores (result of timing.list): those that are missing stay, lists are cut short. */
unsigned model_set_timings(struct model *m, struct json_object *list);
/* One (result of timing.get). */
unsigned model_set_timing(struct model *m, struct json_object *timing);
/* Stored events (result of event.list) between those that have arrived already. */
unsigned model_set_events(struct model *m, struct json_object *list);
/* Applies an event to VMs, images and snapshots. */
unsigned model_event(struct model *m, struct json_object *event, struct model_todo *ret_todo);
/* The same for the timings: the phases of what is under way grow by events alone. */
unsigned model_time(struct model *m, struct json_object *event);
/* Keeps the event itself; vitals and progress are left out, there are too many of them. */
unsigned model_log(struct model *m, struct json_object *event);
/* The connection was lost or is there again. */
unsigned model_set_stale(struct model *m, bool stale);
/* Takes a row out, gone or not. */
unsigned model_drop(struct model *m, const char *id);

/* VMs that the daemon has. */
int model_vms(const struct model *m);
struct deck_vm *model_find(const struct model *m, const char *id);
struct deck_image *model_image(struct model *m, const char *name);
/* VMs in this state (gone ones are not counted). */
int model_count(const struct model *m, enum deck_state state);
bool deck_vm_alive(const struct deck_vm *vm);

struct deck_snapshot *model_snapshot(const struct model *m, const char *name);
/* The boot or restore of this VM; NULL: not known. */
struct deck_timing *model_timing(const struct model *m, const char *id);
/* Restores that the model knows. */
int model_restores(const struct model *m);
/* ms since a timing began, and of its phase i; now_ns: wall clock, for those under way. */
double deck_timing_ms(const struct deck_timing *t, uint64_t now_ns);
double deck_phase_ms(const struct deck_timing *t, int i, uint64_t now_ns);
/* The phase that took longest, or -1. */
int deck_slowest(const struct deck_timing *t);
/* What is usual for a phase, ms; < 0: not known. */
double deck_usual_ms(const struct deck_timing *t, const char *phase);

/* Decodes a VM of proto.def over what vm holds; false when it has no id. */
bool deck_vm_decode(struct deck_vm *vm, struct json_object *o);
void deck_image_decode(struct deck_image *im, struct json_object *o);
void deck_snapshot_decode(struct deck_snapshot *s, struct json_object *o);
enum deck_state deck_state_parse(const char *name);

#endif
