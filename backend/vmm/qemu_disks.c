/* Disks on the command line: each layer a node of its own, from the lowest to the top, with the one
 * below named. What an image file's header says of its base is never read: whoever wrote the file
 * (a guest cannot, but a copied or downloaded one may say anything) would choose which file of this
 * host the guest sees. JSON, as only there "no backing" can be said, and paths need no escapes. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/vmm/qemu_cmd.h"

static int check_disk(const struct vmm_disk *d, int nr, struct err *e)
{
	char safe[40];

	if (d->count < 1 || d->count > VMM_LAYERS_MAX)
		return err_set(e, EINVAL, "disk %d has %d layers: 1 to %d are possible", nr,
			d->count, VMM_LAYERS_MAX);
	for (int i = 0; i < d->count; i++) {
		const char *format = d->layers[i].format;

		if (strcmp(format, "raw") != 0 && strcmp(format, "qcow2") != 0)
			return err_set(e, EINVAL, "disk %d has the format '%s': raw or qcow2", nr,
				str_safe(safe, sizeof(safe), format));
		if (i < d->count - 1 && strcmp(format, "raw") == 0)
			return err_set(
				e, EINVAL, "disk %d: a raw image cannot lie on another one", nr);
	}
	return 0;
}

int qemu_disks_check(const struct vmm_config *config, struct err *e)
{
	int r = 0;

	if (config->disk_count < 0 || config->disk_count > VMM_DISKS_MAX)
		return err_set(e, EINVAL, "a VM can have %d disks, not %d", VMM_DISKS_MAX,
			config->disk_count);
	for (int i = 0; i < config->disk_count && r == 0; i++)
		r = check_disk(&config->disks[i], i, e);
	return r;
}

/* disk0-0 is the top layer of the first disk, disk0-1 the one below. */
#define NODE "disk%d-%d"

static void add_node_name(struct json_object *o, const char *key, int disk, int layer)
{
	autofree char *text = xasprintf(NODE, disk, layer);

	jsonx_add_str(o, key, text);
}

static void set_access(struct json_object *node, bool top)
{
	jsonx_add_bool(node, "read-only", !top);
	if (top)
		jsonx_add_str(node, "discard", "unmap");
}

static void add_layer(struct qemu_cmd *cmd, const struct vmm_disk *d, int disk, int layer)
{
	autojson struct json_object *node = json_object_new_object();
	struct json_object *file = json_object_new_object(), *cache = json_object_new_object();
	const struct vmm_layer *l = &d->layers[layer];
	bool top = layer == 0, lowest = layer == d->count - 1;

	jsonx_add_str(file, "driver", "file");
	jsonx_add_str(file, "filename", l->path);
	set_access(file, top);
	jsonx_add_str(node, "driver", l->format);
	add_node_name(node, "node-name", disk, layer);
	set_access(node, top);
	jsonx_add_bool(cache, "direct", false);   /* through the host's page cache, */
	jsonx_add_bool(cache, "no-flush", false); /* but the guest's flushes reach the disk */
	json_object_object_add(node, "cache", cache);
	json_object_object_add(node, "file", file);
	if (!lowest)
		add_node_name(node, "backing", disk, layer + 1);
	else if (strcmp(l->format, "qcow2") == 0)
		jsonx_add_str(node, "backing", NULL);
	qemu_cmd_add(cmd, "-blockdev");
	qemu_cmd_add(cmd, "%s", jsonx_line(node));
}

void qemu_disks_add(struct qemu_cmd *cmd, const struct vmm_disk *disks, int count)
{
	for (int i = 0; i < count; i++) {
		for (int k = disks[i].count - 1; k >= 0; k--)
			add_layer(cmd, &disks[i], i, k);
		qemu_cmd_add(cmd, "-device");
		qemu_cmd_add(cmd, "virtio-blk-device,drive=" NODE ",id=disk%d", i, 0, i);
	}
}
