/* A home of its own with a fake kernel package and agent, and builders as processes of their own.
 */
#ifndef VMDECK_TESTS_IMAGE_WORLD_H
#define VMDECK_TESTS_IMAGE_WORLD_H

#include <sys/types.h>

#include "backend/image/image.h"
#include "tests/support/image_fake.h"

#define WORLD_DEADLINE_MS 60000

struct world {
	char dir[64];
	struct paths paths;
	char *deb;  /* owned */
	char *path; /* owned: PATH as it was */
};

/* Makes the folder and sets VMDECK_LIBEXEC and VMDECK_KERNEL_DEB to what is in it. */
void world_init(struct world *w);
void world_fini(struct world *w); /* also gives PATH back */
/* "DIR/tail" (caller frees). */
char *world_path(const struct world *w, const char *tail);
/* Puts a shell script in front of PATH. */
void world_script(const struct world *w, const char *name, const char *script);
/* Removes the home: no image, no kernel. */
void world_empty(struct world *w);
/* Temporary folders left in images/ and kernels/. */
int world_temps(const struct world *w);
/* Fails the test unless image mini is there, whole, made of the parts of this world, and nothing
 * else is left. */
void world_check_good(const struct world *w);
/* Fails the test when the image is there but not whole; true when it is there. */
bool world_check_whole(const struct world *w);

/* image_build of mini in this process. */
int world_build(const struct world *w, bool force, struct err *e);
/* Fails the test unless e's sentence is one line that holds part. */
void world_says(const struct err *e, const char *part);
/* Fails the test unless a build is refused with code and such a sentence, and leaves nothing. */
void world_refused(const struct world *w, int code, const char *part);

/* A process that builds mini and tells each step as a line "STEP DONE TOTAL". */
struct builder {
	pid_t pid;
	int pidfd, lines, go;
	bool stepwise;
};

/* stepwise: it waits for builder_go after each line. */
void builder_start(struct builder *b, const struct world *w, bool force, bool stepwise);
/* Next line (its step) into out, or false at its end. */
bool builder_line(struct builder *b, char *out, size_t n);
void builder_go(struct builder *b);
void builder_kill(struct builder *b);
/* Lets it run on to its end: its exit code, or -signal. The number of "publish" lines to *ret_made
 * (may be NULL). */
int builder_end(struct builder *b, int *ret_made);

/* Waits for a child: exit code, or -signal; fails the test after WORLD_DEADLINE_MS. Closes pidfd.
 */
int world_wait(pid_t pid, int pidfd);
int world_pidfd(pid_t pid);

#endif
