#include "backend/base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>

#include "backend/base/str.h"

#define READ_SIZE (256 * 1024)

static int failed(struct err *e)
{
	return err_set(e, EIO, "SHA-256 is not available in this system's libcrypto");
}

int hash_raw(const void *data, size_t len, uint8_t out[HASH_BYTES], struct err *e)
{
	return EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) ? 0 : failed(e);
}

int hash_parts(const struct iovec *parts, size_t count, uint8_t out[HASH_BYTES], struct err *e)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);

	for (size_t i = 0; ok && i < count; i++)
		ok = EVP_DigestUpdate(ctx, parts[i].iov_base, parts[i].iov_len);
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : failed(e);
}

int hash_bytes(const void *data, size_t len, char out[HASH_HEX], struct err *e)
{
	uint8_t sum[HASH_BYTES];
	int r = hash_raw(data, len, sum, e);

	if (!r)
		hex_encode(out, sum, sizeof(sum));
	return r;
}

static int hash_fd(EVP_MD_CTX *ctx, int fd, const char *path, struct err *e)
{
	autofree uint8_t *chunk = xcalloc(1, READ_SIZE);
	ssize_t n;

	if (!EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
		return failed(e);
	while ((n = read(fd, chunk, READ_SIZE)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, "cannot read '%s'", path);
		if (!EVP_DigestUpdate(ctx, chunk, (size_t)n))
			return failed(e);
	}
	return 0;
}

int hash_file(const char *path, char out[HASH_HEX], struct err *e)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t sum[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx;
	int r;

	if (fd < 0)
		return err_errno(e, "cannot read '%s'", path);
	ctx = EVP_MD_CTX_new();
	r = ctx ? hash_fd(ctx, fd, path, e) : failed(e);
	if (!r && !EVP_DigestFinal_ex(ctx, sum, NULL))
		r = failed(e);
	EVP_MD_CTX_free(ctx);
	if (!r)
		hex_encode(out, sum, HASH_BYTES);
	return r;
}
