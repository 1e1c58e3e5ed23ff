/* What becomes of a record on its way: of its expiry, of what nobody can read, and of what a dead holder had written.
 */
#include "kit/scene.h"

#define HEAD        "sluice: 1\nname: job\ntransform: { lua: t.lua }\nworkers: 1\n"
#define ONTO(more)  "target: { store: \"mem:s\", dataset: items, write: in-place" more " }\n"
#define OVERWRITE   ", conflict: overwrite"
#define EXPIRES(of) HEAD "source: { store: \"mem:s\", dataset: origin }\n" ONTO(OVERWRITE ", expires: " of)
#define BY_VERSION  HEAD "source: { store: \"mem:s\", dataset: origin, version: n }\n" ONTO("")
#define BY_FORCE    HEAD "source: { store: \"mem:s\", dataset: origin }\n" ONTO(OVERWRITE)
#define SAME        HEAD "source: { store: \"mem:s\", dataset: items }\ntarget: { store: \"mem:s\", dataset: items }\n"
#define FILES       HEAD "source: { store: \"file:in\", dataset: \"*.ndjson\", key: id }\n" ONTO(OVERWRITE)

static const char AS_IT_IS[] = "function transform(doc, ctx) return doc end\n";
static const char DELETES[] =
    "function transform(doc, ctx)\n  if doc.gone then return ctx.delete() end\n  return doc\nend\n";
static const char DOUBLES[] = "function transform(doc, ctx) return { doc, { n = 2 } } end\n";
static const char OVERDOES[] = "function transform(doc, ctx) doc.unstorable = 1 return doc end\n";
static const char HIDES[] = "function transform(doc, ctx) doc.unreadable = 1 return doc end\n";

/* A store that can not make sense of some records. */
static bool decode(const struct dataset *ds, struct slice raw, struct arena *mem, struct slice *ret, GError **error)
{
    static const char WORD[] = "unreadable";
    *ret = raw;
    return !memmem(raw.data, raw.len, WORD, strlen(WORD)) ||
           error_set(error, SLUICE_ERROR_BAD_RECORD, "not to be read");
}

/* … or store them. */
static bool encode(const struct dataset *ds, struct slice document, struct arena *mem, struct slice *ret,
                   GError **error)
{
    static const char WORD[] = "unstorable";
    if (memmem(document.data, document.len, WORD, strlen(WORD)))
        return error_set(error, SLUICE_ERROR_BAD_RECORD, "not to be stored");
    *ret = document;
    return true;
}

static const struct way {
    const char *spec, *lua;
    const char *source, *live, *stands; /* of the key `a`; NULL: nothing stands there */
    int64_t expires_at_ms;
    int status;
    enum error_code refused; /* INTERNAL: it is not */
    enum outcome outcome;
} WAYS[] = {
    /* when it expires: as it says, which has to be a time */
    {EXPIRES("{ from: until }"), AS_IT_IS, "{\"until\":\"2027-01-01T00:00:00Z\"}", NULL,
     "{\"until\":\"2027-01-01T00:00:00Z\"}", INT64_C(1798761600000), 0, SLUICE_ERROR_INTERNAL, OUTCOME_WRITTEN},
    {EXPIRES("{ from: until }"), AS_IT_IS, "{\"n\":1}", NULL, "{\"n\":1}", EXPIRES_NEVER, 0, SLUICE_ERROR_INTERNAL,
     OUTCOME_WRITTEN},
    {EXPIRES("{ from: until }"), AS_IT_IS, "{\"until\":7}", NULL, NULL, EXPIRES_NEVER, 8, SLUICE_ERROR_BAD_RECORD,
     OUTCOME_REJECTED},
    {EXPIRES("{ from: until }"), AS_IT_IS, "{\"until\":\"soon\"}", "{\"n\":1}", "{\"n\":1}", EXPIRES_NEVER, 8,
     SLUICE_ERROR_BAD_RECORD, OUTCOME_REJECTED},
    {EXPIRES("never"), AS_IT_IS, "{\"n\":1}", NULL, "{\"n\":1}", EXPIRES_NEVER, 0, SLUICE_ERROR_INTERNAL,
     OUTCOME_WRITTEN},
    /* what cannot be read: in the source, in the target, of what is wanted */
    {BY_FORCE, AS_IT_IS, "{\"unreadable\":1}", "{\"n\":1}", "{\"n\":1}", EXPIRES_NEVER, 8, SLUICE_ERROR_BAD_RECORD,
     OUTCOME_REJECTED},
    {BY_FORCE, AS_IT_IS, "{\"n\":1}", "{\"unreadable\":1}", "{\"n\":1}", EXPIRES_NEVER, 0, SLUICE_ERROR_INTERNAL,
     OUTCOME_WRITTEN},
    {BY_FORCE, HIDES, "{\"n\":1}", "{\"n\":1}", "{\"n\":1,\"unreadable\":1}", EXPIRES_NEVER, 4, SLUICE_ERROR_INTERNAL,
     OUTCOME_WRITTEN}, /* nor can the gate */
    {BY_VERSION, AS_IT_IS, "{\"n\":2}", "{\"n\":1}", "{\"n\":2}", EXPIRES_NEVER, 0, SLUICE_ERROR_INTERNAL,
     OUTCOME_WRITTEN},
    {BY_VERSION, AS_IT_IS, "{\"n\":2}", "{\"unreadable\":1}", "{\"unreadable\":1}", EXPIRES_NEVER, 8,
     SLUICE_ERROR_INTERNAL, OUTCOME_KEPT_LIVE},
    {BY_VERSION, AS_IT_IS, "{\"n\":2}", "{\"n\":\"x\"}", "{\"n\":\"x\"}", EXPIRES_NEVER, 8, SLUICE_ERROR_INTERNAL,
     OUTCOME_KEPT_LIVE},
    {BY_VERSION, AS_IT_IS, "{\"n\":\"x\"}", "{\"n\":1}", "{\"n\":1}", EXPIRES_NEVER, 8, SLUICE_ERROR_BAD_RECORD,
     OUTCOME_REJECTED},
    {BY_FORCE, OVERDOES, "{\"n\":1}", "{\"n\":1}", "{\"n\":1}", EXPIRES_NEVER, 8, SLUICE_ERROR_BAD_RECORD,
     OUTCOME_REJECTED},
    /* one stays one */
    {SAME, DOUBLES, NULL, "{\"n\":1}", "{\"n\":1}", EXPIRES_NEVER, 8, SLUICE_ERROR_INTERNAL, OUTCOME_REJECTED},
};

static void a_record_ends_as_the_table_says(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(WAYS); i++) {
        const struct way *way = &WAYS[i];
        struct scene scene;
        struct ended ended;
        int64_t expires_at_ms;
        scene_init(&scene, way->spec, way->lua);
        scene.faulty_mem.table.decode = decode;
        scene.faulty_mem.table.encode = encode;
        if (way->source)
            scene_put(&scene, "origin", "a", way->source);
        if (way->live)
            scene_put(&scene, "items", "a", way->live);
        scene_run(&scene, &ended);
        g_autofree char *json = scene_json(&scene, "items", "a", &expires_at_ms);
        if (ended.status != way->status || g_strcmp0(json, way->stands) != 0 ||
            (json && expires_at_ms != way->expires_at_ms))
            fail_msg("row %zu ended with %d: %s: %s", i, ended.status, ended.text, json ? json : "nothing stands");
        assert_int_equal(scene_count(&scene, way->outcome), 1);
        if (way->refused != SLUICE_ERROR_INTERNAL)
            if (!scene_refused(&scene, "a", way->refused))
                fail_msg("row %zu: not refused for that", i);
        scene_reconciles(&scene);
        ended_done(&ended);
        scene_done(&scene);
    }
}

/* What it wrote or deleted before it died counts as that, once, and is not looked at again: a file does not change, and
 * of a live source it is what stands already. */
static void what_a_dead_holder_did_counts_as_what_it_was(void **state)
{
    static const char *const SPECS[] = {FILES, BY_FORCE};
    for (size_t i = 0; i < 2 * G_N_ELEMENTS(SPECS); i++) {
        struct scene scene;
        struct process process;
        scene_init(&scene, SPECS[i / 2], DELETES);
        scene_file(&scene, "in/a.ndjson",
                   "{\"id\":\"a\",\"n\":1}\n{\"id\":\"b\",\"gone\":true}\n{\"id\":\"c\",\"n\":3}\n");
        scene_put(&scene, "origin", "a", "{\"id\":\"a\",\"n\":1}");
        scene_put(&scene, "origin", "b", "{\"id\":\"b\",\"gone\":true}");
        scene_put(&scene, "origin", "c", "{\"id\":\"c\",\"n\":3}");
        scene_put(&scene, "items", "b", "{\"n\":2}");
        process_first(&process, &scene);
        process_until(&process, 0, i % 2 ? OP_SETTLE : OP_CAS);
        if (i % 2 == 0)
            process_lose(&process, 0);
        process_die(&process);
        if (i / 2 == 0) /* it may well be another one's by now */
            scene_put(&scene, "items", "a", "{\"mine\":true}");
        process_whole(&scene, JOB_FORWARD);
        scene_holds(&scene, "items", "a", i / 2 == 0 ? "{\"mine\":true}" : "{\"id\":\"a\",\"n\":1}");
        scene_holds(&scene, "items", "b", NULL);
        assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 2);
        assert_int_equal(scene_count(&scene, OUTCOME_DELETED), 1);
        scene_reconciles(&scene);
        scene_done(&scene);
    }
}

/* Files: what is deleted has nothing to be written, and of a record of which a part cannot be stored nothing is. */
static void into_files_go_whole_records_that_are_wanted(void **state)
{
    static const char SPLITS[] = "function transform(doc, ctx)\n  if doc.n == 1 then return ctx.delete() end\n"
                                 "  if doc.n == 2 then return { { id = 'x' }, { id = 'y', unstorable = 1 } } end\n"
                                 "  return { { id = 'z', n = doc.n } }\nend\n";
    struct scene scene;
    scene_init(&scene,
               HEAD "source: { store: \"mem:s\", dataset: origin, key: id }\n"
                    "target: { store: \"file:out\", dataset: \"o-*.ndjson\" }\n",
               SPLITS);
    scene.faulty_file.table.encode = encode;
    scene_put(&scene, "origin", "a", "{\"id\":\"a\",\"n\":1}");
    scene_put(&scene, "origin", "b", "{\"n\":2}");
    scene_put(&scene, "origin", "c", "{\"n\":3}");
    scene_ran(&scene, 8);
    assert_int_equal(scene_count(&scene, OUTCOME_UNCHANGED), 1);
    assert_int_equal(scene_count(&scene, OUTCOME_REJECTED), 1);
    assert_int_equal(scene_count(&scene, OUTCOME_WRITTEN), 1);
    assert_true(scene_refused(&scene, "b", SLUICE_ERROR_BAD_RECORD));
    scene_reconciles(&scene);
    scene_done(&scene);
}

/* --- what is copied as it is ---------------------------------------------------------------------------------------
 */

#define COPY(of, onto)                                                                                                 \
    "sluice: 1\nname: job\nworkers: 1\nsource: { store: \"mem:s\", dataset: origin" of " }\n" ONTO(OVERWRITE onto)

static bool stands_for(struct slice raw)
{
    static const char WORD[] = "too big";
    return memmem(raw.data, raw.len, WORD, strlen(WORD)) != NULL;
}

static bool copies_all(const struct dataset *ds)
{
    return true;
}

static const struct big_ops COPIES = {.stands_for = stands_for, .copies = copies_all};

/* Nobody can read the record of the source. */
static bool (*read_well)(struct session *, const struct call *, struct record *, size_t, GError **);

static bool read_nothing(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    bool ok = read_well(session, call, io, n, error);
    for (size_t i = 0; ok && i < n && strcmp(call->ds->name, "origin") == 0; i++) {
        io[i].presence = RECORD_FAULT;
        io[i].fault = (struct fault){.code = SLUICE_ERROR_BAD_RECORD, .text = "not to be read"};
    }
    return ok;
}

/* What is refused is shown as a document, as far as it is one. */
static void what_is_copied_onto_what_the_undo_log_cannot_hold_is_refused_and_shown(void **state)
{
    static const char *const SOURCES[] = {"{\"n\":1}", "{\"unreadable\":1}"};
    for (size_t i = 0; i < G_N_ELEMENTS(SOURCES); i++) {
        struct scene scene;
        scene_init(&scene, COPY("", ""), NULL);
        scene.faulty_mem.table.big = &COPIES;
        scene.faulty_mem.table.decode = decode;
        scene_put(&scene, "origin", "a", SOURCES[i]);
        scene_put(&scene, "items", "a", "{\"is\":\"too big\"}");
        scene_ran(&scene, 8);
        scene_holds(&scene, "items", "a", "{\"is\":\"too big\"}");
        assert_true(scene_refused(&scene, "a", SLUICE_ERROR_TOO_BIG));
        scene_done(&scene);
    }
}

/* A store that could copy it as it is still looks into what a key, a version, an expiry or a condition is made of. */
static void what_is_looked_into_is_not_copied_as_it_is(void **state)
{
    static const struct {
        const char *spec, *source, *stands;
        const char *key;
        int64_t expires_at_ms;
        int status;
        bool faulty;
    } ROWS[] = {
        {COPY("", ""), "{\"unreadable\":1}", "{\"unreadable\":1}", "a", EXPIRES_NEVER, 0, false},
        {COPY("", ""), "{\"n\":1}", NULL, "a", EXPIRES_NEVER, 8, true},
        {COPY(", where: \"doc.n == 1\"", ""), "{\"n\":2}", NULL, "a", EXPIRES_NEVER, 0, false},
        {COPY(", range: { field: at, from: 2026-07-01, to: 2026-07-02 }", ""), "{\"at\":\"2026-07-03T00:00:00Z\"}",
         NULL, "a", EXPIRES_NEVER, 0, false},
        {COPY(", version: n", ""), "{\"n\":\"x\"}", NULL, "a", EXPIRES_NEVER, 8, false},
        {COPY(", key: id", ""), "{\"id\":\"b\"}", "{\"id\":\"b\"}", "b", EXPIRES_NEVER, 0, false},
        {COPY("", ", expires: { from: until }"), "{\"until\":\"2027-01-01T00:00:00Z\"}",
         "{\"until\":\"2027-01-01T00:00:00Z\"}", "a", INT64_C(1798761600000), 0, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct ended ended;
        int64_t expires_at_ms;
        scene_init(&scene, ROWS[i].spec, NULL);
        scene.faulty_mem.table.big = &COPIES;
        scene.faulty_mem.table.decode = decode;
        read_well = scene.faulty_mem.table.read;
        if (ROWS[i].faulty)
            scene.faulty_mem.table.read = read_nothing;
        scene_put(&scene, "origin", "a", ROWS[i].source);
        scene_run(&scene, &ended);
        g_autofree char *json = scene_json(&scene, "items", ROWS[i].key, &expires_at_ms);
        if (ended.status != ROWS[i].status || g_strcmp0(json, ROWS[i].stands) != 0 ||
            (json && expires_at_ms != ROWS[i].expires_at_ms))
            fail_msg("row %zu ended with %d: %s: %s", i, ended.status, ended.text, json ? json : "nothing stands");
        ended_done(&ended);
        scene_done(&scene);
    }
}

/* Whether it was written nobody knows: what stands there stays. */
static void a_copy_in_doubt_is_not_made_again(void **state)
{
    struct scene scene;
    struct process process;
    scene_init(&scene, COPY("", ""), NULL);
    scene.faulty_mem.table.big = &COPIES;
    scene_put(&scene, "origin", "a", "{\"n\":1}");
    process_first(&process, &scene);
    process_until(&process, 0, OP_CAS);
    process_lose(&process, 0);
    scene_drop_fences(&scene, process.hold->run.uid);
    process_die(&process);
    scene_put(&scene, "items", "a", "{\"mine\":true}");
    process_whole(&scene, JOB_FORWARD);
    scene_holds(&scene, "items", "a", "{\"mine\":true}");
    assert_int_equal(scene_count(&scene, OUTCOME_IN_DOUBT), 1);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_ends_as_the_table_says),
        cmocka_unit_test(what_a_dead_holder_did_counts_as_what_it_was),
        cmocka_unit_test(into_files_go_whole_records_that_are_wanted),
        cmocka_unit_test(what_is_copied_onto_what_the_undo_log_cannot_hold_is_refused_and_shown),
        cmocka_unit_test(what_is_looked_into_is_not_copied_as_it_is),
        cmocka_unit_test(a_copy_in_doubt_is_not_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
