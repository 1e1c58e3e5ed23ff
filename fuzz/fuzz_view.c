/* What servers say of themselves and of each other: replies to the questions of view.h, one after the other, of which a
 * topology is made. Whatever is taken has owners that are nodes, and is the same store as itself. */
#include "fuzz.h"
#include "replies.h"
#include "store/valkey/view.h"

enum { MEM_BYTES = 16 << 20 };

static bool take_all(struct view *view, struct slice bytes, struct arena *mem)
{
    const struct question *question;
    for (size_t i = 0; (question = view_question(i)); i++) {
        struct reply reply;
        if (question->cluster && view->topology->kind != VALKEY_CLUSTER)
            continue;
        if (!next_reply(&bytes, mem, &reply))
            return false;
        if (!question->takes(view, &reply, NULL))
            return false;
    }
    struct reply slots;
    return !view->shards_unknown ||
           (next_reply(&bytes, mem, &slots) && view_question_slots()->takes(view, &slots, NULL));
}

static void check(const struct topology *topology)
{
    for (size_t slot = 0; slot < SLOTS; slot++)
        g_assert(topology->owner[slot] >= -1 && topology->owner[slot] < (int64_t)topology->n);
    for (size_t i = 0; i < topology->n; i++)
        g_assert(topology->nodes[i].at.host);
    g_assert(view_unowned(topology) <= SLOTS);
    view_same(topology, topology);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct valkey_host at = {.host = (char *)(uintptr_t) "10.0.0.9", .port = 7009};
    if (len == 0)
        return 0;
    auto_(arena) mem = arena_new(MEM_BYTES);
    struct topology *topology = NULL;
    struct view view;
    view_init(&view, &at, data[0] & 1);
    if (take_all(&view, slice_of(data + 1, len - 1), mem) && view_finish(&view, &topology, NULL))
        check(topology);
    topology_unref(topology);
    view_done(&view);
    return 0;
}
