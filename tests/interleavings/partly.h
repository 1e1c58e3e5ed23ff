/* A store of many places has lost one of them, and with it marks of the fence: who opens a lane is told so. */
#pragma once

#include "kit/scene.h"

struct partly {
    struct scene scene; /* first: the world's clock has it as its self */
    bool forgets;       /* none of the marks is left */
    bool (*open)(struct session *, const struct call *, const struct lane *, struct fence *, GError **);
    bool (*read)(struct session *, const struct call *, const struct fence_id *, struct fence *, GError **);
};

static inline struct partly *partly_of(struct session *session)
{
    const char *table = (const char *)session_driver(session);
    return (struct partly *)(gpointer)(table - offsetof(struct partly, scene.faulty_mem.table));
}

static inline bool opens_partly(struct session *session, const struct call *call, const struct lane *lane,
                                struct fence *ret, GError **error)
{
    struct partly *partly = partly_of(session);
    if (!partly->open(session, call, lane, ret, error))
        return false;
    for (size_t i = 0; i < ret->n; i++) {
        struct fence_lane *of = &ret->lanes[i];
        of->partial = true;
        of->base = partly->forgets ? 0 : of->base;
        of->bitmap = partly->forgets ? SLICE_EMPTY : of->bitmap;
    }
    return true;
}

/* From now on. */
static inline void partly_opens(struct partly *partly)
{
    partly->open = partly->scene.faulty_mem.write.lane_open;
    partly->scene.faulty_mem.write.lane_open = opens_partly;
}
