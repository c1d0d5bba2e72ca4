/* Recordings of what a daemon told: written line by line, read whole for a replay.
 *
 * One JSON object a line, only ever appended, each with one write(2): after a kill -9 all whole
 * lines are good, and a last one without its end is left out. ms: since the start, never falling.
 *
 *   {"vmdeck_recording":1,"version":"0.1.0","host":"...","wall_ns":N,"mono_ns":N}  the first line
 *   {"ms":0,"answer":"vm.list","asked":0,"result":[...]}      what a call was answered; of: what it
 *   {"ms":9,"answer":"vm.get","of":"ID","asked":8,"result":{}}   was asked about; asked: when
 *   {"ms":8,"event":{...}}                                    as the daemon sent it
 *   {"ms":8,"stats":{...}}                                    a host.stats
 *   {"ms":8,"open":"output","vm":"ID","first":N,"start":N,"end":N}     a stream; or "serial"
 *   {"ms":9,"data":"output","vm":"ID","at":N,"bytes":"..."}   a character U+0000..U+00FF a byte
 *   {"ms":9,"end":"output","vm":"ID"}
 *   {"ms":9,"mark":"text"}
 *   {"ms":9,"stop":"why"}                                     the last line of one that was ended
 *
 * A reader takes the first line's number 1 only, and passes over kinds of lines it does not know.
 */
#ifndef VMDECK_RECORD_RECORD_H
#define VMDECK_RECORD_RECORD_H

#include <json-c/json.h>
#include <stdbool.h>

#include "backend/base/err.h"

#define RECORD_FORMAT   1
#define RECORD_LINE_MAX (16u * 1024 * 1024)  /* bytes of one line */
#define RECORD_MAX      (256u * 1024 * 1024) /* bytes of a file that is read, and written */
#define RECORD_VMS_MAX  20000
#define RECORD_DATA_MAX 65536 /* bytes of one data line */
#define RECORD_DAYS_MAX 31

enum record_source { RECORD_OUTPUT, RECORD_SERIAL, RECORD_SOURCES };
extern const char *const record_sources[RECORD_SOURCES];

/* ---- writing -------------------------------------------------------------------------------- */

struct record_writer {
	int fd;            /* -1: closed */
	uint64_t start_ns; /* monotonic */
	uint64_t bytes, max;
	int64_t ms;      /* of the newest line */
	int64_t mark_ms; /* of the newest mark */
};

/* Makes the file (0600) and writes the first line. -EEXIST: it is there already. */
int record_create(struct record_writer *w, const char *path, const char *version, uint64_t max,
	struct err *e);
/* ms since the start, for `asked`. */
int64_t record_now(const struct record_writer *w);
/* Each writes one line. -EFBIG: it would pass the limit (the line is left out); -ENOSPC...: as
 * write(2). of may be NULL. Nothing is taken. */
int record_answer(struct record_writer *w, const char *method, const char *of, int64_t asked,
	struct json_object *result, struct err *e);
int record_event(struct record_writer *w, struct json_object *event, struct err *e);
int record_stats(struct record_writer *w, struct json_object *stats, struct err *e);
int record_open(struct record_writer *w, const char *vm, enum record_source s,
	struct json_object *opened, struct err *e);
int record_data(struct record_writer *w, const char *vm, enum record_source s, uint64_t at,
	const void *data, size_t n, struct err *e);
int record_end(struct record_writer *w, const char *vm, enum record_source s, struct err *e);
int record_mark(struct record_writer *w, const char *text, struct err *e);
/* Writes why it ends, and closes. A closed one stays closed. */
void record_close(struct record_writer *w, const char *why);

/* ---- reading -------------------------------------------------------------------------------- */

enum record_kind {
	RECORD_ANSWER,
	RECORD_EVENT,
	RECORD_OPEN,
	RECORD_DATA,
	RECORD_END,
	RECORD_MARK,
	RECORD_STATS,
};

enum record_call {
	RECORD_VM_LIST,
	RECORD_VM_GET,
	RECORD_IMAGE_LIST,
	RECORD_SNAPSHOT_LIST,
	RECORD_TIMING_LIST,
	RECORD_TIMING_GET,
	RECORD_EVENT_LIST,
	RECORD_DOCTOR,
	RECORD_CALLS
};
extern const char *const record_calls[RECORD_CALLS];

struct record_entry {
	enum record_kind kind;
	int64_t ms;       /* of an answer: when it was asked for */
	size_t number;    /* of the line, from 1 */
	const char *line; /* borrowed from the recording */
	size_t len;
	int vm;                    /* number of the VM, or -1 */
	enum record_call call;     /* answer */
	bool removes;              /* event: the VM is gone */
	uint64_t seq;              /* event */
	enum record_source source; /* open, data, end */
	uint64_t at;               /* data: offset; open: oldest byte there is */
	uint8_t *data;             /* data: owned */
	size_t size;
};

struct recording {
	char *text;                 /* owned: the file */
	struct record_entry *entry; /* in order of time */
	size_t count;
	char **vm; /* ids, by number */
	int vms;
	uint64_t wall_ns; /* of ms 0 */
	int64_t length_ms;
	char version[64], host[128];
	bool cut; /* the last line had no end and was left out */
};

/* Reads and checks all of a file. -EINVAL names the line. */
int recording_load(struct recording *rec, const char *path, struct err *e);
/* The same from memory; takes text (malloc'd, NUL-ended), also on failure. name: for messages. */
int recording_parse(struct recording *rec, const char *name, char *text, size_t n, struct err *e);
void recording_fini(struct recording *rec);
/* The line of an entry, parsed (caller's). */
struct json_object *recording_line(const struct record_entry *en);
/* Number of the VM with this id, or -1. */
int recording_vm(const struct recording *rec, const char *id);

#endif
