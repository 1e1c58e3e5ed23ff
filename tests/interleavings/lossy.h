/* A store in memory whose servers lose what a checkpoint counts, and say that they are others than before. */
#pragma once

#include "interleavings/specs.h"
#include "kit/scene.h"
#include "run/again.h"

/* Its history is a letter, and how often it was handed on without a loss. */
struct lossy {
    struct scene scene; /* first: the world's clock has it as its self */
    char history[3];
    const char *at;                  /* the kill point at whose `nth` passage … */
    int nth;                         /* … `lose` happens; counted down */
    const char *key, *json;          /* what stands there again then */
    const char *says_yes, *says_no;  /* keys of which the fence tells; of the others it is lost */
    uint64_t no_from;                /* the number from which on the fence has none; 0: as above */
    int asked;                       /* of how many writes it was asked whether they stand */
    const char *where, *asked_where; /* where it is lost, and where it was asked for it; NULL: "there" */
    void (*meanwhile)(struct lossy *lossy, const char *name); /* what happens at each kill point; NULL: nothing */
    const struct while_again *again;                          /* … while what was lost is done again */
    int moves;                                                /* of the run, since it is known … */
    bool known;                                               /* … that it was lost */
    int fails;                                                /* so many looks fail, … */
    enum error_code fails_with;                               /* … with that */
    bool (*lane_open)(struct session *, const struct call *, const struct lane *, struct fence *, GError **);
    int opens;         /* behind so many lanes they are replaced, … */
    bool note_fails;   /* … or what is noted of them fails, with fails_with */
    GString *asked_of; /* for each lane whether all servers are asked (a) or a key's (k), its number, and again; NULL:
                          not kept */
    atomic_int signals;
    atomic_uint looks; /* of who watches, each with a sleep behind it */
    uint64_t sent;     /* cas calls until it happened */
};

struct history {
    struct lossy *lossy;
};

static inline struct lossy *lossy_of(struct session *session)
{
    const char *table = (const char *)session_driver(session);
    return (struct lossy *)(gpointer)(table - offsetof(struct lossy, scene.faulty_mem.table));
}

static inline bool note(struct session *session, const struct call *call, const struct witness *witness,
                        struct slice was, const char **ret, GError **error)
{
    struct lossy *lossy = lossy_of(session);
    if (lossy->asked_of && witness->lane == 0)
        g_string_append_c(lossy->asked_of, witness->near.len ? 'k' : 'a');
    if (was.len && lossy->note_fails && !(lossy->note_fails = false))
        return error_set(error, lossy->fails_with, "nobody knows whose it is");
    if (was.len && was.data[0] != lossy->history[0])
        return error_set(error, SLUICE_ERROR_UNSETTLED, "another server");
    *ret = arena_text(call->mem, slice_of_text(lossy->history));
    return true;
}

static inline bool look(struct session *session, const struct call *call, const uint8_t run[16], struct history **ret,
                        GError **error)
{
    struct lossy *lossy = lossy_of(session);
    if (lossy->fails > 0 && lossy->fails--)
        return error_set(error, lossy->fails_with, "being replaced");
    *ret = g_new0(struct history, 1);
    (*ret)->lossy = lossy;
    return true;
}

static inline void look_free(struct history *history)
{
    g_free(history);
}

static inline bool holds(struct history *now, struct slice was, const struct witness *witness, struct arena *mem,
                         const char **ret_where)
{
    assert_true(witness->lane > 0);
    const char *where = now->lossy->where ? now->lossy->where : "there";
    *ret_where = was.data[0] == now->lossy->history[0] ? NULL : where;
    return true;
}

static inline bool is_key(const char *key, struct slice bytes)
{
    return key && slice_equal(slice_of_text(key), bytes);
}

static inline bool stands(struct session *session, const struct call *call, const struct standing_wish *wish,
                          GError **error)
{
    struct lossy *lossy = lossy_of(session);
    assert_string_equal(wish->where, lossy->asked_where ? lossy->asked_where : "there");
    for (size_t i = 0; i < wish->n; i++) {
        struct standing_look *look = &wish->io[i];
        if (lossy->no_from && look->number >= lossy->no_from) {
            look->ret = STANDING_NO;
            continue;
        }
        look->ret = is_key(lossy->says_yes, look->key)  ? STANDING_YES
                    : is_key(lossy->says_no, look->key) ? STANDING_NO
                                                        : STANDING_UNKNOWN;
    }
    lossy->asked += (int)wish->n;
    return true;
}

static const struct history_ops HISTORY = {
    .note = note, .look = look, .free = look_free, .holds = holds, .stands = stands};

#define ONE_STAGE SAME_DATASET "stages: [{ name: full, scope: \"100%\" }]\n"
#define STAGED    SAME_DATASET "stages: [{ name: canary, scope: \"50%\" }, { name: full, scope: \"100%\" }]\n"

static inline void replace(struct lossy *lossy)
{
    lossy->history[0]++;
}

static inline void on_point(void *self, const char *name)
{
    struct lossy *lossy = self;
    if (lossy->meanwhile)
        lossy->meanwhile(lossy, name);
    if (!lossy->at || strcmp(name, lossy->at) != 0 || --lossy->nth != 0)
        return;
    scene_put(&lossy->scene, "items", lossy->key, lossy->json);
    replace(lossy);
    lossy->at = NULL;
}

#define KEYS 8

static inline void text_of(char into[2][32], int i, int times)
{
    snprintf(into[0], sizeof into[0], "k%d", i);
    snprintf(into[1], sizeof into[1], "{\"n\":%d,\"times\":%d}", i, times);
}

static inline void begin_with(struct lossy *lossy, const char *spec)
{
    *lossy = (struct lossy){.history = "a"};
    scene_init(&lossy->scene, spec, ONCE_MORE);
    lossy->scene.faulty_mem.table.history = &HISTORY;
    lossy->scene.fake.world.point = on_point;
    lossy->scene.fake.world.point_self = lossy;
}

static inline void begin_spec(struct lossy *lossy, const char *spec)
{
    begin_with(lossy, spec);
    for (int i = 0; i < KEYS; i++) {
        char text[2][32];
        text_of(text, i, 0);
        scene_put(&lossy->scene, "items", text[0], text[1]);
    }
}

static inline void begin(struct lossy *lossy)
{
    begin_spec(lossy, ONE_STAGE);
}

static inline void each_is(struct lossy *lossy, int times)
{
    for (int i = 0; i < KEYS; i++) {
        char text[2][32];
        text_of(text, i, times);
        scene_holds(&lossy->scene, "items", text[0], text[1]);
    }
}

/* The server is another one, with the key as it was before the run. */
static inline void lose(struct lossy *lossy, int i)
{
    char text[2][32];
    text_of(text, i, 0);
    scene_put(&lossy->scene, "items", text[0], text[1]);
    replace(lossy);
}

static inline void all_written(struct lossy *lossy)
{
    struct process process;
    process_first(&process, &lossy->scene);
    process_done(&process);
}

/* Once, and as if nothing had happened: also for the rollback. */
static inline void ends_well(struct lossy *lossy)
{
    each_is(lossy, 1);
    assert_int_equal(scene_count(&lossy->scene, OUTCOME_WRITTEN), KEYS);
    scene_reconciles(&lossy->scene);
    scene_taken_back(&lossy->scene, 0);
    each_is(lossy, 0);
    scene_done(&lossy->scene);
}
