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
	bool mouse; /* reports are asked for */
	struct mouse_report report;
	struct mouse_event event;
	char unknown[32]; /* sequence of a key that terminfo does not have */
	console_key held; /* came behind an Esc that stands alone */
} term;

#define WRITE_LIMIT_MS                                                                             \
	200 /* a terminal that takes no more (C-s, a dead link) must not hold us up */
#define MOUSE_ON  "\x1b[?1000h\x1b[?1002h\x1b[?1006h"
#define MOUSE_OFF "\x1b[?1006l\x1b[?1002l\x1b[?1000l"

/* Only async-signal-safe calls. */
static void last_words(int fd, const char *s, size_t n)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};

	while (n > 0 && poll(&pfd, 1, WRITE_LIMIT_MS) > 0 && (pfd.revents & POLLOUT) &&
		!(pfd.revents & (POLLERR | POLLHUP))) {
		ssize_t done = write(fd, s, n);

		if (done <= 0)
			break;
		s += done;
		n -= (size_t)done;
	}
}

/* Only async-signal-safe calls. */
static void term_restore(void)
{
	if (!term.active)
		return;
	term.active = 0;
	if (term.mouse)
		last_words(STDOUT_FILENO, MOUSE_OFF, strlen(MOUSE_OFF));
	last_words(STDOUT_FILENO, term.restore, term.restore_len);
	if (term.saved)
		tcsetattr(STDIN_FILENO, TCSANOW, &term.tty);
}

/* After a fault of our own: what to do about it. */
static void say_crashed(int sig)
{
	static const char text[] =
		"vmdeck: the console crashed; the VMs go on running, `vmdeck` opens it "
		"again. Please report this with the output of `vmdeck version` "
		"and what you did last.\n";

	if (sig == SIGSEGV || sig == SIGABRT || sig == SIGBUS || sig == SIGFPE || sig == SIGILL)
		last_words(STDERR_FILENO, text, strlen(text));
}

/* Restores, then lets the signal do what it would have done without us (also a sanitizer's). */
static void on_fatal(int sig)
{
	int saved = errno;

	term_restore();
	say_crashed(sig);
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

/* Bracketed paste: pasted text must never act as keys of the console. And the mouse, when wanted.
 */
static void input_modes(bool on)
{
	const char *s = tigetstr(on ? "BE" : "BD");

	/* Through stdio, which curses itself does not use. */
	if (s && s != (const char *)-1)
		putp(s);
	if (term.mouse)
		putp(on ? MOUSE_ON : MOUSE_OFF);
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
	/* ncurses has taken the variable over where there is one: a slow link may need more. */
	if (!getenv("ESCDELAY"))
		set_escdelay(25);
	if (has_colors()) {
		start_color();
		use_default_colors();
	}
	term_input_setup();
	input_modes(true);
}

static int term_refuse(struct err *e, const char *why)
{
	const char *name = getenv("TERM");

	return err_set(e, ENOENT,
		"terminal type '%.60s' is %s: try TERM=xterm-256color vmdeck, or vmdeck --plain",
		name ? name : "", why);
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
		return term_refuse(e, "not known here");
	}
	if (!tigetstr("cup") || tigetstr("cup") == (const char *)-1) {
		endwin();
		delscreen(term.screen);
		term.screen = NULL;
		return term_refuse(e, "unable to place the cursor");
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
		input_modes(false);
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

	input_modes(false);
	endwin();
	term.active = 0;
	sigaction(SIGTSTP, &dfl, &old);
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(SIGTSTP);
	/* Continued. */
	sigaction(SIGTSTP, &old, NULL);
	term_return();
	term_resized();
}

/* Never through endwin: until the next frame the terminal would turn C-c into a signal. */
void term_redraw(void)
{
	reset_prog_mode();
	clearok(curscr, TRUE);
	input_modes(true);
}

void term_return(void)
{
	if (!isendwin()) {
		input_modes(false);
		endwin();
	}
	term.active = 1;
	clearok(curscr, TRUE);
	/* Enters curses mode again at once. */
	doupdate();
	input_modes(true);
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
	static const char *const poor[] = {"linux", "vt1", "vt2", "ansi", "cons"};
	const char *name = getenv("TERM");

	/* These have fonts of 256 signs, whatever the locale says. */
	for (size_t i = 0; name && i < countof(poor); i++)
		if (strncmp(name, poor[i], strlen(poor[i])) == 0)
			return false;
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

int term_mouse(bool on, struct err *e)
{
	const char *s = tigetstr("kmous"), *name = getenv("TERM");

	if (on && (!s || s == (const char *)-1))
		return err_set(e, ENOTSUP,
			"this kind of terminal (TERM=%.40s) has no mouse reports",
			name ? name : "");
	if (term.mouse)
		input_modes(false);
	term.mouse = on;
	input_modes(true);
	return 0;
}

struct mouse_event term_mouse_event(void)
{
	return term.event;
}

/* A sequence of the terminal must never act as the letters it is made of. False: none has come. */
static bool take_unknown(wint_t first)
{
	size_t n = 0;
	wint_t wc;
	int left = first == 'O' ? 1 : 2, kind; /* ESC [ [ A: one more */

	term.unknown[n++] = (char)first;
	while (left > 0 && n + 1 < sizeof(term.unknown) && (kind = get_wch(&wc)) != ERR) {
		if (kind == KEY_CODE_YES || wc < 0x20 || wc > 0x7e) {
			term.held = term_input_key(kind == KEY_CODE_YES, (unsigned)wc);
			break;
		}
		term.unknown[n++] = (char)wc;
		if (wc >= 0x40)
			left = wc == '[' && left == 2 ? 1 : 0;
	}
	term.unknown[n] = '\0';
	return n > 1;
}

const char *term_unknown_key(void)
{
	return term.unknown;
}

/* Esc and a character that has come with it: Alt. Anything else behind it is a key of its own. */
static console_key escape_key(void)
{
	wint_t wc;
	int kind = get_wch(&wc);
	console_key k;

	if (kind == ERR)
		return K_ESC;
	k = term_input_key(kind == KEY_CODE_YES, (unsigned)wc);
	if ((k == '[' || k == 'O') && take_unknown(wc))
		return K_UNKNOWN;
	if (key_is_char(k))
		return k | KEY_MOD_ALT;
	term.held = k;
	return K_ESC;
}

/* The key that begins with this; false: more of it is to come. */
static bool take_key(int kind, wint_t wc, console_key *ret)
{
	if (term.report.open && kind == OK) {
		enum mouse_fed fed = mouse_report_feed(&term.report, wc, &term.event);

		*ret = fed == MOUSE_DONE ? K_MOUSE : K_NONE;
		return fed != MOUSE_MORE;
	}
	*ret = term_input_key(kind == KEY_CODE_YES, (unsigned)wc);
	if (*ret == K_ESC)
		*ret = escape_key();
	if (*ret == K_MOUSE)
		mouse_report_begin(&term.report);
	return *ret != K_MOUSE;
}

enum term_input term_key(console_key *ret)
{
	struct pollfd pfd = {.fd = STDIN_FILENO, .events = POLLIN};
	int waiting = 0, kind;
	wint_t wc;

	*ret = term.held;
	term.held = K_NONE;
	if (*ret == K_MOUSE)
		mouse_report_begin(&term.report);
	else if (*ret == K_ESC)
		*ret = escape_key();
	if (*ret != K_NONE && *ret != K_MOUSE)
		return TERM_KEY;
	while ((kind = get_wch(&wc)) != ERR)
		if (take_key(kind, wc, ret))
			return TERM_KEY;
	/* Nothing to read, or nobody there any more? */
	if (poll(&pfd, 1, 0) <= 0)
		return TERM_NONE;
	if ((pfd.revents & (POLLHUP | POLLERR | POLLNVAL)) ||
		(ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0 && waiting == 0))
		return TERM_GONE;
	return TERM_NONE;
}
