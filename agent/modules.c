#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/pid1.h"
#include "agent/util.h"

static void load(const char *path, const char *params)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || (syscall(SYS_finit_module, fd, params, 0) < 0 && errno != EEXIST))
		say_error("cannot load the module %s: %s", path, strerror(errno));
	else
		say_step("module %s", path);
	close_fd(&fd);
}

void modules_load(const char *path)
{
	char text[16384], *line, *rest = text;
	ssize_t n = file_slurp(path, text, sizeof(text));

	if (n < 0) {
		say_error("cannot read %s: %s", path, strerror((int)-n));
		return;
	}
	while ((line = strsep(&rest, "\n"))) {
		char *params = line;

		line[strcspn(line, "#")] = 0;
		strsep(&params, " \t");
		if (*line)
			load(line, params ? params : "");
	}
}

void modules_load_late(const char *path)
{
	sigset_t none;
	pid_t pid;

	if (access(path, R_OK) < 0)
		return;
	pid = fork();
	if (pid < 0)
		say_error("cannot fork to load %s: %s", path, strerror(errno));
	if (pid)
		return;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpriority(PRIO_PROCESS, 0, 19);
	modules_load(path);
	_exit(0);
}
