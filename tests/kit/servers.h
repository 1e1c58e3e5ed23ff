/* Servers of Valkey or Redis of a test's own: on free ports of this machine, in a folder of the test's, without
 * persistence, gone with the process. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SERVERS_MOST = 6 };

struct servers {
    const char *program; /* a path */
    char *dir;           /* owned by the test */
    pid_t pids[SERVERS_MOST];
    uint16_t ports[SERVERS_MOST];
    unsigned n;
};

/* The program: `name`, or what the environment variable says (NULL: none is asked):
 * a program, or the folder that has it. NULL: there is none; free it. */
char *servers_find(const char *name, const char *variable);

/* Starts one more, and waits until it answers; `more` are further arguments, NULL-terminated (NULL: none). Its number.
 */
unsigned servers_start(struct servers *servers, const char *const *more);
/* `n` primaries that own all slots evenly, and each knows it. */
void servers_start_cluster(struct servers *servers, unsigned n);
/* The same of redis-server, in a folder of its own; without the program nothing, for servers_or_skip(). */
void servers_find_cluster(struct servers *servers, unsigned n);
void servers_stop(struct servers *servers);

/* One server of the kind that Debian has, in a folder that it makes; where that is not installed nothing, and each test
 * is skipped by servers_or_skip(). servers_end() stops what was started and removes the folder. */
void servers_start_alone(struct servers *servers);
void servers_or_skip(const struct servers *servers);
void servers_end(struct servers *servers);

/* One command, its words between blanks; the reply as it came, up to its first line's end unless `all`. Free it. */
char *servers_ask(const struct servers *servers, unsigned i, const char *command, bool all);
