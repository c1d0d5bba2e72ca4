#include "backend/vm/queue.h"

#include <stddef.h>

void queue_init(struct queue *q, int slots)
{
	*q = (struct queue){.slots = slots};
	q->head.next = q->head.prev = &q->head;
}

static void unlink_ticket(struct ticket *t)
{
	t->prev->next = t->next;
	t->next->prev = t->prev;
	t->queue->waiting--;
}

/* A granted one may leave at once and let in the next: the list is read anew each time. */
static void grant(struct queue *q)
{
	while (q->busy < q->slots && q->head.next != &q->head) {
		struct ticket *t = q->head.next;

		unlink_ticket(t);
		t->granted = true;
		q->busy++;
		t->on_grant(t);
	}
}

bool queue_enter(struct queue *q, struct ticket *t)
{
	t->queue = q;
	if (q->busy < q->slots && !q->waiting) {
		t->granted = true;
		q->busy++;
		return true;
	}
	t->granted = false;
	t->prev = q->head.prev;
	t->next = &q->head;
	t->prev->next = t;
	t->next->prev = t;
	q->waiting++;
	return false;
}

void queue_leave(struct ticket *t)
{
	struct queue *q = t->queue;

	if (!q)
		return;
	if (t->granted)
		q->busy--;
	else
		unlink_ticket(t);
	t->queue = NULL;
	t->granted = false;
	grant(q);
}

int queue_place(const struct ticket *t)
{
	const struct ticket *w;
	int n = 1;

	if (!t->queue || t->granted)
		return 0;
	for (w = t->queue->head.next; w != t; w = w->next)
		n++;
	return n;
}
