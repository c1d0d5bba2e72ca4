/* Proof, after a restore, that the published ports of a VM lead into it. */
#ifndef VMDECK_VM_PROOF_H
#define VMDECK_VM_PROOF_H

#include "backend/vm/vm.h"

#define PROOF_LIMIT 3. /* s; normal, emulated: 0.01 */

/* Step of a restore, passed over when no TCP port is published: connects to each on the host. A
 * guest that refuses has answered, too. A port that stays silent is told (net.publish), and the
 * restore goes on: a firewall of the guest's own may want it so. */
bool vm_proof_skip(const struct flow *f);
enum flow_verdict vm_proof_enter(struct flow *f);
enum flow_verdict vm_proof_event(struct flow *f, int ev, void *data);
enum flow_verdict vm_proof_expired(struct flow *f);
void vm_proof_undo(struct flow *f);

/* NULL is fine. */
void vm_proof_free(struct proof *p);

#endif
