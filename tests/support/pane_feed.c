/* Feeds a file into a pane of ROWS x COLS, in pieces of SIZE bytes, and prints the screen that
 * results, or with "time" the seconds it took. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/console/pane_impl.h"

static char *read_all(const char *name, size_t *ret_n)
{
	autofile FILE *f = fopen(name, "rb");
	char *text;
	long n;

	if (!f || fseek(f, 0, SEEK_END) != 0 || (n = ftell(f)) < 0)
		exit(1);
	rewind(f);
	text = xcalloc((size_t)n + 1, 1);
	*ret_n = fread(text, 1, (size_t)n, f);
	return text;
}

static void print_row(const struct grid *g, int row)
{
	int cols = g->cols;

	while (cols > 0 && (grid_cell(g, row, cols - 1)->chars[0] | 32) == 32 &&
		grid_cell(g, row, cols - 1)->width == 1)
		cols--;
	for (int col = 0; col < cols; col++) {
		const struct cell *c = grid_cell(g, row, col);
		char utf8[4];

		if (c->width && !c->chars[0])
			putchar(' ');
		for (int i = 0; c->width && i < CELL_CHARS && c->chars[i]; i++)
			fwrite(utf8, 1, (size_t)utf8_put(utf8, c->chars[i]), stdout);
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	size_t n, piece;
	autofree char *text = NULL;
	struct pane *p;
	uint64_t begin;

	if (argc != 6)
		return 2;
	piece = strtoul(argv[4], NULL, 10);
	text = read_all(argv[1], &n);
	p = pane_new(atoi(argv[2]), atoi(argv[3]), NULL, NULL);
	begin = mono_ns();
	for (size_t at = 0; at < n && piece; at += piece)
		pane_feed(p, text + at, min_of(piece, n - at));
	if (strcmp(argv[5], "time") == 0)
		printf("%.6f\n", (double)(mono_ns() - begin) / 1e9);
	else
		for (int row = 0; row < p->term.grid.rows; row++)
			print_row(&p->term.grid, row);
	pane_free(p);
	return 0;
}
