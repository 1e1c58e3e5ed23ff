/* What one server says of the topology, while it is put together from its replies. Pure. */
#pragma once

#include "store/valkey/topology.h"

struct view {
    struct topology *topology;     /* nodes empty until they are read */
    const struct valkey_host *at;  /* whom it was asked of */
    bool tls;                      /* which of two ports counts */
    bool sentinel;                 /* it is no store at all */
    bool up;                       /* the cluster says it is well */
    bool shards_unknown;           /* CLUSTER SHARDS is refused: CLUSTER SLOTS tells the same */
    char *run_id, *replid, *my_id; /* of the server that is asked */
    bool primary;
    uint32_t replicas;
};

void view_init(struct view *view, const struct valkey_host *at, bool tls);
void view_done(struct view *view);

/* The questions in their order; `takes` is given the reply to each. */
struct question {
    const char *const *words; /* NULL-terminated */
    bool cluster;             /* only a cluster answers it */
    bool (*takes)(struct view *view, const struct reply *reply, GError **error);
};
const struct question *view_question(size_t i); /* NULL: no more */
const struct question *view_question_slots(void);

/* Nodes and owners that follow from what was taken; `ret` gets the view's topology. */
bool view_finish(struct view *view, struct topology **ret, GError **error);

/* Slots without owner. */
uint32_t view_unowned(const struct topology *topology);
/* Whether both may be one and the same store at different times: of one kind, with a node in common. */
bool view_same(const struct topology *a, const struct topology *b);
