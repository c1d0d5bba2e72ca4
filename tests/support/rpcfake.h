/* A daemon of the RPC server with scripted answers, as a process of its own: for tests of the
 * client library, which blocks while it opens. Its streams are children that talk frames.
 *
 *  hello        FAKE_PROTOCOL in the environment is what it speaks; "refuse": it refuses
 *  vm.list      []                             vm.get     error ENOENT
 *  vm.ping      never answered                 vm.kill    dies at once, without an answer
 *  vm.stop      timeout_s events are added     vm.pause   three events are passed over
 *  vm.resume    a line that is no JSON         daemon.stop, in order
 *  image.list   {"pid", "fds"} of the process
 *  vm.exec      argv[0]: echo, echo-err, refuse, drop, garbage, flood (MiB), count, silent
 *  vm.attach    echoes input, main exit on "q"
 *  vm.logs      "tail" bytes of output and the end
 */
#ifndef VMDECK_TESTS_RPCFAKE_H
#define VMDECK_TESTS_RPCFAKE_H

#include <sys/types.h>

/* Serves <VMDECK_RUNTIME>/daemon.sock, events in <VMDECK_HOME>/vmdeck.db; writes "ready\n" or a
 * sentence to ready_fd and runs until daemon.stop. Returns the exit status. */
int fake_main(int ready_fd);
/* fake_main in a forked child; returns when it serves. */
pid_t fake_start(void);
/* Kills and reaps it. */
void fake_kill(pid_t pid);
/* Sets VMDECK_HOME and VMDECK_RUNTIME to folders in dir and makes them. */
void fake_home(const char *dir);

#endif
