/* Between the files of this folder. */
#ifndef VMDECK_NET_NET_IMPL_H
#define VMDECK_NET_NET_IMPL_H

#include <signal.h>

#include "backend/base/proc.h"
#include "backend/net/net.h"

#define NET_SOCKET      "net.sock"
#define NET_SOCKETS_MAX 4

/* WAITING: the request is still to be sent; ASKED: the answer is still to come. */
enum net_phase { NET_WAITING, NET_ASKED, NET_MADE, NET_LOST, NET_CLOSING };

struct net {
	struct ev_loop *loop;
	struct net *next;
	struct net_callbacks cb;
	void *user;
	struct net_spec spec;
	enum net_phase phase;
	struct json_object *request; /* NULL when adopted */
	struct proc keeper;
	int control; /* to the keeper; -1: it is gone */
	ev_io io;
	ev_timer limit;
	int tap, netns, userns;
	int sockets[NET_SOCKETS_MAX]; /* made inside, for net_socket */
	int socket_count;
	bool sockets_asked;
	char address[16], link[16];
	bool up;
	char why[160];
};

/* net.c: the answer came; the keeper is gone or refused. */
void net_ready(struct net *n);
void net_lost(struct net *n, const struct err *e);

/* talk.c */
void net_on_message(struct ev_loop *loop, ev_io *w, int revents);
void net_send_request(struct net *n);
void net_say(struct net *n, const char *text);

#endif
