#include "tui/cli/tty.h"

#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>

static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};

/* Global because signal handlers and atexit(3) get no argument; one terminal a process. */
static struct {
	struct termios saved;
	int fd;
	volatile sig_atomic_t raw;
	bool armed;
	struct sigaction before[countof(crashes)];
} tty = {.fd = -1};

bool tty_size(int fd, uint16_t *rows, uint16_t *cols)
{
	struct winsize w;

	if (ioctl(fd, TIOCGWINSZ, &w) < 0 || !w.ws_row || !w.ws_col)
		return false;
	*rows = w.ws_row;
	*cols = w.ws_col;
	return true;
}

int tty_width(void)
{
	uint16_t rows, cols;

	return tty_size(STDOUT_FILENO, &rows, &cols) ? cols : 0;
}

void tty_restore(void)
{
	if (!tty.raw)
		return;
	tty.raw = 0;
	tcsetattr(tty.fd, TCSANOW, &tty.saved);
}

/* Puts the terminal right, then lets the signal do what it did before (dump core, a sanitizer's
 * report): it is blocked here, so the raised one arrives after the return. */
static void on_crash(int sig)
{
	tty_restore();
	for (size_t i = 0; i < countof(crashes); i++)
		if (crashes[i] == sig)
			sigaction(sig, &tty.before[i], NULL);
	raise(sig);
}

static void arm(void)
{
	struct sigaction sa = {.sa_handler = on_crash};

	if (tty.armed)
		return;
	tty.armed = true;
	atexit(tty_restore);
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < countof(crashes); i++)
		sigaction(crashes[i], &sa, &tty.before[i]);
}

int tty_raw(int fd, bool keep_output, struct err *e)
{
	struct termios t;

	if (!tty.raw && tcgetattr(fd, &tty.saved) < 0)
		return err_errno(e, "cannot read the terminal's settings");
	tty.fd = fd;
	arm();
	t = tty.saved;
	cfmakeraw(&t);
	if (keep_output)
		t.c_oflag |= tty.saved.c_oflag & (tcflag_t)OPOST;
	tty.raw = 1;
	if (tcsetattr(fd, TCSADRAIN, &t) < 0) {
		tty.raw = 0;
		return err_errno(e, "cannot switch the terminal to raw mode");
	}
	return 0;
}
