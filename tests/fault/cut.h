/* A server behind a proxy that cuts connections: what the tests of cut connections stand on. */
#pragma once

#include "kit/kit.h"
#include "kit/servers.h"
#include "store/calls.h"
#include "store/valkey/script.h"

enum mode {
    CUT_BEFORE, /* the n-th write does not reach the server */
    CUT_AFTER,  /* its answer does not come back */
    CUT_LATE,   /* as CUT_BEFORE, but the server gets it when the test says so */
};

/* Between driver and server: one thread, connections one after the other or side by side. */
struct proxy {
    uint16_t server;
    int listens;
    uint16_t port;
    pthread_t thread;
    atomic_bool stop;
    const char *sha; /* of the script whose calls are counted */
    atomic_uint nth; /* of them from now on; 0: nothing is cut */
    enum mode mode;
    atomic_bool release, released; /* CUT_LATE */
    GByteArray *late;
    int late_fd;
    atomic_uint seen;
    atomic_bool mutes, muted; /* the answer to a takeover stays here while this holds; one does */
};

struct box {
    struct servers servers;
    struct proxy proxy;
    struct store_registry *registry;
    struct store *store, *direct; /* through the proxy, and beside it */
    struct session *session, *beside;
    struct arena *mem;
    struct dataset ds;
    struct lane lane;
    uint64_t turns;
};

int cut_set_up(void **state);
int cut_tear_down(void **state);
struct call cut_call_of(struct box *box);
void cut_begin(struct box *box);
void cut_end(struct box *box);
struct slice cut_key_of(struct box *box, unsigned i);
bool cut_stands(struct box *box, unsigned i);
unsigned cut_assert_fence_is_right(struct box *box, const struct cas_op *ops, unsigned n);
/* The next lane is opened beside the proxy, as by another process, which finds this of the ones before. */
struct lane cut_open_next(struct box *box, const struct call *call, struct fence *ret_before);
void cut_let_the_late_one_arrive(struct box *box);
void cut_arm(struct box *box, enum mode mode, const char *sha, unsigned nth);
