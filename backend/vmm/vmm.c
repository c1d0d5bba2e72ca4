#include "backend/vmm/vmm.h"

void vmm_setup(struct vmm *v, struct ev_loop *loop, const struct vmm_config *config,
	const struct vmm_callbacks *cb, void *user)
{
	v->loop = loop;
	v->config = config;
	v->cb = *cb;
	v->user = user;
}
