/* A router's connection to one server, and the commands that go through it; which process was written to. One thread at
 * a time. Internal to route.c and settle.c. */
#pragma once

#include "pace/servers.h"
#include "store/valkey/route.h"

/* Numbers of commands, first in first out. */
struct link_queue {
    uint32_t *items;
    size_t head, n, room; /* room: a power of two, or 0 */
};

static inline size_t link_queue_count(const struct link_queue *queue)
{
    return queue->n;
}
void link_queue_push(struct link_queue *queue, uint32_t item);
static inline uint32_t link_queue_first(const struct link_queue *queue) /* not of an empty one */
{
    return queue->items[queue->head];
}
uint32_t link_queue_pop(struct link_queue *queue); /* likewise */

/* In the queue of replies to come: of a command that the router itself put there. */
#define LINK_OWN  UINT32_MAX       /* ASKING, a part of what gives way: whatever it says, the command behind it tells */
#define LINK_LOAD (UINT32_MAX - 1) /* SCRIPT LOAD: its refusal ends the call */
#define LINK_PART (UINT32_MAX - 2) /* MULTI and what is queued for EXEC: likewise */

/* How many commands a connection waits for at once. What a server owes is executed whatever becomes of us, so whoever
 * is told to stop has it in flight still: it is as much as the server answers soon, and no more. */
struct link_window {
    uint32_t most;       /* 0: not begun */
    int64_t quickest_us; /* the least time that a command has taken */
    int64_t changed_us;  /* what was sent before that says nothing of it as it is */
};
uint32_t link_window_most(const struct link_window *window);
/* Of the newest reply. `waiting`: more would have been sent. */
void link_window_answered(struct link_window *window, int64_t sent_us, int64_t now_us, bool waiting);

struct link {
    struct valkey_host at; /* its own */
    struct conn *conn;     /* NULL: not connected */
    uint64_t serial;       /* how many there were, this one included */
    struct link_queue todo;
    struct link_queue flight; /* as many as the connection waits for */
    struct node_state state;  /* as it was when the connection was made */
    /* Writes that were not settled: on which process, with which history; whether a connection broke since. */
    bool dirty, torn;
    bool wrote; /* since router_settled(): what one server has settled is not a checkpoint's yet */
    char wrote_run_id[sizeof((struct node_state *)0)->run_id], wrote_replid[sizeof((struct node_state *)0)->replid];
    uint32_t replicas;          /* the most that were connected when it was settled, since the cluster was last asked */
    uint32_t fails;             /* to connect, one after the other */
    int64_t due_us;             /* not tried before */
    int64_t heard_us;           /* since when nothing came although replies are awaited */
    const char *loaded;         /* the script that was loaded last through this connection, and is still there */
    const char *lacks;          /* the script that is to be loaded before the next command that needs it; NULL: none */
    uint32_t loads;             /* scripts that were loaded so far */
    struct pace_server *server; /* of the pace, as it was when `paced` was its number; NULL: none */
    uint64_t paced;
    struct link_window window;
    int64_t sent_us;  /* when that was sent which was answered last */
    uint32_t units;   /* of the micro-batch that is being put: what may still go … */
    int64_t taken_us; /* … and when it was taken */
};

struct router {
    struct routes *routes;
    const struct world *world;
    const struct valkey_uri *uri;
    struct topology *topology;
    GPtrArray *links;      /* of struct link, as long as the router */
    struct link **by_node; /* of the topology */
    struct arena *mem;     /* for the moment */
    GString *lost;         /* the servers whose writes may be lost: settling tells it */
    uint64_t redirections; /* that were met so far */
};

struct routes {
    const struct world *world;
    const struct valkey_uri *uri;
    pthread_mutex_t lock; /* guards the rest; a leaf */
    struct topology *topology;
    bool asking;
    uint64_t epoch;          /* the highest that was seen */
    int64_t ill_us, seen_us; /* since when slots have been without a server, as far as is known, and last seen so; 0 */
    struct pace *pace;       /* NULL: as fast as it goes */
    atomic_uint_fast64_t paced; /* how often it was set */
};

struct link *link_of(struct router *router, const struct valkey_host *at); /* made where there is none */
void link_free(struct link *link);

/* Connects, and finds out which process that is: notes in router->lost what it means for unsettled writes. */
bool link_connect(struct router *router, struct link *link, const struct net_wait *wait, GError **error);
/* Closes the connection; the queues stay. */
void link_close(struct link *link);
/* Before a write goes out. */
void link_writes(struct link *link);
/* Whether what was written is still there to be settled: the same process with the same history, a primary. Where not,
 * it is noted, and there is nothing left to settle. */
bool link_holds(struct router *router, struct link *link, const struct node_state *now);
/* The unsettled writes of the link are lost. */
void link_lose(struct router *router, struct link *link);

/* The command that node_state is made of, and how. */
extern const struct slice LINK_LOOK[4];
void link_state(struct slice info, struct node_state *ret);

/* The server's pace; NULL: as fast as it goes. */
struct pace_server *link_pace(struct router *router, struct link *link);

/* Until `at_most_us` from now, or the deadline. */
struct net_wait link_wait(const struct router *router, const struct call *call, int64_t at_most_us);
