/* A VM's network in its life: made before the VMM is spawned, told to the guest, undone with the
 * VMM. */
#ifndef VMDECK_VM_NETWORK_H
#define VMDECK_VM_NETWORK_H

#include "backend/vm/vm.h"

#define NETWORK_LIMIT 30. /* s; normal: 0.015; it may wait for other networks' ends */

/* Step of boot and restore, passed over by a VM without a network. */
bool vm_network_skip(const struct flow *f);
enum flow_verdict vm_network_enter(struct flow *f);
enum flow_verdict vm_network_event(struct flow *f, int ev, void *data);
void vm_network_undo(struct flow *f);

/* What HELLO tells the guest, with the host's resolvers as they are now; *ret NULL: nothing. */
int vm_network_for_guest(struct vm *vm, const struct guest_network **ret, struct err *e);
/* For vmm_config: NULL without one. */
const struct vmm_net *vm_network_config(struct vm *vm);
/* The VMM was started. */
void vm_network_given(struct vm *vm);
/* Of a VM that an earlier daemon started; a keeper that is gone is logged. */
void vm_network_adopt(struct vm *vm);
/* As health_open_socket, user: the VM: a socket inside its namespace. */
int vm_network_socket(void *user, int family, int type, struct err *e);
/* Another VM's published ports, before anything is started: -EADDRINUSE names it. */
int vm_network_check(const struct vm_host *h, const struct net_spec *spec, struct err *e);

/* For a snapshot: NULL-ended words, mode first, the caller's; NULL: none. */
char **vm_network_words(const struct vm *vm);
/* What a restore of s has unless it is told otherwise: the mode, and the ports that were published
 * on the VM's own address. */
int vm_network_inherit(struct vm_spec *spec, const struct snapshot *s, struct err *e);

/* What the caller of a restore says instead, before it begins. NULL: nothing. */
int vm_network_wish(struct vm *vm, const struct net_wish *wish, struct err *e);

/* NULL: no network. */
struct json_object *vm_network_json(struct vm *vm);

#endif
