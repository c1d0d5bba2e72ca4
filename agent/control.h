/* The control connection: READY, HELLO, health, vitals, power. */
#ifndef VMDECK_AGENT_CONTROL_H
#define VMDECK_AGENT_CONTROL_H

#include "agent/link.h"

/* VITALS with its longest reason text, and small answers. */
#define CONTROL_OUT_CAP 16384

struct agent;

struct control {
	struct agent *agent;
	struct link link;
	struct timer vitals, late;
	uint32_t vitals_ms; /* 0: off */
	uint8_t in[CONN_IN_CAP], out[CONTROL_OUT_CAP];
};

void control_init(struct control *c, struct agent *a);
/* Dials. */
void control_start(struct control *c);
/* Sends BYE (see WIRE_BYE) when a host is connected. */
void control_bye(struct control *c, uint8_t reason, int32_t status);
/* Queues QUIESCED when a host is connected; whoever is not in a frame's handler flushes then. */
void control_quiesced(struct control *c, const struct wire_quiesced *m);
void control_flush(struct control *c);
/* As link_close. */
void control_close(struct control *c, uint32_t ms);

#endif
