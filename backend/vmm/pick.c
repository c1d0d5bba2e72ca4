/* The choice among the drivers of this program. */
#include <errno.h>
#include <string.h>

#include "backend/base/str.h"
#include "backend/vmm/vmm.h"

/* Appends ", " between items; cuts silently when out is full. */
static void append(char *out, size_t n, const char *sep, const char *item)
{
	size_t at = strlen(out);

	snprintf(out + at, n - at, "%s%s", at ? sep : "", item);
}

static int pick_auto(const struct vmm_ops **ret, struct vmm_detect *ret_detect, struct err *e)
{
	char whys[320] = "";

	for (size_t i = 0; vmm_drivers[i]; i++) {
		vmm_drivers[i]->detect(ret_detect);
		if (ret_detect->found) {
			*ret = vmm_drivers[i];
			return 0;
		}
		append(whys, sizeof(whys), "; ", ret_detect->why);
	}
	return err_set(e, ENODEV, "no VMM can run here: %s", whys);
}

int vmm_pick(
	const char *name, const struct vmm_ops **ret, struct vmm_detect *ret_detect, struct err *e)
{
	char names[128] = "auto";
	char safe[64];

	if (strcmp(name, "auto") == 0)
		return pick_auto(ret, ret_detect, e);
	for (size_t i = 0; vmm_drivers[i]; i++) {
		append(names, sizeof(names), ", ", vmm_drivers[i]->name);
		if (strcmp(vmm_drivers[i]->name, name) != 0)
			continue;
		vmm_drivers[i]->detect(ret_detect);
		if (!ret_detect->found)
			return err_set(e, ENODEV, "%s", ret_detect->why);
		*ret = vmm_drivers[i];
		return 0;
	}
	return err_set(e, ENOENT, "there is no VMM '%s': choose one of %s",
		str_safe(safe, sizeof(safe), name), names);
}
