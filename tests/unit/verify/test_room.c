/* A spec without a run: nobody has written down how large its source's records are. How many are read at a time turns
 * out when they are read, and nothing of what was read too much of is counted. */
#include "kit/scene.h"
#include "verify/verify_parts.h"

#define SPEC                                                                                                           \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: origin }\ntransform: { lua: t.lua }\n"                 \
    "target: { store: \"mem:s\", dataset: items }\nworkers: 1\npartitions: { count: 1 }\n"
#define LUA                                                                                                            \
    "function transform(doc, ctx)\n  if doc.skip then return nil end\n  if doc.bad then return ctx.reject('bad') "     \
    "end\n  return doc\nend\n"

static void put(struct scene *scene, const char *text, int i, int of)
{
    char key[16];
    g_snprintf(key, sizeof key, "k%05d", i);
    const char *more = i == of / 2 ? ",\"skip\":true" : i == of / 3 ? ",\"bad\":true" : "";
    g_autofree char *json = g_strdup_printf("{\"text\":\"%s\",\"n\":%d%s}", text, i, more);
    scene_put(scene, "origin", key, json);
    if (!*more && i != of / 4)
        scene_put(scene, "items", key, json);
}

#define NOTHING_FITS SIZE_MAX

/* What is read of the source; above `fits` records it does not fit into memory, where that is not 0. */
static struct {
    bool (*read)(struct session *, const struct call *, struct record *, size_t, GError **);
    enum error_code fails;
    size_t fits, reads, records;
} met;

static bool read_counted(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    if (strcmp(call->ds->name, "origin") != 0)
        return met.read(session, call, io, n, error);
    if (met.reads++ == 0) /* the plan's own */
        return met.read(session, call, io, n, error);
    met.records += n;
    return met.fits && n > met.fits % NOTHING_FITS ? error_set(error, met.fails, "no more than so many")
                                                   : met.read(session, call, io, n, error);
}

static bool verify(struct scene *scene, struct verify_result *ret, GError **error)
{
    struct spec *spec = NULL;
    scene->faulty_mem.table.read = read_counted;
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    bool ok =
        spec_read(&spec, &scene->fake.world, scene->spec_path, error) && run_verify_spec(&config, spec, ret, error);
    store_registry_free(registry);
    scene->faulty_mem.table.read = met.read;
    return ok;
}

static void begin(struct scene *scene, int records, size_t bytes)
{
    g_autofree char *text = g_strnfill(bytes, 'x');
    scene_init(scene, SPEC, LUA);
    for (int i = 0; i < records; i++)
        put(scene, text, i, records);
    met.read = scene->faulty_mem.table.read;
    met.fits = met.reads = met.records = 0;
}

static void each_record_counts_once_however_many_were_read_in_vain(void **state)
{
    static const struct {
        int records;
        size_t bytes, fits;
        size_t reads, read; /* at most: calls; records */
    } ROWS[] = {
        {900, 10, 0, 2, 900},
        {2000, 40000, 0, 12, 3000}, /* the first thousand in vain, and nothing once it is known how large they are */
        {900, 10, 100, 99, 9999},
        {900, 10, 1, 1802, 3736}, /* one by one */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        struct scene scene;
        struct verify_result result = {0};
        uint64_t n = (uint64_t)ROWS[i].records;
        begin(&scene, ROWS[i].records, ROWS[i].bytes);
        met.fits = ROWS[i].fits;
        met.fails = SLUICE_ERROR_TOO_BIG;
        kit_ok(verify(&scene, &result, &error));
        if (result.of[VERIFY_EQUAL] != n - 3 || result.of[VERIFY_MISSING] != 1 || result.of[VERIFY_REFUSED] != 1 ||
            result.of[VERIFY_FILTERED] != 1 || result.compared != n - 2)
            fail_msg("row %zu: %s", i, result.sentence);
        if (met.reads > ROWS[i].reads || met.records > ROWS[i].read)
            fail_msg("row %zu: %zu records in %zu reads", i, met.records, met.reads);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

static void what_cannot_be_read_one_by_one_or_fails_otherwise_ends_it(void **state)
{
    static const struct {
        enum error_code fails;
        size_t reads;
    } ROWS[] = {{SLUICE_ERROR_TOO_BIG, 5}, {SLUICE_ERROR_STORE, 2}}; /* 1000, 125, 15, 1; 1000 */
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        GError *error = NULL;
        struct scene scene;
        struct verify_result result = {0};
        begin(&scene, 1000, 10);
        met.fits = NOTHING_FITS;
        met.fails = ROWS[i].fails;
        bool ok = verify(&scene, &result, &error);
        if (ok || !error_is(error, ROWS[i].fails) || !strstr(error->message, "partition 0") ||
            met.reads != ROWS[i].reads)
            fail_msg("row %zu: %zu reads: %s", i, met.reads, ok ? result.sentence : error->message);
        g_clear_error(&error);
        verify_result_done(&result);
        scene_done(&scene);
    }
}

/* --- by what checkpoints say of their size -------------------------------------------------------------------------
 */

#define MIB (UINT64_C(1) << 20)

static void a_batch_is_eight_mebibytes_of_what_the_run_wrote_down(void **state)
{
    static const struct {
        size_t room;
        uint64_t i;
        struct {
            uint64_t index, read, written;
        } rows[3];
        size_t n, expected;
    } ROWS[] = {
        {1000, 0, {{500, 100, 100}}, 1, 1000}, /* small, and more may follow */
        {1000, 0, {{0}}, 0, 1000},             /* nobody has written down anything */
        {1000, 0, {{100, 100 * MIB, 0}}, 1, 8},
        {1000, 0, {{100, 0, 100 * MIB}}, 1, 8},
        {1000, 0, {{2, 32 * MIB, 0}}, 1, 1},                      /* none fits: one is read */
        {1000, 0, {{500, 0, 0}, {600, 100 * MIB, 0}}, 2, 508},    /* nothing was there */
        {1000, 10, {{500, 500, 0}, {600, 100 * MIB, 0}}, 2, 497}, /* from the tenth on, 490 bytes before them */
        {100, 0, {{150, 150, 0}, {250, 200 * MIB, 0}}, 2, 100},   /* no more is asked for */
        {1000, 550, {{500, 500, 0}, {600, 100 * MIB, 0}}, 2, 8},
        {100, 0, {{90, 90, 0}, {900, 8 * 810 * MIB / 100, 0}}, 2, 100}, /* as many as fitted the last time */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct checkpoint rows[3] = {0};
        struct pass pass = {.room = ROWS[i].room, .checkpoints = {.rows = rows, .n = ROWS[i].n}};
        for (size_t k = 0; k < ROWS[i].n; k++)
            rows[k] = (struct checkpoint){.index = ROWS[i].rows[k].index,
                                          .bytes_read = ROWS[i].rows[k].read,
                                          .bytes_written = ROWS[i].rows[k].written};
        size_t room = pass_room(&pass, ROWS[i].i);
        if (room != ROWS[i].expected)
            fail_msg("row %zu: %zu", i, room);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_counts_once_however_many_were_read_in_vain),
        cmocka_unit_test(what_cannot_be_read_one_by_one_or_fails_otherwise_ends_it),
        cmocka_unit_test(a_batch_is_eight_mebibytes_of_what_the_run_wrote_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
