#include "store/valkey/link.h"
#include "store/valkey/list_parts.h"

struct looking {
    struct list_batch batch;
    struct claim *claims;
    size_t each; /* commands for one node */
};

static bool take_info(struct claim *claim, const struct reply *reply)
{
    struct node_state state;
    link_state(reply->bytes, &state);
    memcpy(claim->run_id, state.run_id, sizeof claim->run_id);
    memcpy(claim->replid, state.replid, sizeof claim->replid);
    return true;
}

static bool take_look(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct looking *looking = self;
    struct claim *claim = &looking->claims[i / looking->each];
    if (reply->type == REPLY_ERROR)
        return list_refuse(&looking->batch, i, reply, error);
    return i % looking->each == 0 ? take_info(claim, reply) : claim_read(claim, reply->bytes, error);
}

bool list_look(struct list *list, const struct call *call, const struct list_nodes *of, struct claim *claims,
               GError **error)
{
    bool cluster = of->topology->kind == VALKEY_CLUSTER;
    struct slice words[] = {slice_of_text("CLUSTER"), slice_of_text("NODES")};
    struct looking looking = {.claims = claims, .each = cluster ? 2 : 1};
    looking.batch = (struct list_batch){.list = list, .call = call, .answer = take_look, .self = &looking};
    bool put = true;
    for (size_t i = 0; put && i < of->n; i++) {
        const struct valkey_host *at = &of->topology->nodes[of->nodes[i]].at;
        put = list_put(&looking.batch, at, LINK_LOOK, G_N_ELEMENTS(LINK_LOOK), error) &&
              (!cluster || list_put(&looking.batch, at, words, G_N_ELEMENTS(words), error));
    }
    return list_send(&looking.batch, put ? error : NULL) && put;
}

const struct valkey_host *list_target(const struct topology *topology, const struct claim_move *move)
{
    for (size_t i = 0; move && i < topology->n; i++) {
        if (g_str_equal(topology->nodes[i].id, move->to))
            return &topology->nodes[i].at;
    }
    return NULL;
}
