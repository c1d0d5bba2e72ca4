/* For unit tests of the RPC server: a peer that speaks JSON lines over a UNIX socket inside the
 * same process. Waits run the loop of looptest.h. */
#ifndef VMDECK_TESTS_LINETEST_H
#define VMDECK_TESTS_LINETEST_H

#include <json-c/json.h>

#include "backend/base/buf.h"
#include "tests/support/looptest.h"

/* Runs the loop until *value is want. what names the wait. */
void t_until_is(const int *value, int want, const char *what);

struct liner {
	int fd;
	struct buf in;
	struct json_object *o; /* the last line */
};

void liner_dial(struct liner *l, const char *path);
void liner_close(struct liner *l);
/* Sends the text as it is, running the loop while there is no room. False: broken pipe. */
bool liner_send(struct liner *l, const char *text);
/* {"jsonrpc":"2.0","id":id,"method":method,"params":params} and a line end. */
void liner_call(struct liner *l, int id, const char *method, const char *params);
/* The next line in l->o; false: end of file. */
bool liner_next(struct liner *l);
/* The next line is the result of call id; returns it (borrowed). */
struct json_object *liner_result(struct liner *l, int id);
/* The next line is an error with this id (-1: null) and code; returns its message. */
const char *liner_error(struct liner *l, int id, int code);
/* The next line is an event; returns its seq. */
uint64_t liner_event(struct liner *l);
void liner_expect_eof(struct liner *l);

#endif
