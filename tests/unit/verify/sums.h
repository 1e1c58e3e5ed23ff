/* Runs of forty keys in four partitions, whose gate has left its sums: from the same dataset, from elsewhere, from a
 * file. For the tests of what a later verification does with those. */
#pragma once

#include <glib/gstdio.h>

#include "kit/scene.h"
#include "verify/verify_parts.h"

#define KEYS      40
#define AGAIN_US  200000 /* between two looks; whoever watches the run sleeps too */
#define PARTS     4
#define STRETCHES 16 /* of a scan: eight for each of two workers */

#define TARGET                                                                                                         \
    "target: { store: \"mem:s\", dataset: items, write: in-place, conflict: overwrite }\nstages: [{ name: full, "      \
    "scope: 100% }]\nworkers: 2\npartitions: { "                                                                       \
    "count: 4 }\n"
#define SAME                                                                                                           \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items }\nstages: [{ name: full, scope: 100% }]\nworkers: 2\npartitions: { "  \
    "count: 4 }\n"
#define ELSEWHERE                                                                                                      \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\ntransform: { lua: t.lua }\n" TARGET
#define FILES                                                                                                          \
    "sluice: 1\nname: job\nsource: { store: \"file:.\", dataset: in.ndjson, key: id }\ntransform: { lua: t.lua "       \
    "}\n" TARGET
#define LUA                                                                                                            \
    "function transform(doc, ctx)\n  if doc.skip then return nil end\n  if doc.bad then return ctx.reject('bad') "     \
    "end\n"                                                                                                            \
    "  doc.times = doc.times + 1\n  return doc\nend\n"

static const char *const SPECS[] = {SAME, ELSEWHERE, FILES};

static inline void key_of(int i, char into[16])
{
    g_snprintf(into, 16, "k%02d", i);
}

/* KEYS records wherever the spec reads them. */
static inline void fill(struct scene *scene)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    for (int i = 0; i < KEYS; i++) {
        char key[16];
        key_of(i, key);
        g_autofree char *json = g_strdup_printf("{\"id\":\"%s\",\"times\":0}", key);
        g_string_append_printf(lines, "%s\n", json);
        scene_put(scene, "items", key, json);
        scene_put(scene, "origin", key, json);
    }
    scene_file(scene, "in.ndjson", lines->str);
}

static inline void begin(struct scene *scene, const char *spec)
{
    scene_init(scene, spec, LUA);
    fill(scene);
}

/* A run whose gate has passed. */
static inline void passed(struct scene *scene, const char *spec)
{
    begin(scene, spec);
    scene_ran(scene, 0);
}

static inline void done(struct scene *scene, struct verify_result *result)
{
    verify_result_done(result);
    scene_done(scene);
}

static inline void put(struct scene *scene, int i, const char *json)
{
    char key[16];
    key_of(i, key);
    scene_put(scene, "items", key, json);
}

/* The one key of this class, and the one line of the report. */
static inline void reported(const struct verify_result *result, enum verify_class class, const char *key)
{
    g_autofree char *report = NULL, *kind = g_strdup_printf("\"kind\":\"%s\"", verify_class_row(class)->word),
                    *name = g_strdup_printf("{\"key\":\"%s\"", key);
    assert_int_equal(result->of[class], 1);
    assert_true(g_file_get_contents(result->report_path, &report, NULL, NULL));
    assert_ptr_equal(strchr(report, '\n'), report + strlen(report) - 1); /* one line */
    assert_true(g_str_has_prefix(report, name));
    assert_non_null(strstr(report, kind));
}

/* How often the stores were asked. */
struct asked {
    uint64_t scans, reads;
};

static inline struct asked verify(struct scene *scene, struct verify_result *ret)
{
    const uint64_t *calls = scene->plan.calls;
    struct asked before = {.scans = calls[FAULT_SCAN_OPEN], .reads = calls[FAULT_READ]};
    scene_verify(scene, ret);
    return (struct asked){.scans = calls[FAULT_SCAN_OPEN] - before.scans, .reads = calls[FAULT_READ] - before.reads};
}

static inline void ways(const struct verify_result *result, size_t by_sums, size_t in_full)
{
    assert_int_equal(result->by_sums, by_sums);
    assert_int_equal(result->in_full, in_full);
    assert_int_equal(strstr(result->sentence, "by sums of ") != NULL, by_sums > 0);
    assert_int_equal(strstr(result->sentence, " compared in full") != NULL, in_full > 0);
}

/* One key of one partition differs from what its gate left, and is the one that was compared. */
static inline void one_key(const struct verify_result *result, size_t parts)
{
    assert_int_equal(result->by_sums, parts - 1);
    assert_int_equal(result->by_keys, 1);
    assert_int_equal(result->looked_at, 1);
    assert_int_equal(result->in_full, 0);
    assert_non_null(strstr(result->sentence, "by sketches 1 key of 1 partition that changed since"));
}

static inline size_t parts_of(struct scene *scene)
{
    auto_(arena) mem = arena_new(1 << 20);
    return scene_row(scene, mem).parts[PART_VERIFIED];
}

/* By the last byte, backwards. */
static inline bool backwards(const struct dataset *ds, const struct slice *keys, size_t n, uint16_t *ret,
                             GError **error)
{
    for (size_t i = 0; i < n; i++)
        ret[i] = (uint16_t)(255 - keys[i].data[keys[i].len - 1]);
    return true;
}

static const struct list_ops ranked = {.sorted = true, .rank = backwards};
static const struct list_ops unsorted = {.rank = backwards};

static inline char *sketch_path(const struct scene *scene)
{
    return g_build_filename(scene->home, "reports", "job.1", "sketch.0", NULL);
}
