#include "tui/cli/prefix.h"

enum prefix_event prefix_feed(
	struct prefix *p, const uint8_t *in, size_t n, uint8_t *out, size_t *ret_n)
{
	enum prefix_event event = PREFIX_NONE;
	size_t put = 0;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = in[i];

		if (!p->pending && c == PREFIX_KEY) {
			p->pending = true;
		} else if (!p->pending) {
			out[put++] = c;
		} else {
			p->pending = false;
			if (c == PREFIX_KEY) {
				out[put++] = c;
			} else if (c == 'd' || c == '.') {
				*ret_n = put;
				return PREFIX_DETACH;
			} else {
				event = PREFIX_ASK;
			}
		}
	}
	*ret_n = put;
	return event;
}
