/* What is checked of a VM, how often, and what hangs on it; as options, vm.json and snapshots carry
 * it: a few words KEY=VALUE. */
#ifndef VMDECK_HEALTH_SPEC_H
#define VMDECK_HEALTH_SPEC_H

#include <json-c/json.h>
#include <stdbool.h>

#include "backend/base/err.h"

#define HEALTH_INTERVAL_S    10. /* between checks of a healthy VM */
#define HEALTH_TIMEOUT_S     5.  /* of one check */
#define HEALTH_GUEST_ADDRESS "10.0.2.100"

enum health_kind { HEALTH_AGENT, HEALTH_EXEC, HEALTH_HTTP, HEALTH_TCP, HEALTH_KIND__COUNT };

/* Zeroed: the agent is asked. Strings are owned. */
struct health_spec {
	enum health_kind kind;
	char *command; /* HEALTH_EXEC: for /bin/sh -c in the guest */
	char *url;     /* HEALTH_HTTP: as seen from inside the VM's network namespace */
	char *host;    /* HEALTH_TCP: the same; NULL: HEALTH_GUEST_ADDRESS */
	uint16_t port;
	double interval, timeout; /* s; 0: the defaults above */
	double start_limit;       /* s until it must be healthy first; 0: none */
	char snapshot[64];        /* taken when it is healthy first; "": none */
};

void health_spec_fini(struct health_spec *s);
/* Keys: exec, url, tcp ([HOST:]PORT), of which one may be set; interval, timeout, start_limit (s);
 * snapshot. -EINVAL or -ERANGE with a sentence. */
int health_spec_set(struct health_spec *s, const char *key, const char *value, struct err *e);
/* All keys of an object of strings (NULL: none). */
int health_spec_from_json(struct health_spec *s, struct json_object *o, struct err *e);
/* The caller's; {} for the default. */
struct json_object *health_spec_to_json(const struct health_spec *s);
/* What a copy of the VM is checked by: "KEY=VALUE" words without start limit and snapshot, which
 * are of a boot only; NULL for the default. To be ended by strv_free. */
char **health_spec_words(const struct health_spec *s);
int health_spec_from_words(struct health_spec *s, char *const *words, struct err *e);

/* The probe needs a connection into the VM's network. */
bool health_spec_needs_network(const struct health_spec *s);
double health_spec_interval(const struct health_spec *s);
double health_spec_timeout(const struct health_spec *s);
/* "http://...", the command, "10.0.2.100:80" or "", for people. */
char *health_spec_target(const struct health_spec *s, char *out, size_t n);

#endif
