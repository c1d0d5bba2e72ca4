/* A visible queue for work that shares the processors: so many at once, the others wait in order
 * and know their place. */
#ifndef VMDECK_VM_QUEUE_H
#define VMDECK_VM_QUEUE_H

#include <stdbool.h>

struct ticket {
	struct queue *queue; /* NULL: not in it */
	struct ticket *next, *prev;
	bool granted;
	void (*on_grant)(struct ticket *t);
};

struct queue {
	int slots, busy, waiting;
	struct ticket head; /* of those that wait */
};

void queue_init(struct queue *q, int slots);
/* True: granted now. False: on_grant is called later, from queue_leave of another. */
bool queue_enter(struct queue *q, struct ticket *t);
/* Gives the slot, or the place in the line, to others. Not in it: fine. */
void queue_leave(struct ticket *t);
/* Place in the line, from 1; 0: granted or not in it. */
int queue_place(const struct ticket *t);

#endif
