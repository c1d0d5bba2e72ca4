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
	char *text; /* NULL: remove the tree at path */
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
	free(j->text);
	free(j);
}

static void job_run(const struct job *j)
{
	struct err e = {0};
	int r;

	if (j->text)
		r = file_write_atomic(j->path, j->text, strlen(j->text), 0600, &e);
	else
		r = tree_remove(j->path, &e);
	if (r < 0)
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

/* A write still queued for the same path gets the newer text. */
static bool replace_queued(struct saver *s, const char *path, const char *text)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (struct job *j = s->first; j && !found; j = j->next)
		if (j->text && strcmp(j->path, path) == 0) {
			free(j->text);
			j->text = xstrdup(text);
			found = true;
		}
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* Readable by the next daemon at once, should this one be killed before the thread gets to it. Not
 * safe against loss of power: that is what the queued, fsynced write is for. */
static void write_now(const char *path, const char *text)
{
	autofree char *tmp = xasprintf("%s.now", path);
	autofile FILE *f = fopen(tmp, "we");

	if (f && fputs(text, f) >= 0 && fflush(f) == 0)
		(void)!rename(tmp, path);
}

void saver_write(struct saver *s, const char *path, const char *text)
{
	struct job *j;

	write_now(path, text);
	if (replace_queued(s, path, text))
		return;
	j = xcalloc(1, sizeof(*j));
	j->path = xstrdup(path);
	j->text = xstrdup(text);
	add_job(s, j);
}

static void drop_queued_below(struct saver *s, const char *path)
{
	size_t n = strlen(path);

	pthread_mutex_lock(&s->lock);
	for (struct job **at = &s->first; *at;) {
		struct job *j = *at;

		if (!j->text || strncmp(j->path, path, n) != 0 || j->path[n] != '/') {
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
	add_job(s, j);
}
