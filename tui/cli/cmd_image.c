/* image build and image rm. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/cli.h"
#include "tui/cli/work.h"

int cmd_image_build(struct cli *c)
{
	autojson struct json_object *image = NULL;
	struct work w = {.c = c,
		.image = c->opts.args[0],
		.draw = c->tty_err && !c->json,
		.lines = !c->tty_err};
	uint64_t begin = mono_ns();
	char size[32], took[32];
	struct err e = {0};
	int r;

	w.lines = w.lines && !c->json;
	r = work_build(&w, opt_given(&c->opts, "force"), &image, &e);
	if (r == -EINTR) {
		fprintf(stderr,
			"vmdeck: interrupted: the build goes on in vmdeckd; vmdeck images shows "
			"it\n");
		return EXIT_SIGNAL + c->signal;
	}
	if (r < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (c->json) {
		cli_print_json(image, false);
		return EXIT_OK;
	}
	printf("%s is ready: kernel %s, %s, %s\n", jsonx_str(image, "name"),
		jsonx_str(image, "kernel"),
		str_bytes(size, sizeof(size), (uint64_t)jsonx_int(image, "bytes", 0)),
		str_duration(took, sizeof(took), mono_ns() - begin));
	return EXIT_OK;
}
