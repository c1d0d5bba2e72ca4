/* A VMM driver that does only what a test tells it to, with the manners of the real one: answers
 * come when the test gives them, an end answers the operation under way first. */
#ifndef VMDECK_TESTS_VMM_SCRIPT_H
#define VMDECK_TESTS_VMM_SCRIPT_H

#include "backend/vmm/vmm.h"

struct script_vm {
	struct vmm base;
	vmm_done *done; /* of the operation under way */
	enum vmm_state to;
	bool first; /* it is start or adopt */
	int kills;
	char state_path[512];  /* of the last save */
	struct frozen *memory; /* of the save under way */
};

/* The vmm made last that was not destroyed yet, or NULL. */
struct script_vm *script_last(void);
/* Ends the operation under way: 0, or -errno with a sentence. A save then has made its file and its
 * memory. */
void script_answer(int r);
/* The monitor says that the vCPUs run or stand still. */
void script_state(enum vmm_state to);
void script_event(enum vmm_event ev);
/* The process ends. */
void script_exit(const char *detail);

#endif
