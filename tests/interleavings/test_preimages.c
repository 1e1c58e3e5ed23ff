/* What the undo log says stood there, held against what the verifier saw itself, while the application writes and while
 * it does not: a log that is right passes, one that is wrong does not. The transform makes the same of every record, so
 * that nothing but that tells which record it was given. */
#include "interleavings/specs.h"
#include "kit/scene.h"

#define STAGE       "stages: [{ name: full, scope: 100% }]\n"
#define SAME_OF_ALL "function transform(doc, ctx)\n  if doc.done then return doc end\n  return { done = true }\nend\n"

enum { KEYS = 60, MANY = 40 };

/* What is wrong with the records that the run reads; the etags are right. */
enum misread {
    READ_RIGHT,
    READ_SWAPPED, /* each has its neighbour's bytes */
    READ_STALE,   /* as they were before the stage */
};

struct row {
    const char *rewrites; /* the application writes at this point, once, … */
    int keys;             /* … so many; */
    enum misread fault;
    int faulty; /* of so many keys */
    int status;
    const char *words;
};

static struct {
    const struct row *row;
    struct scene *scene;
    bool came, reads;  /* reads: the run itself, of its source */
    bool logs;         /* what it is about to write */
    int asked;         /* meanwhile, in vain */
    GHashTable *first; /* key → raw, as it was first read */
    bool (*really)(struct session *session, const struct call *call, struct record *io, size_t n, GError **error);
} watched;

static void rewrite(struct scene *scene, int keys)
{
    for (int i = 0; i < keys; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        g_autofree char *json = g_strdup_printf("{\"n\":%d,\"live\":1}", i);
        scene_put(scene, "items", key, json);
    }
}

static void on_point(void *self, const char *name)
{
    if (strcmp(name, "scan.before") == 0)
        watched.reads = true;
    if (strcmp(name, "scan.after") == 0)
        watched.reads = false;
    if (strcmp(name, "log.before") == 0)
        watched.logs = true;
    if (strcmp(name, "log.after") == 0)
        watched.logs = false;
    if (watched.came || !watched.row->rewrites || strcmp(name, watched.row->rewrites) != 0)
        return;
    watched.came = true;
    bool reads = watched.reads;
    watched.reads = false;
    rewrite(watched.scene, watched.row->keys);
    watched.reads = reads;
}

static bool is_faulty(const struct record *record)
{
    g_autofree char *first_right = g_strdup_printf("k%02d", watched.row->faulty);
    return record->presence == RECORD_PRESENT && slice_compare(record->key, slice_of_text(first_right)) < 0;
}

static void swap(struct record *io, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2) {
        struct slice raw = io[i].raw;
        if (!is_faulty(&io[i]) || !is_faulty(&io[i + 1]))
            continue;
        io[i].raw = io[i + 1].raw;
        io[i + 1].raw = raw;
    }
}

static void put_back(struct record *io, size_t n, struct arena *mem)
{
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GBytes) key = g_bytes_new(io[i].key.data, io[i].key.len);
        GBytes *raw = g_hash_table_lookup(watched.first, key);
        gsize len;
        if (!raw || !is_faulty(&io[i]))
            continue;
        const void *bytes = g_bytes_get_data(raw, &len);
        assert_true(arena_copy(mem, slice_of(bytes, len), &io[i].raw));
    }
}

static void note_first(const struct record *io, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        GBytes *key = g_bytes_new(io[i].key.data, io[i].key.len);
        if (io[i].presence != RECORD_PRESENT || g_hash_table_contains(watched.first, key))
            g_bytes_unref(key);
        else
            g_hash_table_insert(watched.first, key, g_bytes_new(io[i].raw.data, io[i].raw.len));
    }
}

static bool read_wrong(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    if (!watched.really(session, call, io, n, error))
        return false;
    note_first(io, n);
    if (watched.reads && watched.row->fault == READ_SWAPPED)
        swap(io, n);
    else if (watched.reads && watched.row->fault == READ_STALE)
        put_back(io, n, call->mem);
    return true;
}

static void begin(struct scene *scene, const struct row *row)
{
    scene_init(scene, SAME_DATASET STAGE, SAME_OF_ALL);
    for (int i = 0; i < KEYS; i++) {
        g_autofree char *key = g_strdup_printf("k%02d", i);
        g_autofree char *json = g_strdup_printf("{\"n\":%d}", i);
        scene_put(scene, "items", key, json);
    }
    watched.row = row;
    watched.scene = scene;
    watched.came = watched.reads = watched.logs = false;
    watched.asked = 0;
    watched.first = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref,
                                          (GDestroyNotify)g_bytes_unref);
    watched.really = scene->faulty_mem.table.read;
    scene->full = true;
    scene->faulty_mem.table.read = read_wrong;
    scene->fake.world.point = on_point;
}

static void done(struct scene *scene)
{
    g_hash_table_unref(watched.first);
    scene_done(scene);
}

#define AGREE  " of 60 pre-images sampled before the first write agree with the undo log"
#define BEFORE ", 40 of them as the application changed them before their write"
#define WRONG  " are not what stood there right before their write"

static const struct row ROWS[] = {
    {NULL, 0, READ_RIGHT, 0, 0, "; 60" AGREE ";"},
    /* between the sample and the run's read, */
    {"scan.before", MANY, READ_RIGHT, 0, 0, "; 60" AGREE BEFORE ";"},
    /* between its read and its write, which is refused: it reads again, and so does the verifier */
    {"log.before", 4, READ_RIGHT, 0, 0, "; 60" AGREE ", 4 of them as"},
    {"cas.before", 4, READ_RIGHT, 0, 0, "; 60" AGREE ", 4 of them as"},
    {NULL, 0, READ_SWAPPED, KEYS, 4, "; 0" AGREE ", 60" WRONG},
    {"scan.before", MANY, READ_SWAPPED, KEYS, 4, "; 0" AGREE ", 60" WRONG},
    {"scan.before", MANY, READ_STALE, KEYS, 4, "; 20" AGREE ", 40" WRONG},
    {"scan.before", KEYS, READ_SWAPPED, 4, 4,
     "; 56" AGREE ", 56 of them as the application changed them before their write, 4" WRONG},
    /* told, and too few for anything but records that came back to what they were */
    {NULL, 0, READ_SWAPPED, 2, 0, "; 58" AGREE ", 2" WRONG},
};

static void a_log_passes_where_it_is_right_however_much_the_application_writes(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct scene scene;
        struct ended ended;
        struct verify_result result;
        begin(&scene, &ROWS[i]);
        scene_run(&scene, &ended);
        scene_verify(&scene, &result);
        if (ended.by_error || ended.status != ROWS[i].status || result.pass != (ROWS[i].status == 0) ||
            !strstr(result.sentence, ROWS[i].words))
            fail_msg("row %zu: %d, %s: %s", i, ended.status, ended.text, result.sentence);
        ended_done(&ended);
        verify_result_done(&result);
        done(&scene);
    }
}

/* --- what was seen, and lost ------------------------------------------------------------------------------------- */

static char *sample_path(const struct scene *scene)
{
    return g_build_filename(scene->home, "reports", "job.1", "sample.0", NULL);
}

/* `left`: so many bytes of what was seen right before the writes; none of them is of a home of an earlier version. */
static void lose_glances(const struct scene *scene, gsize sampled, gsize left)
{
    g_autofree char *path = sample_path(scene), *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    assert_true(len > sampled + left);
    assert_true(g_file_set_contents(path, bytes, (gssize)(sampled + left), NULL));
}

static gsize size_of(const struct scene *scene)
{
    g_autofree char *path = sample_path(scene), *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    return len;
}

static const struct row BUSY = {"scan.before", MANY, READ_RIGHT, 0, 0, ""};
static const struct row BUSY_EVERYWHERE = {"scan.before", KEYS, READ_RIGHT, 0, 0, ""};

/* All are written, the application was busy behind the sample, and the process dies before the gate. *ret_sampled: what
 * the file held before the first write. */
static void written_and_died(struct scene *scene, const struct row *row, gsize *ret_sampled)
{
    struct process process;
    begin(scene, row);
    process_first(&process, scene);
    *ret_sampled = size_of(scene);
    process_end(&process);
    process_die(&process);
}

static void ends(struct scene *scene, int status, const char *words)
{
    struct ended ended;
    struct verify_result result;
    scene_run(scene, &ended);
    scene_verify(scene, &result);
    if (ended.by_error || ended.status != status || result.pass != (status == 0) || !strstr(result.sentence, words))
        fail_msg("%d, %s: %s", ended.status, ended.text, result.sentence);
    ended_done(&ended);
    verify_result_done(&result);
}

static void what_was_seen_outlives_the_process_that_saw_it(void **state)
{
    struct scene scene;
    gsize sampled;
    written_and_died(&scene, &BUSY, &sampled);
    ends(&scene, 0, "; 60" AGREE BEFORE ";");
    done(&scene);
}

/* A torn end, and nothing at all: it is told, and where most are not comparable the gate does not pass. */
static void what_was_seen_and_is_lost_cannot_be_compared(void **state)
{
    struct scene scene;
    gsize sampled, all;
    written_and_died(&scene, &BUSY_EVERYWHERE, &sampled);
    all = size_of(&scene);
    lose_glances(&scene, sampled, all - sampled - 1);
    ends(&scene, 0, ", 56 of them as the application changed them before their write, 4 are not comparable");
    done(&scene);
    written_and_died(&scene, &BUSY, &sampled);
    lose_glances(&scene, sampled, 0);
    ends(&scene, 4, "; 20" AGREE ", 40 are not comparable");
    ends(&scene, 4, "; 20" AGREE ", 40 are not comparable");
    /* the way on: taken back, and run anew */
    scene_taken_back(&scene, 0);
    scene_holds(&scene, "items", "k00", "{\"n\":0,\"live\":1}");
    scene.run = "job.2";
    ends(&scene, 0, "; 60" AGREE);
    scene_holds(&scene, "items", "k00", "{\"done\":true}");
    done(&scene);
}

/* A batch of the first lane, a batch of the second, behind a torn end. */
static void a_resume_goes_on_behind_what_verifies(void **state)
{
    struct scene scene;
    struct process process;
    begin(&scene, &BUSY_EVERYWHERE);
    process_first(&process, &scene);
    gsize sampled = size_of(&scene);
    process_until(&process, 0, OP_CHECKPOINT);
    process_step(&process, 0);
    process_die(&process);
    gsize all = size_of(&scene);
    lose_glances(&scene, sampled, all - sampled - 1);
    ends(&scene, 0, ", 56 of them as the application changed them before their write, 4 are not comparable");
    done(&scene);
}

/* --- nobody could look -------------------------------------------------------------------------------------------- */

static bool read_none(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    watched.asked += watched.logs;
    return watched.logs ? error_set(error, SLUICE_ERROR_UNREACHABLE, "it does not answer")
                        : watched.really(session, call, io, n, error);
}

static void a_look_that_the_store_does_not_answer_stops_nobody(void **state)
{
    static const struct row QUIET = {NULL, 0, READ_RIGHT, 0, 0, ""};
    static const struct row SOME = {"scan.before", 8, READ_RIGHT, 0, 0, ""};
    static const struct {
        const struct row *row;
        const char *words;
    } ROWS_OF[] = {{&QUIET, "; 60" AGREE ";"}, {&SOME, "; 52" AGREE ", 8 are not comparable"}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS_OF); i++) {
        struct scene scene;
        begin(&scene, ROWS_OF[i].row);
        scene.faulty_mem.table.read = read_none;
        ends(&scene, 0, ROWS_OF[i].words);
        assert_true(watched.asked > 0);
        done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_passes_where_it_is_right_however_much_the_application_writes),
        cmocka_unit_test(what_was_seen_outlives_the_process_that_saw_it),
        cmocka_unit_test(what_was_seen_and_is_lost_cannot_be_compared),
        cmocka_unit_test(a_resume_goes_on_behind_what_verifies),
        cmocka_unit_test(a_look_that_the_store_does_not_answer_stops_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
