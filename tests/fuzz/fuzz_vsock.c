// LIBS: vsock
// OBJS: tests/support/vsock_guest.c tests/support/vsock_host.c tests/support/vsock_storm.c
/* Fuzzer of the vsock rings and the mux: the input is a list of things that a guest, host peers and
 * time do (tests/support/vsock_storm.c). */
#include <stddef.h>
#include <stdint.h>

#include "tests/support/vsock_storm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct storm_count count = {0};

	storm_run(data, size, &count);
	return 0;
}
