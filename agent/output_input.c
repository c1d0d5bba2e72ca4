/* The way back of the output connection: the host's input for the main process, within its credit.
 */
#include "agent/output.h"

#include <errno.h>
#include <sys/epoll.h>

#include "agent/agent.h"
#include "agent/util.h"

static void input_drop(struct output *o)
{
	o->credit += (uint32_t)ring_used(&o->input);
	ring_release(&o->input, o->input.next);
}

void output_input_write(struct output *o)
{
	ssize_t n;

	if (o->input_to.fd < 0) {
		input_drop(o);
		return;
	}
	n = ring_drain(&o->input, o->input_to.fd);
	if (n > 0)
		o->credit += (uint32_t)n;
	else if (n < 0 && n != -EAGAIN && n != -EINTR)
		output_set_input(o, -1);
}

static void on_input_room(void *user, uint32_t events)
{
	struct output *o = user;

	if (events & EPOLLERR)
		output_set_input(o, -1);
	else
		output_input_write(o);
	output_pump(o);
}

void output_set_input(struct output *o, int fd)
{
	watch_close(&o->agent->loop, &o->input_to);
	if (fd >= 0 && watch_open(&o->agent->loop, &o->input_to, fd, 0, on_input_room, o) < 0)
		say_error("no event slot for the main process' input");
	if (o->input_to.fd < 0)
		input_drop(o);
}

int output_on_input(struct output *o, const struct wire_frame *f)
{
	if (f->len > ring_room(&o->input))
		return -EPROTO;
	ring_put(&o->input, f->payload, f->len);
	output_input_write(o);
	return 0;
}
