/* The one door to the outside: clock, random source, files, sockets. Made in `main`, handed down; nothing else asks the
 * time, rolls a die or opens a file. (RocksDB has files and threads of its own; the crash and fault suites cover it.)
 *
 * A test makes its own: a clock that it turns, a seed, files that fail at the n-th call or forget what was not synced.
 */
#pragma once

#include <stdatomic.h>

#include "base/auto.h"
#include "base/error.h"
#include "base/slice.h"

struct world;
struct file; /* an open file; base/file.h has what one does with it */

struct world_clock {
    int64_t (*monotonic_us)(void *self);
    int64_t (*wall_ms)(void *self); /* UTC, milliseconds since 1970 */
    /* Sleeps, or lets virtual time pass. Ends early when *cancel becomes true. */
    void (*sleep_us)(void *self, int64_t us, const atomic_bool *cancel);
    /* Every thread that sleeps looks at its *cancel now; NULL: those of this clock do so by themselves. */
    void (*wake)(void *self);
    /* What the calling thread has had of the processor; NULL: no one counts. */
    int64_t (*thread_cpu_ns)(void *self);
    /* The calling thread gives way to whatever else wants this machine's processor, from now on; NULL: none does. */
    void (*give_way)(void *self);
};

struct world_stat {
    uint64_t size, device, inode;
    int64_t mtime_ns;
    bool regular, directory;
};

struct world_room {
    uint64_t free_bytes; /* that this user may take */
    bool writable;       /* by this user */
};

/* The calls of POSIX with its errno, one each, so that a test can make the n-th one fail, be short or tear.
 * They return what the system call does, -1 with errno set. base/file.c is their only caller. */
struct world_files {
    int (*open)(void *self, const char *path, int flags, unsigned mode);
    int (*close)(void *self, int fd);
    int64_t (*pread)(void *self, int fd, void *into, size_t len, int64_t offset);
    int64_t (*pwrite)(void *self, int fd, const void *from, size_t len, int64_t offset);
    int (*fsync)(void *self, int fd, bool data_only);
    int (*truncate)(void *self, int fd, int64_t len);
    int (*rename)(void *self, const char *from, const char *to);
    int (*unlink)(void *self, const char *path);
    int (*mkdir)(void *self, const char *path, unsigned mode);
    int (*lock)(void *self, int fd); /* exclusive, not waiting: -1 and EWOULDBLOCK when held */
    int (*stat)(void *self, int fd, struct world_stat *ret);
    /* Calls each(user, name) for every entry but . and .., in no order. */
    int (*list)(void *self, const char *path, void (*each)(void *user, const char *name), void *user);
    int (*room)(void *self, const char *path, struct world_room *ret); /* of what is there */
    /* The process that has the file locked by fcntl(), other than this one; 0: none. Opens and closes the file, which
     * lets go of every such lock that this process itself has on it. */
    int (*locker)(void *self, const char *path, int64_t *ret_pid);
};

struct addrinfo;
struct pollfd;
struct sockaddr;

/* The calls of POSIX with its errno, one each, so that a test can refuse, cut, tear and lose. base/net.c is their only
 * caller. */
struct world_net {
    /* getaddrinfo() for streams: 0, or its EAI_… with errno. Where it asks a name server it takes as long as the
     * system's resolver is set to; nothing shortens that. */
    int (*resolve)(void *self, const char *host, const char *port, struct addrinfo **ret);
    void (*resolved)(void *self, struct addrinfo *list); /* freeaddrinfo() */
    int (*socket)(void *self, int family);               /* a stream; does not block, is not inherited */
    int (*connect)(void *self, int fd, const struct sockaddr *address, unsigned len);
    int (*option)(void *self, int fd, int level, int name, int value);
    int (*fate)(void *self, int fd); /* what became of a connect() in progress: an errno, 0: connected */
    int64_t (*send)(void *self, int fd, const void *from, size_t len); /* never raises SIGPIPE */
    int64_t (*recv)(void *self, int fd, void *into, size_t len);
    int (*poll)(void *self, struct pollfd *polls, size_t n, int64_t timeout_us); /* -1: for ever */
    int (*close)(void *self, int fd);
};

/* Keys of what runs leave in a home (base/seal.h). Threads: any. */
struct seal_key;
struct world_seals {
    /* The key by which what a run leaves of a kind (`what`: undo, quarantine, reports) is sealed. *ret_found false:
     * it has none. */
    bool (*find)(void *self, const uint8_t uid[16], const char *what, struct seal_key *ret, bool *ret_found,
                 GError **error);
};

struct world {
    const struct world_clock *clock;
    void *clock_self;
    const struct world_files *files;
    void *files_self;
    const struct world_net *net; /* NULL: nothing may be reached */
    void *net_self;
    bool (*random)(void *self, void *into, size_t len);
    void *random_self;
    /* A named place in the program. Production: nothing. The crash suite dies here; the fault suite counts. NULL: none
     */
    void (*point)(void *self, const char *name);
    void *point_self;
    const struct world_seals *seals; /* NULL: nothing is sealed */
    void *seals_self;
};

/* The real one; static, nothing to free. */
const struct world *world_real(void);

int64_t world_monotonic_us(const struct world *world);
int64_t world_wall_ms(const struct world *world);
/* Where *cancel is set by world_cancel() it ends at once, elsewhere within 20 ms. */
void world_sleep_us(const struct world *world, int64_t us, const atomic_bool *cancel);
/* Sets it, and ends the sleep of whoever sleeps until then. Not for signal handlers. */
void world_cancel(const struct world *world, atomic_bool *cancel);
/* For profiles only: 0 where the world does not count. */
int64_t world_thread_cpu_ns(const struct world *world);
/* May be said again and again. There is no way back: for threads that end soon. */
void world_give_way(const struct world *world);
void world_random(const struct world *world, void *into, size_t len);

/* A kill point: `name` is a row of the module's points.h, or made of one of run/op.h or of store_point(). */
void world_point(const struct world *world, const char *name);

bool world_seal_key(const struct world *world, const uint8_t uid[16], const char *what, struct seal_key *ret,
                    bool *ret_found, GError **error);
