/* Servers that lose what a checkpoint counts, and say that they are others than before. */
#include "interleavings/lossy.h"

/* What stands in the target is no record any more. */
static bool (*reads_well)(struct session *, const struct call *, struct record *, size_t, GError **);

static bool reads_nothing(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    bool ok = reads_well(session, call, io, n, error);
    for (size_t i = 0; ok && i < n; i++) {
        io[i].presence = RECORD_FAULT;
        io[i].fault = (struct fault){.code = SLUICE_ERROR_BAD_RECORD, .text = "a list"};
    }
    return ok;
}

static void what_was_lost_behind_its_checkpoint_is_done_again_when_the_run_is_taken_up(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    all_written(&lossy);
    lose(&lossy, 1);
    lose(&lossy, 6);
    scene_ran(&lossy.scene, 0);
    ends_well(&lossy);
}

static void what_is_lost_while_its_gate_judges_is_done_again_before_it_passes(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    lossy.at = "stage.moved";
    lossy.nth = 2; /* running, verifying */
    lossy.key = "k2";
    lossy.json = "{\"n\":2,\"times\":0}";
    scene_ran(&lossy.scene, 0);
    assert_null(lossy.at);
    ends_well(&lossy);
}

static void what_a_stage_that_passed_has_lost_is_done_again_and_verified(void **state)
{
    for (int key = 0; key < KEYS; key++) {
        struct lossy lossy;
        char text[2][32];
        text_of(text, key, 0);
        begin_with(&lossy, STAGED);
        for (int i = 0; i < KEYS; i++) {
            char put[2][32];
            text_of(put, i, 0);
            scene_put(&lossy.scene, "items", put[0], put[1]);
        }
        lossy.at = "stage.moved";
        lossy.nth = 4; /* the canary's three, then the next one runs */
        lossy.key = text[0];
        lossy.json = text[1];
        scene_ran(&lossy.scene, 0);
        assert_null(lossy.at);
        ends_well(&lossy);
    }
}

static void what_the_application_wrote_since_is_in_doubt_and_left_as_it_is(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    all_written(&lossy);
    scene_put(&lossy.scene, "items", "k3", "{\"n\":33,\"times\":5}");
    lose(&lossy, 1);
    struct process process;
    size_t lost;
    GError *error = NULL;
    process_begin(&process, &lossy.scene, JOB_FORWARD);
    kit_ok(again_look(process.hold, PARTS_FORWARD, &lost, &error));
    assert_int_equal(lost, 2);
    process_die(&process);
    process_whole(&lossy.scene, JOB_FORWARD);
    scene_holds(&lossy.scene, "items", "k1", "{\"n\":1,\"times\":1}");
    scene_holds(&lossy.scene, "items", "k3", "{\"n\":33,\"times\":5}");
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_IN_DOUBT), 1);
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_WRITTEN), KEYS - 1);
    assert_true(scene_notes(&lossy.scene, "k3", SLUICE_ERROR_IN_DOUBT));
    scene_reconciles(&lossy.scene);
    scene_done(&lossy.scene);
}

static void a_server_that_has_all_of_it_is_not_asked_again(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    all_written(&lossy);
    scene_put(&lossy.scene, "items", "k3", "{\"n\":33,\"times\":5}");
    memcpy(lossy.history, "a1", sizeof lossy.history);
    struct process process;
    size_t lost;
    GError *error = NULL;
    process_begin(&process, &lossy.scene, JOB_FORWARD);
    kit_ok(again_look(process.hold, PARTS_FORWARD, &lost, &error));
    assert_int_equal(lost, 0);
    process_die(&process);
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_IN_DOUBT), 0);
    scene_done(&lossy.scene);
}

static void a_server_that_is_replaced_between_a_write_and_its_checkpoint_counts_nothing(void **state)
{
    struct lossy lossy;
    struct process process;
    begin(&lossy);
    process_first(&process, &lossy.scene);
    process_until(&process, 0, OP_SETTLE);
    replace(&lossy);
    process_step(&process, 0);
    assert_int_equal(process_wish(&process, 0)->kind, OP_GRANT);
    process_done(&process);
    scene_ran(&lossy.scene, 0);
    ends_well(&lossy);
}

/* As of a cluster: whoever is granted a partition knows a key of it. */
static bool ranks_alike(const struct dataset *ds, const struct slice *keys, size_t n, uint16_t *ret, GError **error)
{
    memset(ret, 0, n * sizeof *ret);
    return true;
}

static bool of_one_slot(struct session *session, const struct dataset *ds, struct slice key, uint32_t *ret,
                        GError **error)
{
    *ret = 0;
    return true;
}

static bool tells_its_number(struct session *session, const struct call *call, const struct lane *lane,
                             struct fence *ret, GError **error)
{
    struct lossy *lossy = lossy_of(session);
    g_string_append_printf(lossy->asked_of, "%u", lane->lane);
    return lossy->lane_open(session, call, lane, ret, error);
}

/* Of a later one's partition something was written, and may be lost, on whichever. */
static void before_a_first_lane_a_key_s_server_is_asked_and_before_a_later_one_all_are(void **state)
{
    struct lossy lossy;
    struct process process;
    g_autoptr(GString) asked_of = g_string_new(NULL);
    begin(&lossy);
    struct list_ops list = *lossy.scene.faulty_mem.table.list;
    struct slot_ops slots = {.count = 1, .of = of_one_slot};
    list.rank = ranks_alike;
    lossy.scene.faulty_mem.table.list = &list;
    lossy.scene.faulty_mem.table.slots = &slots;
    lossy.asked_of = asked_of;
    lossy.lane_open = lossy.scene.faulty_mem.write.lane_open;
    lossy.scene.faulty_mem.write.lane_open = tells_its_number;
    process_first(&process, &lossy.scene);
    process_until(&process, 0, OP_SETTLE);
    replace(&lossy);
    process_done(&process);
    scene_ran(&lossy.scene, 0);
    assert_true(g_str_has_prefix(asked_of->str, "k1k"));
    assert_non_null(strstr(asked_of->str, "a2a"));
    for (const char *lane = asked_of->str; *lane; lane += 3)
        if (!g_str_has_prefix(lane, "k1k") && !g_str_has_prefix(lane, "a2a"))
            fail_msg("%s", asked_of->str);
    ends_well(&lossy);
}

static void a_rollback_that_a_server_forgot_is_done_again(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    scene_ran(&lossy.scene, 0);
    process_whole(&lossy.scene, JOB_BACK);
    each_is(&lossy, 0);
    scene_put(&lossy.scene, "items", "k4", "{\"n\":4,\"times\":1}");
    replace(&lossy);
    scene_taken_back(&lossy.scene, 0);
    each_is(&lossy, 0);
    scene_reconciles(&lossy.scene);
    scene_done(&lossy.scene);
}

/* What stands there is not what the run left, whoever put it there. */
static void a_rollback_leaves_and_lists_what_a_server_forgot_before_it(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    scene_ran(&lossy.scene, 0);
    lose(&lossy, 5);
    scene_taken_back(&lossy.scene, 8);
    assert_true(scene_notes(&lossy.scene, "k5", SLUICE_ERROR_LEFT));
    each_is(&lossy, 0);
    scene_done(&lossy.scene);
}

/* Whether what the rollback had put back there was lost, or written over, nobody knows: it stays, and is listed. */
static void what_the_application_wrote_over_a_rollback_that_was_forgotten_is_left(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    scene_ran(&lossy.scene, 0);
    process_whole(&lossy.scene, JOB_BACK);
    scene_put(&lossy.scene, "items", "k4", "{\"n\":44,\"times\":5}");
    replace(&lossy);
    scene_taken_back(&lossy.scene, 8);
    scene_holds(&lossy.scene, "items", "k4", "{\"n\":44,\"times\":5}");
    scene_holds(&lossy.scene, "items", "k5", "{\"n\":5,\"times\":0}");
    assert_true(scene_notes(&lossy.scene, "k4", SLUICE_ERROR_LEFT));
    scene_done(&lossy.scene);
}

/* --- the fence tells ---------------------------------------------------------------------------------------------- */

/* Written, then the application writes k3 and the server is another one; what the fence says of k3 decides. */
static void told(struct lossy *lossy, const char *live)
{
    struct process process;
    size_t lost;
    GError *error = NULL;
    all_written(lossy);
    if (live)
        scene_put(&lossy->scene, "items", "k3", live);
    else
        scene_remove(&lossy->scene, "items", "k3");
    replace(lossy);
    process_begin(&process, &lossy->scene, JOB_FORWARD);
    kit_ok(again_look(process.hold, PARTS_FORWARD, &lost, &error));
    process_die(&process);
    process_whole(&lossy->scene, JOB_FORWARD);
    assert_int_equal(lossy->asked, KEYS);
    scene_reconciles(&lossy->scene);
}

static void what_the_fence_has_stands_whatever_the_application_wrote_since(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    lossy.says_yes = "k3";
    told(&lossy, "{\"n\":33,\"times\":5}");
    scene_holds(&lossy.scene, "items", "k3", "{\"n\":33,\"times\":5}");
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_IN_DOUBT), 0);
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_WRITTEN), KEYS);
    scene_done(&lossy.scene);
}

static void what_the_fence_lacks_is_done_again_upon_what_the_application_wrote_since(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    lossy.says_no = "k3";
    told(&lossy, "{\"n\":33,\"times\":5}");
    scene_holds(&lossy.scene, "items", "k3", "{\"n\":33,\"times\":6}");
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_IN_DOUBT), 0);
    scene_taken_back(&lossy.scene, 0);
    scene_holds(&lossy.scene, "items", "k3", "{\"n\":33,\"times\":5}");
    scene_done(&lossy.scene);
}

static void what_the_fence_lacks_and_yet_stands_is_not_done_twice(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    lossy.says_no = "k3";
    told(&lossy, "{\"n\":3,\"times\":1}");
    each_is(&lossy, 1);
    scene_taken_back(&lossy.scene, 0);
    each_is(&lossy, 0);
    scene_done(&lossy.scene);
}

static void what_was_deleted_is_not_brought_back(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    lossy.says_no = "k3";
    told(&lossy, NULL);
    scene_holds(&lossy.scene, "items", "k3", NULL);
    scene_done(&lossy.scene);
}

/* Without a fence nobody knows whether it was lost or deleted. */
static void what_is_absent_and_had_stood_before_is_in_doubt_where_the_fence_is_lost(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    told(&lossy, NULL);
    scene_holds(&lossy.scene, "items", "k3", NULL);
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_IN_DOUBT), 1);
    assert_true(scene_notes(&lossy.scene, "k3", SLUICE_ERROR_IN_DOUBT));
    scene_done(&lossy.scene);
}

/* Between the look that took checkpoints back and the moment at which its fences are asked. */
static const struct meanwhile {
    const char *where, *asked; /* what the servers say then, and what is asked */
    bool back;                 /* the first server is there again */
    enum error_code fails;     /* so does the look; 0: it does not */
} MEANWHILE[] = {
    {NULL, "there"},
    {"beyond", "there;beyond"},
    {NULL, "there", .back = true},
    {NULL, "there", .fails = SLUICE_ERROR_UNREACHABLE},
    {NULL, "there", .fails = SLUICE_ERROR_STORE},
};

/* All is written, and a record lost; a process that goes on has looked, and taken its checkpoints back. */
static void lost_and_looked(struct lossy *lossy, struct process *process, int i)
{
    size_t lost;
    GError *error = NULL;
    begin(lossy);
    all_written(lossy);
    lose(lossy, i);
    process_begin(process, &lossy->scene, JOB_FORWARD);
    kit_ok(again_look(process->hold, PARTS_FORWARD, &lost, &error));
}

static void what_is_lost_meanwhile_is_asked_for_as_well(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(MEANWHILE); i++) {
        const struct meanwhile *row = &MEANWHILE[i];
        struct lossy lossy;
        struct process process;
        lost_and_looked(&lossy, &process, 1);
        process_until(&process, 0, OP_STANDS);
        lossy.where = row->where;
        lossy.asked_where = row->asked;
        lossy.history[0] = row->back ? 'a' : lossy.history[0];
        lossy.fails = row->fails ? 1 : 0;
        lossy.fails_with = row->fails;
        if (row->fails == SLUICE_ERROR_STORE) {
            process_fails(&process, 0, STORE);
            process_die(&process);
            process_whole(&lossy.scene, JOB_FORWARD);
        } else
            process_done(&process);
        if (lossy.asked < KEYS)
            fail_msg("row %zu: asked of %d writes", i, lossy.asked);
        lossy.where = lossy.asked_where = NULL;
        scene_ran(&lossy.scene, 0);
        ends_well(&lossy);
    }
}

/* The n-th of what is noted of servers while a lane is opened is behind its opening. */
static bool replaces_at_open(struct session *session, const struct call *call, const struct lane *lane,
                             struct fence *ret, GError **error)
{
    struct lossy *lossy = lossy_of(session);
    bool ok = lossy->lane_open(session, call, lane, ret, error);
    if (ok && lossy->opens-- == 1)
        replace(lossy);
    lossy->note_fails = ok && lossy->opens == 0 && lossy->fails_with;
    return ok;
}

static void a_lane_that_is_opened_as_its_server_is_replaced_is_opened_once_more(void **state)
{
    static const enum error_code FAILS[] = {0, SLUICE_ERROR_STORE};
    for (size_t i = 0; i < G_N_ELEMENTS(FAILS); i++) {
        struct lossy lossy;
        struct ended ended;
        begin(&lossy);
        lossy.lane_open = lossy.scene.faulty_mem.write.lane_open;
        lossy.scene.faulty_mem.write.lane_open = replaces_at_open;
        lossy.opens = 1;
        lossy.fails_with = FAILS[i];
        scene_run(&lossy.scene, &ended);
        if (ended.status != (FAILS[i] ? 6 : 0))
            fail_msg("row %zu ended with %d: %s", i, ended.status, ended.text);
        ended_done(&ended);
        lossy.fails_with = 0;
        scene_ran(&lossy.scene, 0);
        ends_well(&lossy);
    }
}

static void the_log_ends_amid_its_last_block(struct scene *scene)
{
    g_autofree char *path = g_build_filename(scene->home, "undo", "job.1", "000001.undo", NULL);
    g_autofree char *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    assert_true(g_file_set_contents(path, bytes, (gssize)len - 9, NULL));
}

/* Two writes of one key, the second upon the first; then the server is another one, and `live` stands there. */
static void two_writes(struct lossy *lossy, const char *lines, const char *live, bool unread, uint64_t no_from)
{
    struct process process;
    size_t lost;
    GError *error = NULL;
    begin_with(lossy, ALL_STATES "transform: { lua: t.lua }\n");
    scene_file(&lossy->scene, "t.lua",
               "function transform(doc, ctx)\n  if doc.gone then return ctx.delete() end\n  return doc\nend\n");
    scene_file(&lossy->scene, "in/a.ndjson", lines);
    scene_put(&lossy->scene, "items", "k", "{\"id\":\"k\",\"at\":0}");
    all_written(lossy);
    if (live)
        scene_put(&lossy->scene, "items", "k", live);
    else
        scene_remove(&lossy->scene, "items", "k");
    lossy->no_from = no_from;
    lossy->says_yes = no_from ? "k" : NULL;
    replace(lossy);
    process_begin(&process, &lossy->scene, JOB_FORWARD);
    kit_ok(again_look(process.hold, PARTS_FORWARD, &lost, &error));
    process_die(&process);
    bool (*read)(struct session *, const struct call *, struct record *, size_t, GError **) =
        lossy->scene.faulty_mem.table.read;
    reads_well = read;
    if (unread)
        lossy->scene.faulty_mem.table.read = reads_nothing;
    process_whole(&lossy->scene, JOB_FORWARD);
    lossy->scene.faulty_mem.table.read = read;
}

static void of_two_writes_of_a_key_the_record_and_the_fence_tell_what_stands(void **state)
{
#define K(at) "{\"id\":\"k\",\"at\":" #at "}"
    static const char TWICE[] = K(1) "\n" K(2) "\n", DELETED[] = K(1) "\n{\"id\":\"k\",\"at\":2,\"gone\":true}\n";
    static const struct {
        const char *lines, *live, *stands;
        uint64_t no_from; /* from which number on the fence has none; 0: it is lost */
        bool unread;      /* nobody can read what stands there now */
        bool doubt;
    } ROWS[] = {
        {TWICE, K(2), K(2), 0, false, false},
        {TWICE, K(1), K(1), 0, false, true}, /* the second is lost, or the application has put that there */
        {TWICE, K(0), K(2), 0, false, false},
        {TWICE, K(7), K(7), 0, false, false}, /* versions decide */
        {TWICE, NULL, NULL, 0, false, true},
        {TWICE, K(1), K(2), 2, false, false},
        {TWICE, NULL, K(2), 3, false, false}, /* the fence has the first, which the application deleted */
        {TWICE, K(7), K(7), 3, false, false},
        {TWICE, K(1), K(1), 1, true, true},
        {DELETED, NULL, NULL, 0, false, false},
        {DELETED, K(7), K(7), 0, true, true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct lossy lossy;
        two_writes(&lossy, ROWS[i].lines, ROWS[i].live, ROWS[i].unread, ROWS[i].no_from);
        g_autofree char *json = scene_json(&lossy.scene, "items", "k", &(int64_t){0});
        if (g_strcmp0(json, ROWS[i].stands) != 0 ||
            scene_notes(&lossy.scene, "k", SLUICE_ERROR_IN_DOUBT) != ROWS[i].doubt)
            fail_msg("row %zu: %s", i, json ? json : "nothing stands");
        scene_done(&lossy.scene);
    }
}

static bool reads_one(struct session *session, const struct call *call, struct record *io, size_t n, GError **error)
{
    return n == 1 ? reads_well(session, call, io, n, error)
                  : error_set(error, SLUICE_ERROR_TOO_BIG, "they do not fit into memory together");
}

/* Records of which no two fit into memory: what stands is looked at one by one. */
static void what_does_not_fit_into_memory_is_looked_at_one_by_one(void **state)
{
    struct lossy lossy;
    struct process process;
    lost_and_looked(&lossy, &process, 3);
    process_die(&process);
    reads_well = lossy.scene.faulty_mem.table.read;
    lossy.scene.faulty_mem.table.read = reads_one;
    process_whole(&lossy.scene, JOB_FORWARD);
    lossy.scene.faulty_mem.table.read = reads_well;
    ends_well(&lossy);
}

/* Of a rollback nobody has a version: it is in doubt. */
static void what_a_rollback_wrote_and_is_neither_is_left(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    scene_ran(&lossy.scene, 0);
    process_whole(&lossy.scene, JOB_BACK);
    scene_put(&lossy.scene, "items", "k4", "{\"mine\":true}");
    replace(&lossy);
    scene_taken_back(&lossy.scene, 8);
    scene_holds(&lossy.scene, "items", "k4", "{\"mine\":true}");
    scene_done(&lossy.scene);
}

/* Power and servers go at one moment, behind a checkpoint: of k0 a server knows, of k1 the record tells. Both are
 * written into the log, for a rollback goes by it. */
static void what_is_learnt_of_writes_whose_outcomes_are_lost_is_taken_back_too(void **state)
{
    struct lossy lossy;
    struct process process;
    size_t lost;
    GError *error = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    begin(&lossy);
    scene_plan(&lossy.scene);
    process_begin_small(&process, &lossy.scene, JOB_FORWARD, 2);
    process_until(&process, 0, OP_CHECKPOINT);
    process_step(&process, 0);
    process_die(&process);
    the_log_ends_amid_its_last_block(&lossy.scene);
    scene_drop_fences(&lossy.scene, scene_row(&lossy.scene, mem).uid);
    lossy.says_yes = "k0";
    replace(&lossy);
    process_begin(&process, &lossy.scene, JOB_FORWARD);
    kit_ok(again_look(process.hold, PARTS_FORWARD, &lost, &error));
    process_die(&process);
    process_whole(&lossy.scene, JOB_FORWARD);
    assert_int_equal(lossy.asked, 2);
    ends_well(&lossy);
}

/* After every number of steps of doing it again. */
static void who_dies_while_it_is_done_again_does_not_do_it_twice(void **state)
{
    bool over = false;
    for (int steps = 0; !over; steps++) {
        struct lossy lossy;
        struct process process;
        size_t lost;
        GError *error = NULL;
        begin(&lossy);
        all_written(&lossy);
        lose(&lossy, 1);
        lose(&lossy, 2);
        process_begin(&process, &lossy.scene, JOB_FORWARD);
        kit_ok(again_look(process.hold, PARTS_FORWARD, &lost, &error));
        assert_int_equal(lost, 2);
        for (int i = 0; i < steps && !over; i++) {
            over = process_wish(&process, 0)->kind == OP_END;
            if (!over)
                process_step(&process, 0);
        }
        process_die(&process);
        if (steps % 2)
            replace(&lossy); /* and the next server has got all of it */
        scene_ran(&lossy.scene, 0);
        ends_well(&lossy);
        assert_true(steps < 200);
    }
}

static void made(struct lossy *lossy, const char *says_no)
{
    begin_with(lossy, OVERWRITE);
    lossy->says_no = says_no;
    scene_put(&lossy->scene, "origin", "made", "{\"n\":1,\"times\":0}");
    scene_put(&lossy->scene, "origin", "over", "{\"n\":2,\"times\":0}");
    scene_put(&lossy->scene, "items", "over", "{\"n\":9,\"times\":9}");
    all_written(lossy);
    scene_remove(&lossy->scene, "items", "made");
    scene_put(&lossy->scene, "items", "over", "{\"n\":9,\"times\":9}");
    replace(lossy);
    struct process process;
    size_t lost;
    GError *error = NULL;
    process_begin(&process, &lossy->scene, JOB_FORWARD);
    kit_ok(again_look(process.hold, PARTS_FORWARD, &lost, &error));
    process_die(&process);
    process_whole(&lossy->scene, JOB_FORWARD);
    scene_holds(&lossy->scene, "items", "over", "{\"n\":2,\"times\":1}");
}

static void of_a_record_that_was_made_nobody_knows_whether_it_was_lost_or_deleted(void **state)
{
    struct lossy lossy;
    made(&lossy, NULL);
    scene_holds(&lossy.scene, "items", "made", NULL);
    assert_true(scene_notes(&lossy.scene, "made", SLUICE_ERROR_IN_DOUBT));
    scene_taken_back(&lossy.scene, 8);
    scene_holds(&lossy.scene, "items", "over", "{\"n\":9,\"times\":9}");
    scene_done(&lossy.scene);
}

static void a_record_that_was_made_is_made_again_where_the_fence_knows_that_it_was_lost(void **state)
{
    struct lossy lossy;
    made(&lossy, "made");
    scene_holds(&lossy.scene, "items", "made", "{\"n\":1,\"times\":1}");
    scene_taken_back(&lossy.scene, 0);
    scene_holds(&lossy.scene, "items", "made", NULL);
    scene_holds(&lossy.scene, "items", "over", "{\"n\":9,\"times\":9}");
    scene_done(&lossy.scene);
}

#define SHADOWED                                                                                                       \
    "sluice: 1\nname: job\nsource: { store: \"mem:s\", dataset: items }\ntransform: { lua: t.lua }\n"                  \
    "target: { store: \"mem:s\", dataset: items, write: shadow }\npartitions: { size: 4 }\nworkers: 1\n"               \
    "stages: [{ name: full, scope: \"100%\" }]\n"

static void promote(struct scene *scene, struct ended *ret)
{
    GError *error = NULL;
    struct run_result result = {0};
    struct store_registry *registry = store_registry_new(&scene->fake.world, scene->ours);
    struct run_config config = scene_config(scene, registry);
    bool ok = run_promote(&config, scene->run, &result, &error);
    *ret = (struct ended){.status = ok ? result.exit_status : error_exit_status(error),
                          .text = g_strdup(ok ? result.text : error->message)};
    run_result_done(&result);
    g_clear_error(&error);
    store_registry_free(registry);
}

/* Behind its shadow's drop nothing could bring the new record back. */
static void what_a_promotion_lost_is_promoted_again_before_its_shadow_is_dropped(void **state)
{
    struct lossy lossy;
    begin_spec(&lossy, SHADOWED);
    scene_ran(&lossy.scene, 3);
    each_is(&lossy, 0);
    lossy.at = "checkpoint.after";
    lossy.nth = 1;
    lossy.key = "k1";
    lossy.json = "{\"n\":1,\"times\":0}";
    scene_ran_at(&lossy.scene, promote, 0, __FILE__, __LINE__);
    assert_null(lossy.at);
    each_is(&lossy, 1);
    assert_int_equal(scene_count(&lossy.scene, OUTCOME_PROMOTED), KEYS);
    scene_taken_back(&lossy.scene, 0);
    each_is(&lossy, 0);
    scene_done(&lossy.scene);
}

/* Whether its servers have all of the shadow cannot be told. */
static void nothing_goes_live_of_a_shadow_of_which_nobody_knows_whether_it_is_whole(void **state)
{
    struct lossy lossy;
    begin_spec(&lossy, SHADOWED);
    scene_ran(&lossy.scene, 3);
    lossy.fails = 1;
    lossy.fails_with = SLUICE_ERROR_STORE;
    scene_ran_at(&lossy.scene, promote, 6, __FILE__, __LINE__);
    assert_int_equal(lossy.fails, 0);
    each_is(&lossy, 0);
    scene_ran_at(&lossy.scene, promote, 0, __FILE__, __LINE__);
    each_is(&lossy, 1);
    scene_done(&lossy.scene);
}

/* Written by a sluice, or to a store, that kept no conditions: nothing tells that it was lost, but for the gate. */
static void checkpoints_without_conditions_are_told_by_the_gate_alone(void **state)
{
    struct lossy lossy;
    begin(&lossy);
    lossy.scene.faulty_mem.table.history = NULL;
    all_written(&lossy);
    lossy.scene.faulty_mem.table.history = &HISTORY;
    lose(&lossy, 1);
    scene_ran(&lossy.scene, 4);
    scene_taken_back(&lossy.scene, 8);
    each_is(&lossy, 0);
    scene_done(&lossy.scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_lost_behind_its_checkpoint_is_done_again_when_the_run_is_taken_up),
        cmocka_unit_test(what_is_lost_while_its_gate_judges_is_done_again_before_it_passes),
        cmocka_unit_test(what_a_stage_that_passed_has_lost_is_done_again_and_verified),
        cmocka_unit_test(what_the_application_wrote_since_is_in_doubt_and_left_as_it_is),
        cmocka_unit_test(a_server_that_has_all_of_it_is_not_asked_again),
        cmocka_unit_test(a_server_that_is_replaced_between_a_write_and_its_checkpoint_counts_nothing),
        cmocka_unit_test(before_a_first_lane_a_key_s_server_is_asked_and_before_a_later_one_all_are),
        cmocka_unit_test(a_rollback_that_a_server_forgot_is_done_again),
        cmocka_unit_test(a_rollback_leaves_and_lists_what_a_server_forgot_before_it),
        cmocka_unit_test(what_the_fence_has_stands_whatever_the_application_wrote_since),
        cmocka_unit_test(what_the_fence_lacks_is_done_again_upon_what_the_application_wrote_since),
        cmocka_unit_test(what_the_fence_lacks_and_yet_stands_is_not_done_twice),
        cmocka_unit_test(what_was_deleted_is_not_brought_back),
        cmocka_unit_test(what_is_absent_and_had_stood_before_is_in_doubt_where_the_fence_is_lost),
        cmocka_unit_test(of_two_writes_of_a_key_the_record_and_the_fence_tell_what_stands),
        cmocka_unit_test(what_does_not_fit_into_memory_is_looked_at_one_by_one),
        cmocka_unit_test(what_a_rollback_wrote_and_is_neither_is_left),
        cmocka_unit_test(what_is_learnt_of_writes_whose_outcomes_are_lost_is_taken_back_too),
        cmocka_unit_test(who_dies_while_it_is_done_again_does_not_do_it_twice),
        cmocka_unit_test(of_a_record_that_was_made_nobody_knows_whether_it_was_lost_or_deleted),
        cmocka_unit_test(a_record_that_was_made_is_made_again_where_the_fence_knows_that_it_was_lost),
        cmocka_unit_test(what_the_application_wrote_over_a_rollback_that_was_forgotten_is_left),
        cmocka_unit_test(what_is_lost_meanwhile_is_asked_for_as_well),
        cmocka_unit_test(a_lane_that_is_opened_as_its_server_is_replaced_is_opened_once_more),
        cmocka_unit_test(checkpoints_without_conditions_are_told_by_the_gate_alone),
        cmocka_unit_test(what_a_promotion_lost_is_promoted_again_before_its_shadow_is_dropped),
        cmocka_unit_test(nothing_goes_live_of_a_shadow_of_which_nobody_knows_whether_it_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
