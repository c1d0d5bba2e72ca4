/* Who a command runs as: /etc/passwd and /etc/group, read directly (no NSS in a static program). */
#ifndef VMDECK_AGENT_USER_H
#define VMDECK_AGENT_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define USER_GROUPS_MAX 32

struct user {
	bool change; /* false: as the agent itself (root in a guest) */
	uid_t uid;
	gid_t gid;
	gid_t groups[USER_GROUPS_MAX];
	size_t ngroups;
	char home[256];
};

/* spec: "" (the agent's own user), a name, or UID[:GID]. 0, or -ENOENT/-EINVAL with a sentence in
 * why (n bytes). */
int user_find(const char *spec, struct user *u, char *why, size_t n);

#endif
