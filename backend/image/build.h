/* How an image is built: shared by image_build and the worker. */
#ifndef VMDECK_IMAGE_BUILD_H
#define VMDECK_IMAGE_BUILD_H

#include "backend/base/hash.h"
#include "backend/image/job.h"

/* Builds images/NAME as image_build says; the job is the caller's. */
int build_run(struct job *j, const char *name, bool force, struct err *e);

/* Whether this program knows how to build the image; names of all that it does for messages. */
bool build_knows(const char *name);
const char *build_names(void);

#endif
