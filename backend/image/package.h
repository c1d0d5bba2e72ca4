/* The kernel's Debian package: which one, fetched by apt (never installed), read by dpkg-deb. */
#ifndef VMDECK_IMAGE_PACKAGE_H
#define VMDECK_IMAGE_PACKAGE_H

#include "backend/base/hash.h"
#include "backend/image/job.h"
#include "backend/image/tar.h"

#define PACKAGE_META    "linux-image-cloud-amd64" /* depends on the newest kernel for VMs */
#define PACKAGE_ENV     "VMDECK_KERNEL_DEB"       /* a file that takes the place of the download */
#define PACKAGE_DEB_MAX (512ull * 1024 * 1024)

struct package {
	char name[128];   /* linux-image-6.1.0-56-cloud-amd64 */
	char release[64]; /* 6.1.0-56-cloud-amd64 */
	char version[64]; /* 6.1.192-2 */
	char sha256[HASH_HEX];
	uint64_t size;  /* bytes of the .deb */
	char file[600]; /* the .deb, once it is here */
};

/* Which package to use: $VMDECK_KERNEL_DEB, else what apt's lists know. -ENOENT: apt is missing or
 * its lists do not know the kernel; says what to do. Step "lookup". */
int package_find(struct job *j, struct package *ret, struct err *e);

/* Downloads it into dir (step "download", bytes of its size) and sets p->file; a file that is
 * already here stays where it is. */
int package_fetch(struct job *j, struct package *p, const char *dir, struct err *e);

/* Feeds the files of the .deb through h (step "extract", bytes of about the installed size). */
int package_read(
	struct job *j, const struct package *p, const struct tar_handler *h, struct err *e);

/* Value of a field in a control paragraph ("Size: 123"), cut at out's size; -ENOENT without it. */
int package_field(const char *control, const char *field, char *out, size_t n);

#endif
