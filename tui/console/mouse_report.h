/* Mouse reports of the operator's terminal (SGR, mode 1006), byte by byte. Pure. */
#ifndef VMDECK_TUI_CONSOLE_MOUSE_REPORT_H
#define VMDECK_TUI_CONSOLE_MOUSE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mouse_button { MOUSE_NONE, MOUSE_LEFT, MOUSE_MIDDLE, MOUSE_RIGHT, MOUSE_UP, MOUSE_DOWN };

struct mouse_event {
	enum mouse_button button; /* MOUSE_UP, MOUSE_DOWN: the wheel */
	int y, x;                 /* of the screen, from 0 */
	bool pressed, moved;      /* moved: with the button held, pressed before */
	uint32_t mods;            /* KEY_MOD_* */
};

/* What has come behind "ESC [ <". */
struct mouse_report {
	bool open;
	char text[24];
	size_t len;
};

enum mouse_fed { MOUSE_MORE, MOUSE_DONE, MOUSE_BAD };
/* Begins anew. */
void mouse_report_begin(struct mouse_report *r);
/* Takes the next character; DONE: *ret is the event. DONE and BAD (no report at all) close it. */
enum mouse_fed mouse_report_feed(struct mouse_report *r, uint32_t c, struct mouse_event *ret);

#endif
