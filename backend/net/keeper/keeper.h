/* The keeper of one VM's network: makes it, hands it over, watches its links, undoes it. */
#ifndef VMDECK_NET_KEEPER_KEEPER_H
#define VMDECK_NET_KEEPER_KEEPER_H

#include <ev.h>
#include <netlink/socket.h>

#include "backend/base/proc.h"
#include "backend/net/net.h"

#define KEEPER_LINK_PREFIX "vmd-"

struct keeper {
	struct ev_loop *loop;
	/* The request; strings are owned. */
	char *home, *id, *socket, *pid_file;
	struct net_spec spec;

	char link[16];           /* the host's end when bridged */
	char tag[100];           /* whose things on the host are: "<id> <home>" */
	uint32_t address, inner; /* the VM's own on the host; of up0 when bridged */
	int alive_fd;            /* an abstract socket: says to a sweeper that we live */
	int id_fd;      /* an abstract socket: as long as it is there the VM has a keeper */
	int address_fd; /* an abstract socket: nobody else takes the address */
	int publish_fds[NET_PUBLISH_MAX]; /* the same for its ports when bridged */
	int host_ns, netns, userns, tap;
	struct nl_sock *host_links, *links, *monitor;
	bool on_host; /* nat_host_remove has something to remove */

	pid_t pasta;
	int pasta_fd, pasta_go, pasta_said; /* pidfd, starts it when written to, its stderr */

	int control, listener;
	struct proc vmm;
	ev_io control_io, listener_io, monitor_io, pasta_io;
	bool given, up;
	char why[128];
};

/* ---- setup.c: makes the network by a table of steps ---- */

/* 0, or -errno; *ret_step is the name of the step that failed. keeper_undo follows in any case. */
int keeper_setup(struct keeper *k, const char **ret_step, struct err *e);
/* Half-made is fine. */
void keeper_undo(struct keeper *k);

/* ---- address.c: what is taken on the host ---- */

/* 0: nobody was keeper of this VM; *ret_fd, the caller's, is the one now. -EADDRINUSE. */
int keeper_take_id(const char *id, int *ret_fd, struct err *e);
/* An address that nobody else has; keeper.address_fd holds it. */
int keeper_take_address(struct keeper *k, struct err *e);
/* -EADDRINUSE names the port that is taken; bridged: held from then on. */
int keeper_take_ports(struct keeper *k, struct err *e);

/* ---- pasta.c ---- */

/* Forks the process that will be pasta while this one is still on the host. */
int pasta_prepare(struct keeper *k, struct err *e);
/* Starts it; returns when up0 has its route. */
int pasta_run(struct keeper *k, struct err *e);
void pasta_end(struct keeper *k);

/* ---- serve.c: the life after ---- */

/* Tells the daemon that all is made (or not: error), and goes on until the VMM or the daemon ends
 * it. */
void keeper_send_error(struct keeper *k, const char *step, const struct err *e);
void keeper_serve(struct keeper *k);

#endif
