/* Colours as the terminals number them: the 6x6x6 cube, the grey ramp, the 16 of ANSI. */
#include "tui/console/theme.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "backend/base/util.h"

static const int32_t ansi_rgb[16] = {
	0x000000,
	0xcd0000,
	0x00cd00,
	0xcdcd00,
	0x0000ee,
	0xcd00cd,
	0x00cdcd,
	0xe5e5e5,
	0x7f7f7f,
	0xff0000,
	0x00ff00,
	0xffff00,
	0x5c5cff,
	0xff00ff,
	0x00ffff,
	0xffffff,
};

static const int cube_levels[6] = {0, 95, 135, 175, 215, 255};

int32_t colour_rgb_of(int index)
{
	if (index < 16)
		return ansi_rgb[index & 15];
	if (index < 232) {
		int i = index - 16;

		return cube_levels[i / 36] << 16 | cube_levels[i / 6 % 6] << 8 | cube_levels[i % 6];
	}
	return (8 + 10 * (index - 232)) * 0x010101;
}

static int colour_distance(int32_t a, int32_t b)
{
	int r = (a >> 16 & 255) - (b >> 16 & 255);
	int g = (a >> 8 & 255) - (b >> 8 & 255);
	int u = (a & 255) - (b & 255);

	/* Weights after the eye's: green counts most. */
	return 3 * r * r + 6 * g * g + 2 * u * u;
}

static int cube_nearest(int v)
{
	int best = 0;

	for (int i = 1; i < 6; i++)
		if (abs(v - cube_levels[i]) < abs(v - cube_levels[best]))
			best = i;
	return best;
}

int colour_nearest_256(int32_t rgb)
{
	int r = rgb >> 16 & 255, g = rgb >> 8 & 255, b = rgb & 255;
	int cube = 16 + 36 * cube_nearest(r) + 6 * cube_nearest(g) + cube_nearest(b);
	int grey = 232 + max_of(min_of(((r + g + b) / 3 - 3) / 10, 23), 0);

	return colour_distance(rgb, colour_rgb_of(grey)) < colour_distance(rgb, colour_rgb_of(cube))
		       ? grey
		       : cube;
}

int colour_nearest_16(int32_t rgb)
{
	int best = 0;

	for (int i = 1; i < 16; i++)
		if (colour_distance(rgb, ansi_rgb[i]) < colour_distance(rgb, ansi_rgb[best]))
			best = i;
	return best;
}

static const char *const colour_names[16] = {
	"black",
	"red",
	"green",
	"yellow",
	"blue",
	"magenta",
	"cyan",
	"white",
	"bright-black",
	"bright-red",
	"bright-green",
	"bright-yellow",
	"bright-blue",
	"bright-magenta",
	"bright-cyan",
	"bright-white",
};

/* One spelling of a colour, without palette and triples. */
static bool colour_parse_one(const char *s, struct colour *ret)
{
	char *end;
	long v;

	*ret = colour_unset;
	if (strcmp(s, "default") == 0) {
		ret->col256 = ret->col16 = COLOUR_DEFAULT;
		return true;
	}
	for (int i = 0; i < 16; i++)
		if (strcasecmp(s, colour_names[i]) == 0) {
			ret->col256 = ret->col16 = (int16_t)i;
			return true;
		}
	if (s[0] == '#') {
		v = strtol(s + 1, &end, 16);
		if (strlen(s) != 7 || *end || !isxdigit((unsigned char)s[1]))
			return false;
		ret->rgb = (int32_t)v;
		ret->col256 = (int16_t)colour_nearest_256(ret->rgb);
		return true;
	}
	v = strtol(s, &end, 10);
	if (!isdigit((unsigned char)s[0]) || *end || v < 0 || v > 255)
		return false;
	ret->col256 = (int16_t)v;
	ret->col16 = (int16_t)(v < 16 ? v : COLOUR_UNSET);
	return true;
}

/* "hex/256/16": each part says its own depth. */
static bool colour_parse_triple(const char *s, struct colour *ret)
{
	char part[3][16];
	struct colour c[3];

	if (sscanf(s, "%15[^/]/%15[^/]/%15[^/]", part[0], part[1], part[2]) != 3)
		return false;
	for (int i = 0; i < 3; i++)
		if (!colour_parse_one(part[i], &c[i]))
			return false;
	*ret = (struct colour){c[0].rgb, c[1].col256, c[2].col16};
	return c[2].col16 != COLOUR_UNSET;
}

bool colour_parse(const char *s, struct colour *ret)
{
	return strchr(s, '/') ? colour_parse_triple(s, ret) : colour_parse_one(s, ret);
}
