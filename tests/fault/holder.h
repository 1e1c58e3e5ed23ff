/* A cluster of a test's own, and processes that have a run on it, or had: what the tests of single servers of one stand
 * on. */
#pragma once

#include "kit/kit.h"
#include "kit/servers.h"
#include "store/calls.h"

enum { HOLDER_SERVERS = 3, HOLDER_MOST_US = 60000000 };

struct box {
    struct servers servers;
    struct dataset ds;
    struct arena *mem;
    struct fence_id id; /* of a partition of a run that nobody else has */
    unsigned keys;      /* tried so far */
};

int holder_set_up(void **state);       /* HOLDER_SERVERS of them */
int holder_set_up_alone(void **state); /* one, which has all slots */
int holder_tear_down(void **state);

/* For a test: records of strings, `r:*`. Skipped where no server can be had. */
void holder_begin(struct box *box, uint32_t part);
struct call holder_call(struct box *box); /* with time enough */

/* An opening of the store, as a process has it. */
struct holder {
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct lane lane; /* none is open yet */
    uint64_t number;  /* written so far */
    char *line;       /* the newest */
};
struct holder holder_enter(struct box *box, const struct world *world, unsigned by); /* which server it is told */
void holder_leave(struct holder *holder);

unsigned holder_server_of(uint32_t place);
/* One that the server has, at which nothing stands. */
struct slice holder_key_on(struct box *box, unsigned server);
bool holder_open_lane(struct box *box, struct holder *holder, uint32_t lane, struct slice near, GError **error);
enum cas_outcome holder_write_on(struct box *box, struct holder *holder, unsigned server);
/* As an executor does: `number` 0 before a lane, else behind a batch. */
bool holder_note(struct box *box, struct holder *holder, uint64_t number, struct slice near, GError **error);

/* What servers have been asked from now on. */
void holder_forget_asked(const struct box *box);
/* How often, by the name of its statistic. */
unsigned holder_asked(const struct box *box, unsigned server, const char *command);
