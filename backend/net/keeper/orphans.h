/* What keepers made on the host, by whose it says it is; nothing else is ever touched. */
#ifndef VMDECK_NET_KEEPER_ORPHANS_H
#define VMDECK_NET_KEEPER_ORPHANS_H

#include <stdbool.h>
#include <stddef.h>

/* "<id> <home>", fit for a link's alias and for a comment of nftables. */
void orphans_tag(char *out, size_t n, const char *id, const char *home);

/* Links, entries of the table and pasta processes of home (its runtime folder: runtime) whose VM is
 * none of the ids on stdin, one a line, each told as one line of JSON {"what", "name", "id"} on
 * stdout; remove: taken away. Exit code. */
int orphans_main(const char *home, const char *runtime, bool remove);

#endif
