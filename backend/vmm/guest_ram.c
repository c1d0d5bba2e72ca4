#include "backend/vmm/guest_ram.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

/* One line of /proc/PID/maps. */
struct map {
	uint64_t start, end, offset;
	char perms[5]; /* "rw-s" */
	char dev[32];
	uint64_t inode;
};

int guest_ram_open(pid_t pid, int nr, int *ret_fd, struct err *e)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, nr);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_errno(e, "cannot open the guest's memory '%s'", path);
	*ret_fd = fd;
	return 0;
}

/* Calls fn for each map until it says false. */
static int each_map(
	const char *path, bool (*fn)(const struct map *m, void *arg), void *arg, struct err *e)
{
	autofile FILE *f = fopen(path, "re");
	autofree char *line = NULL;
	size_t cap = 0;
	struct map m;

	if (!f)
		return err_errno(e, "cannot open '%s'", path);
	while (getline(&line, &cap, f) > 0) {
		if (sscanf(line, "%lx-%lx %4s %lx %31s %lu", &m.start, &m.end, m.perms, &m.offset,
			    m.dev, &m.inode) != 6)
			return err_set(e, EPROTO, "'%s' is not of the known form", path);
		if (!fn(&m, arg))
			return 0;
	}
	return ferror(f) ? err_errno(e, "cannot read '%s'", path) : 0;
}

/* ---- which file ----------------------------------------------------------------------------- */

struct identity {
	uint64_t at; /* where it is mapped here */
	char dev[32];
	uint64_t inode; /* 0: not found */
};

static bool is_at(const struct map *m, void *arg)
{
	struct identity *id = arg;

	if (id->at < m->start || id->at >= m->end)
		return true;
	memcpy(id->dev, m->dev, sizeof(id->dev));
	id->inode = m->inode;
	return false;
}

/* The file as maps will name it: on btrfs and overlays that is not what fstat says, so a page of
 * it is mapped here for a look. */
static int identify(int fd, struct identity *ret, struct err *e)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *p = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);
	int r;

	if (p == MAP_FAILED)
		return err_errno(e, "cannot map the guest's memory file");
	*ret = (struct identity){.at = (uintptr_t)p};
	r = each_map("/proc/self/maps", is_at, ret, e);
	munmap(p, page);
	if (r == 0 && !ret->inode)
		return err_set(e, ENOENT, "the guest's memory file has no name in /proc/self/maps");
	return r;
}

/* ---- where it is ---------------------------------------------------------------------------- */

struct search {
	struct identity id;
	struct guest_ram found;
	bool shared;
	uint64_t size;    /* wanted */
	struct map whole; /* neighbours joined: the kernel splits where advice differs */
};

static bool is_ram(const struct map *m, void *arg)
{
	struct search *s = arg;

	if (m->inode != s->id.inode || strcmp(m->dev, s->id.dev) != 0)
		return true;
	if (m->perms[1] == 'w' && m->perms[3] == 's')
		s->shared = true;
	if (s->whole.end == m->start && s->whole.end &&
		m->offset == s->whole.offset + (s->whole.end - s->whole.start) &&
		strcmp(m->perms, s->whole.perms) == 0)
		s->whole.end = m->end;
	else
		s->whole = *m;
	if (s->whole.offset == 0 && s->whole.end - s->whole.start == s->size &&
		strncmp(s->whole.perms, "rw", 2) == 0)
		s->found = (struct guest_ram){.start = s->whole.start, .size = s->size};
	return true;
}

int guest_ram_find(pid_t pid, int fd, uint64_t size, struct guest_ram *ret, struct err *e)
{
	struct search s = {.size = size};
	char path[64];
	int r = identify(fd, &s.id, e);

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	if (r == 0)
		r = each_map(path, is_ram, &s, e);
	if (r < 0)
		return r;
	if (!s.found.size)
		return err_set(e, ENOENT, "process %d does not map the guest's memory of %lu bytes",
			(int)pid, (unsigned long)size);
	*ret = s.found;
	ret->shared = s.shared;
	return 0;
}
