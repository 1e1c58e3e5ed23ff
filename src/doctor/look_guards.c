/* The check of guards: each is read once as a run reads it, and held against its limit. Programs of signals are run. */
#include <jansson.h>

#include "doctor/look.h"
#include "guard/guards.h"
#include "guard/outside.h"

enum { LOOK_US = 20000, LOOK_MOST_US = 15000000 };

static void limits_of(const struct spec_protect *protect, struct guards_limits *ret)
{
    *ret = (struct guards_limits){.hold_ms = protect->hold_ms, .skew_ms = protect->skew_ms};
    memcpy(ret->of, protect->guards, sizeof ret->of);
    for (size_t i = 0; i < protect->n_signals; i++)
        ret->signals[i] = protect->signals[i].limit;
}

/* As JSON; the caller frees. What has not answered by then is not in it. */
static char *read_all(const struct look *look)
{
    const struct world *world = look->config->world;
    const struct spec_protect *protect = &look->spec->protect;
    struct dataset target_ds = look->plan->target_ds;
    struct guards_config config = {.world = world,
                                   .base_dir = look->spec->dir,
                                   .target = look->target,
                                   .target_ds = &target_ds,
                                   .signals = protect->signals,
                                   .n_signals = protect->n_signals,
                                   .enabled = &protect->enabled,
                                   .given = protect->guards_given};
    auto_(guards) guards = guards_new(&config);
    struct guards_limits limits;
    int64_t until_us = world_monotonic_us(world) + LOOK_MOST_US;
    bool asked = false;
    limits_of(protect, &limits);
    while (!asked && world_monotonic_us(world) < until_us) {
        struct guards_verdict verdict;
        world_sleep_us(world, LOOK_US, NULL);
        guards_judge(guards, &limits, &verdict);
        asked = verdict.asked;
        guards_verdict_done(&verdict);
    }
    return guards_json(guards);
}

/* What one row of the JSON says. */
struct row {
    const char *name, *level, *value, *limit, *where, *failed; /* of the document, or NULL */
};

static void finding(struct look *look, size_t *io_n)
{
    if ((*io_n)++)
        look_again(look);
}

static void judge(struct look *look, const struct row *row, size_t *io_n, GString *fine)
{
    GError *error = NULL;
    bool off = strcmp(row->name, "enabled") == 0 && strcmp(row->level, "ok") != 0;
    if (row->failed && !row->value) {
        finding(look, io_n);
        error_set(&error, SLUICE_ERROR_UNREACHABLE, "%s cannot be read: %s", row->name, row->failed);
        look_fail(look, "mend it before the run: what cannot be read pauses it", error);
    } else if (off) {
        finding(look, io_n);
        g_autofree char *name = outside_switch_name(&look->spec->protect.enabled);
        look_warn(look, "switch it on, else the run waits", "protect.enabled: %s says that no run may write", name);
    } else if (strcmp(row->level, "ok") != 0) {
        finding(look, io_n);
        look_warn(look, "look into it, else the run is slowed or waits", "%s is at %s%s%s, beyond its limit of %s",
                  row->name, row->value, row->where ? " on " : "", row->where ? row->where : "", row->limit);
    } else
        g_string_append_printf(fine, "%s%s %s", fine->len ? ", " : "", row->name, row->value ? row->value : "");
}

static void judge_all(struct look *look, const char *text)
{
    json_t *list = json_loads(text, 0, NULL), *one;
    g_autoptr(GString) fine = g_string_new(NULL);
    size_t i, n = 0;
    json_array_foreach(list, i, one)
    {
        struct row row = {.name = json_string_value(json_object_get(one, "name")),
                          .level = json_string_value(json_object_get(one, "level")),
                          .value = json_string_value(json_object_get(one, "value_text")),
                          .limit = json_string_value(json_object_get(one, "limit_text")),
                          .where = json_string_value(json_object_get(one, "where")),
                          .failed = json_string_value(json_object_get(one, "error"))};
        judge(look, &row, &n, fine);
    }
    if (fine->len) {
        finding(look, &n);
        look_ok(look, "within their limits: %s", fine->str);
    } else if (n == 0)
        look_ok(look, "nothing is watched there");
    json_decref(list);
}

void look_guards(struct look *look)
{
    if (!look->plan) {
        look_skip(look, "plan");
        return;
    }
    if (!look->target) {
        look_ok(look, "the target is new: nothing of it can be read yet");
        return;
    }
    char *text = read_all(look);
    judge_all(look, text);
    free(text);
}
