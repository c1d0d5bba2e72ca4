/* Starting and leaving curses, and the ways back to a sane terminal. */
#include "tui/console/term.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>

#include "tui/console/term_input.h"

static const int fatal_signals[] = {
	SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGTERM, SIGHUP, SIGINT, SIGQUIT};

/* A signal handler has no argument, so what it needs is here: the one place of the console with
 * state of its own. */
static struct {
	volatile sig_atomic_t active;
	bool saved; /* tty below is what the terminal was before us */
	struct termios tty;
	char restore[256]; /* ready-made bytes that undo what curses set */
	size_t restore_len;
	struct sigaction old[countof(fatal_signals)];
	char *stack; /* for a handler that runs because the stack overflowed */
	SCREEN *screen;
} term;

/* Only async-signal-safe calls. */
static void term_restore(void)
{
	if (!term.active)
		return;
	term.active = 0;
	for (size_t done = 0; done < term.restore_len;) {
		ssize_t n = write(STDOUT_FILENO, term.restore + done, term.restore_len - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (term.saved)
		tcsetattr(STDIN_FILENO, TCSANOW, &term.tty);
}

/* Restores, then lets the signal do what it would have done without us (also a sanitizer's). */
static void on_fatal(int sig)
{
	int saved = errno;

	term_restore();
	for (size_t i = 0; i < countof(fatal_signals); i++)
		if (fatal_signals[i] == sig)
			sigaction(sig, &term.old[i], NULL);
	raise(sig);
	errno = saved;
}

static int restore_put(int c)
{
	if (term.restore_len < sizeof(term.restore))
		term.restore[term.restore_len++] = (char)c;
	return c;
}

static void restore_add(const char *cap)
{
	const char *s = tigetstr(cap);

	if (s && s != (const char *)-1)
		tputs(s, 1, restore_put);
}

static void install_handlers(void)
{
	struct sigaction sa = {.sa_handler = on_fatal, .sa_flags = SA_ONSTACK};
	stack_t stack = {.ss_size = 64 * 1024};

	term.stack = xcalloc(1, stack.ss_size);
	stack.ss_sp = term.stack;
	sigaltstack(&stack, NULL);
	/* What the caller had set to be ignored (nohup) stays so. */
	for (size_t i = 0; i < countof(fatal_signals); i++)
		if (term.old[i].sa_handler != SIG_IGN)
			sigaction(fatal_signals[i], &sa, NULL);
}

/* Bracketed paste: pasted text must never act as keys of the console. */
static void paste_mode(bool on)
{
	const char *s = tigetstr(on ? "BE" : "BD");

	if (!s || s == (const char *)-1)
		return;
	/* Through stdio, which curses itself does not use. */
	putp(s);
	fflush(stdout);
}

static void choose_locale(void)
{
	const char *const vars[] = {"LC_ALL", "LC_CTYPE", "LANG"};
	bool stated = false;

	setlocale(LC_ALL, "");
	for (size_t i = 0; i < countof(vars); i++) {
		const char *v = getenv(vars[i]);

		stated = stated || (v && *v);
	}
	/* A bare container states nothing, yet its terminal is of this century. */
	if (!stated)
		setlocale(LC_CTYPE, "C.UTF-8");
}

static void curses_modes(void)
{
	raw();
	noecho();
	nonl();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	intrflush(stdscr, FALSE);
	leaveok(stdscr, FALSE);
	set_escdelay(25);
	if (has_colors()) {
		start_color();
		use_default_colors();
	}
	term_input_setup();
	paste_mode(true);
}

int term_start(struct err *e)
{
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return err_set(e, ENOTTY, "the console needs a terminal on stdin and stdout");
	choose_locale();
	term.saved = tcgetattr(STDIN_FILENO, &term.tty) == 0;
	/* Before curses puts its own handlers there. */
	for (size_t i = 0; i < countof(fatal_signals); i++)
		sigaction(fatal_signals[i], NULL, &term.old[i]);
	term.screen = newterm(NULL, stdout, stdin);
	if (!term.screen) {
		const char *name = getenv("TERM");

		return err_set(e, ENOENT, "terminal type '%.60s' is not known here: set TERM",
			name ? name : "");
	}
	term.restore_len = 0;
	restore_add("BD");
	restore_add("sgr0");
	restore_add("op");
	restore_add("cnorm");
	restore_add("rmkx");
	restore_add("rmcup");
	term.active = 1;
	install_handlers();
	curses_modes();
	/* Whatever ends the process by exit(3). */
	atexit(term_restore);
	return 0;
}

void term_stop(void)
{
	if (!term.screen)
		return;
	if (term.active) {
		paste_mode(false);
		endwin();
		term.active = 0;
		if (term.saved)
			tcsetattr(STDIN_FILENO, TCSANOW, &term.tty);
	}
	for (size_t i = 0; i < countof(fatal_signals); i++)
		sigaction(fatal_signals[i], &term.old[i], NULL);
	sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
	free(term.stack);
	delscreen(term.screen);
	term.stack = NULL;
	term.screen = NULL;
}

void term_suspend(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL}, old;
	sigset_t set;

	paste_mode(false);
	endwin();
	term.active = 0;
	sigaction(SIGTSTP, &dfl, &old);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(SIGTSTP);
	/* Continued. */
	sigaction(SIGTSTP, &old, NULL);
	term_redraw();
	term_resized();
}

void term_redraw(void)
{
	if (!isendwin()) {
		paste_mode(false);
		endwin();
	}
	term.active = 1;
	/* The next doupdate enters curses mode again; clearok makes it write every cell. */
	clearok(curscr, TRUE);
	paste_mode(true);
}

void term_resized(void)
{
	struct winsize ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row > 0 && ws.ws_col > 0)
		resizeterm(ws.ws_row, ws.ws_col);
	clearok(curscr, TRUE);
}

void term_send(const char *bytes, size_t n)
{
	if (!term.active)
		return;
	/* Curses writes its frames whole, and through its own buffer. */
	fwrite(bytes, 1, n, stdout);
	fflush(stdout);
}

enum depth term_depth(bool no_color)
{
	const char *env = getenv("NO_COLOR");

	if (no_color || (env && *env) || !has_colors())
		return DEPTH_MONO;
	return COLORS >= 256  ? DEPTH_256
	       : COLORS >= 16 ? DEPTH_16
	       : COLORS >= 8  ? DEPTH_8
			      : DEPTH_MONO;
}

bool term_utf8(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

enum term_input term_key(console_key *ret)
{
	wint_t wc;
	int kind = get_wch(&wc);

	if (kind != ERR) {
		*ret = term_input_key(kind == KEY_CODE_YES, (unsigned)wc);
		return TERM_KEY;
	}
	/* Nothing to read, or nobody there any more? */
	struct pollfd pfd = {.fd = STDIN_FILENO, .events = POLLIN};
	int waiting = 0;

	if (poll(&pfd, 1, 0) <= 0)
		return TERM_NONE;
	if ((pfd.revents & (POLLHUP | POLLERR | POLLNVAL)) ||
		(ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0 && waiting == 0))
		return TERM_GONE;
	return TERM_NONE;
}
