/* In a guest, whose busybox has no UDP server: answers each datagram with the same. `udp_echo
 * PORT`; goes to the background when it listens. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in me = {.sin_family = AF_INET}, peer;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	me.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 7));
	if (bind(fd, (struct sockaddr *)&me, sizeof(me)) < 0 || daemon(0, 0) < 0)
		return 1;
	for (;;) {
		socklen_t len = sizeof(peer);
		char data[2048];
		ssize_t n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&peer, &len);

		if (n < 0 || sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&peer, len) < 0)
			return 1;
	}
}
