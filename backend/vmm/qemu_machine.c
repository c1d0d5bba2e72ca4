/* What a device state fits. QEMU's microvm is not a versioned machine type: a state is only good
 * for the same program and the same machine, device by device. */
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "backend/base/buf.h"
#include "backend/base/str.h"
#include "backend/vmm/qemu.h"
#include "backend/vmm/qemu_cmd.h"

/* The definition as text: each argument with its end. */
static int digest(const struct vmm_config *c, char out[65], struct err *e)
{
	struct qemu_cmd cmd;
	struct buf text;
	uint8_t sum[EVP_MAX_MD_SIZE];
	int r = 0, ok;

	buf_init(&text, 0);
	qemu_cmd_definition(&cmd, c);
	for (int i = 0; i < cmd.argc && r == 0; i++)
		r = buf_append(&text, cmd.argv[i], strlen(cmd.argv[i]) + 1);
	ok = EVP_Digest(buf_peek(&text), text.len, sum, NULL, EVP_sha256(), NULL);
	if (ok)
		hex_encode(out, sum, 32);
	qemu_cmd_fini(&cmd);
	buf_fini(&text);
	if (!ok)
		return err_set(e, EIO, "SHA-256 is not available in this system's libcrypto");
	return r;
}

int qemu_machine(const struct vmm_config *c, struct vmm_machine *ret, struct err *e)
{
	struct vmm_machine m = {0};
	struct vmm_detect d;
	int r;

	qemu_detect(&d);
	if (!d.found)
		return err_set(e, ENODEV, "QEMU cannot run here: %s", d.why);
	snprintf(m.version, sizeof(m.version), "%s", d.version);
	r = qemu_tsc_khz(&m.tsc_khz, e);
	if (r == 0)
		r = digest(c, m.digest, e);
	if (r == 0)
		*ret = m;
	return r;
}
