#include "agent/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "agent/util.h"

#define ROWS_DEFAULT 24
#define COLS_DEFAULT 80

void pty_resize(int master, uint16_t rows, uint16_t cols)
{
	const struct winsize ws = {
		.ws_row = rows ? rows : ROWS_DEFAULT,
		.ws_col = cols ? cols : COLS_DEFAULT,
	};

	ioctl(master, TIOCSWINSZ, &ws);
}

pid_t pty_foreground(int master)
{
	pid_t pgrp = tcgetpgrp(master);

	return pgrp > 1 ? pgrp : 0;
}

uint8_t pty_eof_char(int master)
{
	struct termios tio;

	return tcgetattr(master, &tio) < 0 ? 4 : tio.c_cc[VEOF];
}

int pty_open(uint16_t rows, uint16_t cols, uid_t uid, int *ret_master, int *ret_slave)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	int unlock = 0, slave, r;
	struct termios tio;

	if (master < 0)
		return -errno;
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		goto fail;
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		goto fail;
	pty_resize(master, rows, cols);
	if (!tcgetattr(slave, &tio)) {
		tio.c_iflag |= IUTF8;
		tcsetattr(slave, TCSANOW, &tio);
	}
	/* A command of another user opens it by name; its own descriptors work without. */
	if (uid != getuid() && fchown(slave, uid, (gid_t)-1) < 0)
		say_step("cannot give the terminal to user %u: errno %d", (unsigned)uid, errno);
	*ret_master = master;
	*ret_slave = slave;
	return 0;
fail:
	r = -errno;
	close_fd(&master);
	return r;
}
