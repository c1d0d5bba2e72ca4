/* Doubly linked intrusive list. A node that is in no list points at itself, so that removing twice
 * is harmless. */
#ifndef VMDECK_VSOCK_LIST_H
#define VMDECK_VSOCK_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

/* For a node: it is in no list. */
static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add_before(struct list *at, struct list *l)
{
	l->prev = at->prev;
	l->next = at;
	at->prev->next = l;
	at->prev = l;
}

static inline void list_push(struct list *head, struct list *l)
{
	list_add_before(head, l);
}

static inline void list_push_front(struct list *head, struct list *l)
{
	list_add_before(head->next, l);
}

static inline void list_del(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

/* Takes the first node out; NULL: there is none. */
static inline struct list *list_pop(struct list *head)
{
	struct list *l = head->next;

	if (l == head)
		return NULL;
	head->next = l->next;
	l->next->prev = head;
	list_init(l);
	return l;
}

#endif
