/* The agent as a whole: all of its state, in one static object of main.c. */
#ifndef VMDECK_AGENT_AGENT_H
#define VMDECK_AGENT_AGENT_H

#include "agent/control.h"
#include "agent/exec.h"
#include "agent/hello.h"
#include "agent/loop.h"
#include "agent/mainproc.h"
#include "agent/network.h"
#include "agent/output.h"
#include "agent/power.h"
#include "agent/quiesce.h"
#include "agent/transport.h"

#define AGENT_VERSION "0.1.0"

struct agent {
	bool pid1;    /* the guest is ours: clock, identity, all processes, the machine's end */
	bool serving; /* HELLO_ACK was sent on the present control connection */
	struct loop loop;
	struct transport transport;
	struct identity id;
	struct network network;
	struct control control;
	struct output output;
	struct mainproc main;
	struct power power;
	struct quiesce quiesce;
	struct execs execs;
};

#endif
