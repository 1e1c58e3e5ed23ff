/* What whoever watches the workers sees at one look after another, says once, and stops them for. */
#include "interleavings/specs.h"
#include "kit/scene.h"

#define FROM_ORIGIN_UNTIL(until, more)                                                                                 \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin" until " }\ntransform: { lua: t.lua }\n"        \
    "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: overwrite }\n"                             \
    "partitions: { size: 4 }\nworkers: 1\nstages: [{ name: full, scope: 100% }]\n" more

enum { KEYS = 8, STOPPED = 1000, MANY = 1200, HOUR_MS = 3600 * 1000 };

struct watched {
    struct scene scene; /* first: what happens is told of it */
    const struct watched_row *row;
    int passages;
    bool came, waited; /* waited: for its hours */
    atomic_uint looks; /* of who watches, … */
    atomic_uint said;  /* … and how often it said the row's words, since it came */
};

struct watched_row {
    const char *spec, *lua;
    int keys;
    int batches;                     /* so many are done when it comes */
    void (*comes)(struct watched *); /* NULL: nothing but looks */
    const char *note;                /* said, once; NULL: nothing is */
    int status;
    const char *words;
};

#define HEARD_US (INT64_C(60) * 1000 * 1000)

/* The worker waits until it was looked three times, and what is to be said was. */
static void on_point(void *self, const char *name)
{
    struct watched *watched = self;
    const struct watched_row *row = watched->row;
    if (watched->came || strcmp(name, "scan.before") != 0 || watched->passages++ != row->batches)
        return;
    watched->came = true;
    if (row->comes)
        row->comes(watched);
    unsigned from = atomic_load(&watched->looks);
    int64_t most_us = g_get_monotonic_time() + HEARD_US;
    while (atomic_load(&watched->looks) - from < 3 || (row->note && atomic_load(&watched->said) == 0)) {
        world_sleep_us(world_real(), 500, NULL);
        assert_true(g_get_monotonic_time() < most_us);
        from = row->note && atomic_load(&watched->said) == 0 ? atomic_load(&watched->looks) : from;
    }
}

static void on_event(struct scene *scene, const struct run_event *event)
{
    struct watched *watched = (struct watched *)scene;
    const char *text = event->text ? event->text : "";
    if (event->kind == RUN_EVENT_PROGRESS && strcmp(text, "writing") == 0)
        atomic_fetch_add(&watched->looks, 1);
    if (event->kind == RUN_EVENT_NOTE && watched->row->note && strstr(text, watched->row->note))
        atomic_fetch_add(&watched->said, 1);
    if (event->kind == RUN_EVENT_PROGRESS && strstr(text, "waits for the hours")) {
        watched->waited = true;
        scene->fake.wall_ms += HOUR_MS;
    }
}

static void set_clock_back(struct watched *watched)
{
    watched->scene.fake.wall_ms -= 2 * HOUR_MS;
}

#define REJECTS                                                                                                        \
    "function transform(doc, ctx)\n  if doc.times == 0 then return ctx.reject('no') end\n  return doc\nend\n"
static const struct watched_row ROWS[] = {
    {FROM_ORIGIN_UNTIL("", "slo: { complete: 100% within 10s }\n"), ONCE_MORE, KEYS, 1, .note = "its deadline: "},
    {FROM_ORIGIN_UNTIL(", until: 10s", ""), ONCE_MORE, KEYS, 1, .note = "its source "},
    {FROM_ORIGIN_UNTIL("", "hours: [\"Fri 11:00-13:00 UTC\"]\n"), ONCE_MORE, KEYS, 1, .comes = set_clock_back},
    {FROM_ORIGIN_UNTIL("", "protect: { rejects: 10% }\n"), REJECTS, MANY, STOPPED / 4, .status = 3, .words = "rejects"},
    {FROM_ORIGIN_UNTIL("", "protect: { rejects: 100% }\n"), REJECTS, MANY, STOPPED / 4, .status = 8},
};

static void begin(struct watched *watched, const struct watched_row *row)
{
    struct scene *scene = &watched->scene;
    *watched = (struct watched){.row = row};
    scene_init(scene, row->spec, row->lua);
    scene_put(scene, "items", "there", "{}");
    for (int i = 0; i < row->keys; i++) {
        g_autofree char *key = g_strdup_printf("k%04d", i);
        scene_put(scene, "origin", key, "{\"times\":0}");
    }
    scene->lifts_nothing = true;
    scene->event = on_event;
    scene->fake.world.point = on_point;
    scene->fake.world.point_self = watched;
}

static void what_is_seen_at_each_look_is_said_once_and_stops_the_work_where_it_has_to(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        const struct watched_row *row = &ROWS[i];
        struct watched watched;
        struct ended ended;
        begin(&watched, row);
        scene_run(&watched.scene, &ended);
        if ((!watched.came && !row->words) || ended.status != row->status ||
            (row->words && !strstr(ended.text, row->words)) || watched.said != (row->note != NULL) ||
            watched.waited != (row->comes == set_clock_back))
            fail_msg("row %zu ended with %d, said %u times: %s", i, ended.status, watched.said, ended.text);
        ended_done(&ended);
        if (row->words) /* amid the stage, not behind it */
            assert_in_range(scene_count(&watched.scene, OUTCOME_REJECTED), STOPPED, MANY - 1);
        scene_done(&watched.scene);
    }
}

/* --- rewritten before their turn ---------------------------------------------------------------------------------- */

enum { SAMPLED = 60, REWRITTEN = 40 };

struct rewriting {
    struct scene scene;
    bool came;
};

static void rewrite(void *self, const char *name)
{
    struct rewriting *rewriting = self;
    if (strcmp(name, "scan.before") != 0 || rewriting->came)
        return;
    rewriting->came = true;
    for (int i = 0; i < REWRITTEN; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        scene_put(&rewriting->scene, "items", key, "{\"times\":0,\"live\":1}");
    }
}

/* Behind the verifier's sample, and before the run read them: their pre-images are what the application wrote. */
static void most_keys_may_be_written_by_the_application_between_the_sample_and_their_write(void **state)
{
    struct rewriting rewriting = {0};
    struct scene *scene = &rewriting.scene;
    scene_init(scene, SAME_DATASET "stages: [{ name: full, scope: 100% }]\n", ONCE_MORE);
    for (int i = 0; i < SAMPLED; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        scene_put(scene, "items", key, "{\"times\":0}");
    }
    scene->fake.world.point = rewrite;
    scene->fake.world.point_self = &rewriting;
    scene_ran(scene, 0);
    scene_done(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(most_keys_may_be_written_by_the_application_between_the_sample_and_their_write),
        cmocka_unit_test(what_is_seen_at_each_look_is_said_once_and_stops_the_work_where_it_has_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
