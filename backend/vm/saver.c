#include "backend/vm/saver.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/log.h"
#include "backend/base/str.h"

struct job {
	struct job *next;
	char *path;
	bool tree; /* remove the tree at path; else sync the file */
};

struct saver {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more, room;
	struct job *first, **last;
	int count;
	bool stop;
	char *trash;
};

static void job_free(struct job *j)
{
	free(j->path);
	free(j);
}

/* Also the folder: the name is to last as well. One that was removed meanwhile needs nothing. */
static int sync_file(const char *path, struct err *e)
{
	autofree char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');
	int r = path_fsync(path, e);

	if (!r && slash) {
		*slash = '\0';
		r = path_fsync(dir, e);
	}
	return r == -ENOENT ? 0 : r;
}

static void job_run(const struct job *j)
{
	struct err e = {0};

	if ((j->tree ? tree_remove(j->path, &e) : sync_file(j->path, &e)) < 0)
		log_error("%s", e.msg);
}

static struct job *take_job(struct saver *s)
{
	struct job *j;

	pthread_mutex_lock(&s->lock);
	while (!s->first && !s->stop)
		pthread_cond_wait(&s->more, &s->lock);
	j = s->first;
	if (j) {
		s->first = j->next;
		if (!s->first)
			s->last = &s->first;
		s->count--;
		pthread_cond_signal(&s->room);
	}
	pthread_mutex_unlock(&s->lock);
	return j;
}

static void *saver_main(void *arg)
{
	struct saver *s = arg;
	struct job *j;

	while ((j = take_job(s))) {
		job_run(j);
		job_free(j);
	}
	return NULL;
}

static void add_job(struct saver *s, struct job *j)
{
	pthread_mutex_lock(&s->lock);
	while (s->count >= SAVER_QUEUE)
		pthread_cond_wait(&s->room, &s->lock);
	*s->last = j;
	s->last = &j->next;
	s->count++;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
}

int saver_open(struct saver **ret, const char *trash, struct err *e)
{
	struct saver *s;
	int r = tree_remove(trash, e);

	if (!r)
		r = dir_make(trash, 0700, e);
	if (r < 0)
		return r;
	s = xcalloc(1, sizeof(*s));
	s->last = &s->first;
	s->trash = xstrdup(trash);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->more, NULL);
	pthread_cond_init(&s->room, NULL);
	r = pthread_create(&s->thread, NULL, saver_main, s);
	if (r) {
		free(s->trash);
		free(s);
		return err_set(e, r, "cannot start the saver thread: %s", strerror(r));
	}
	*ret = s;
	return 0;
}

void saver_close(struct saver *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->stop = true;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->more);
	pthread_cond_destroy(&s->room);
	free(s->trash);
	free(s);
}

/* By rename, so that a daemon that is killed leaves the old text or the new one. Only the sync is
 * left to the thread: it takes what there is then, so no older text ever comes back. */
static int write_now(const char *path, const char *text, struct err *e)
{
	autofree char *tmp = xasprintf("%s.now", path);
	FILE *f = fopen(tmp, "we");
	int r = 0;

	if (!f)
		return err_errno(e, "cannot create '%s'", tmp);
	if (fputs(text, f) < 0)
		r = err_errno(e, "cannot write '%s'", path);
	if (fclose(f) < 0 && !r)
		r = err_errno(e, "cannot write '%s'", path);
	if (!r && rename(tmp, path) < 0)
		r = err_errno(e, "cannot rename '%s' to '%s'", tmp, path);
	if (r < 0)
		unlink(tmp);
	return r;
}

static bool sync_queued(struct saver *s, const char *path)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (struct job *j = s->first; j && !found; j = j->next)
		found = !j->tree && strcmp(j->path, path) == 0;
	pthread_mutex_unlock(&s->lock);
	return found;
}

int saver_write(struct saver *s, const char *path, const char *text, struct err *e)
{
	int r = write_now(path, text, e);
	struct job *j;

	if (r < 0 || sync_queued(s, path))
		return r;
	j = xcalloc(1, sizeof(*j));
	j->path = xstrdup(path);
	add_job(s, j);
	return 0;
}

static void drop_queued_below(struct saver *s, const char *path)
{
	size_t n = strlen(path);

	pthread_mutex_lock(&s->lock);
	for (struct job **at = &s->first; *at;) {
		struct job *j = *at;

		if (j->tree || strncmp(j->path, path, n) != 0 || j->path[n] != '/') {
			at = &j->next;
			continue;
		}
		*at = j->next;
		if (!*at)
			s->last = at;
		s->count--;
		job_free(j);
	}
	pthread_mutex_unlock(&s->lock);
}

void saver_remove(struct saver *s, const char *path)
{
	const char *base = strrchr(path, '/');
	struct job *j;
	uint32_t salt;
	char *to;

	drop_queued_below(s, path);
	random_bytes(&salt, sizeof(salt));
	to = xasprintf("%s/%s-%08x", s->trash, base ? base + 1 : path, salt);
	if (rename(path, to) < 0) {
		if (errno != ENOENT)
			log_error("cannot remove '%s': %s", path, strerror(errno));
		free(to);
		return;
	}
	j = xcalloc(1, sizeof(*j));
	j->path = to;
	j->tree = true;
	add_job(s, j);
}
