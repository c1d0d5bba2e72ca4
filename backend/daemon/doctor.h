/* What this host has and lacks for vmdeck, each finding with what to do about it. */
#ifndef VMDECK_DAEMON_DOCTOR_H
#define VMDECK_DAEMON_DOCTOR_H

#include <json-c/json.h>

#include "backend/base/path.h"

/* Array of CHECK (proto.def); the caller's. Quick: a --version process or two at most. */
struct json_object *doctor_run(const struct paths *p);

#endif
