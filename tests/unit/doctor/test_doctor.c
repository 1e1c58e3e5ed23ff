/* What the world is made to say: room and rights. Everything else is looked at from outside, by
 * tests/system/comfort.py. */
#include "kit/kit.h"

#include "base/file.h"
#include "doctor/doctor.h"
#include "doctor/look.h"
#include "store/calls.h"

struct stage {
    struct world world;
    struct world_files files;
    uint64_t free_bytes;
    const char *read_only; /* the end of a path that may not be written; NULL: none */
    char *spec, *home;
};

static int room(void *self, const char *path, struct world_room *ret)
{
    struct stage *stage = self;
    const struct world *real = world_real();
    if (real->files->room(real->files_self, path, ret) != 0)
        return -1;
    ret->free_bytes = stage->free_bytes;
    ret->writable = !stage->read_only || !g_str_has_suffix(path, stage->read_only);
    return 0;
}

static void put(const char *dir, const char *name, const char *text)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autofree char *folder = g_path_get_dirname(path);
    kit_ok(file_make_dirs(world_real(), folder, &error));
    kit_ok(file_replace_durable(world_real(), path, slice_of_text(text), &error));
}

static void begin(struct stage *stage, const char *dir)
{
    g_autoptr(GString) records = g_string_new(NULL);
    *stage = (struct stage){.world = *world_real(), .files = *world_real()->files, .free_bytes = UINT64_C(1) << 40};
    stage->files.room = room;
    stage->world.files = &stage->files;
    stage->world.files_self = stage; /* the real files do not look at it */
    for (int i = 0; i < 1000; i++)
        g_string_append_printf(records, "{\"id\":\"k%d\",\"n\":%d}\n", i, i);
    put(dir, "in/a.ndjson", records->str);
    put(dir, "data/here", "");
    put(dir, "job.yaml",
        "sluice: 1\nname: job\nsource: { store: \"file:in\", dataset: \"*.ndjson\", key: id }\n"
        "target: { store: \"rocksdb:data/live\", dataset: items }\n");
    put(dir, "home/x", "");
    stage->spec = g_build_filename(dir, "job.yaml", NULL);
    stage->home = g_build_filename(dir, "home", NULL);
}

static void end(struct stage *stage)
{
    g_free(stage->spec);
    g_free(stage->home);
}

/* Examines, and gives what was found by the check. */
static const struct doctor_finding *examine(struct stage *stage, const char *check, GArray **ret)
{
    auto_(store_registry) registry = store_registry_new(&stage->world, NULL);
    struct doctor_config config = {
        .world = &stage->world, .registry = registry, .home = stage->home, .spec_path = stage->spec};
    *ret = doctor_examine(&config);
    for (guint i = 0; i < (*ret)->len; i++)
        if (strcmp(g_array_index(*ret, struct doctor_finding, i).check, check) == 0)
            return &g_array_index(*ret, struct doctor_finding, i);
    fail_msg("no check is called %s", check);
    return NULL;
}

static void expect(struct stage *stage, const char *check, enum doctor_level level, int status)
{
    g_autoptr(GArray) findings = NULL;
    const struct doctor_finding *finding = examine(stage, check, &findings);
    if (finding->level != level)
        fail_msg("%s: %s %s", check, doctor_level_word(finding->level), finding->text);
    assert_true(*finding->text && *finding->words);
    assert_true(level == DOCTOR_OK || finding->todo);
    assert_int_equal(doctor_exit_status(findings), status);
}

static void room_for_the_undo_log_is_held_against_what_is_free(void **state)
{
    struct stage stage;
    begin(&stage, *state);
    expect(&stage, "space", DOCTOR_OK, 0);
    stage.free_bytes = 1000;
    expect(&stage, "space", DOCTOR_FAIL, 7);
    g_autoptr(GArray) findings = NULL;
    stage.free_bytes = UINT64_C(1) << 40;
    const struct doctor_finding *finding = examine(&stage, "space", &findings);
    assert_non_null(strstr(finding->text, "1.0 TiB"));
    end(&stage);
}

/* Between what is needed and its double there is a warning: found by halving. */
static void room_that_is_scarce_is_warned_of(void **state)
{
    struct stage stage;
    begin(&stage, *state);
    enum doctor_level level = DOCTOR_OK;
    for (stage.free_bytes = UINT64_C(1) << 30; level == DOCTOR_OK; stage.free_bytes /= 2) {
        g_autoptr(GArray) findings = NULL;
        level = examine(&stage, "space", &findings)->level;
    }
    assert_int_equal(level, DOCTOR_WARN);
    end(&stage);
}

static void what_may_not_be_written_fails(void **state)
{
    struct stage stage;
    begin(&stage, *state);
    stage.read_only = "/home";
    expect(&stage, "home", DOCTOR_FAIL, 7);
    stage.read_only = "/data"; /* in which the target would be made */
    expect(&stage, "target", DOCTOR_FAIL, 7);
    stage.read_only = "/in"; /* only read */
    expect(&stage, "source", DOCTOR_OK, 0);
    end(&stage);
}

static void a_promise_is_proposed_that_reads_as_one(void **state)
{
    static const struct {
        double middle_us, spread_us;
        const char *words;
    } ROWS[] = {
        {300, 30, "promise at least \"+15% or +0.1ms\", or look again when it is quieter"},
        {5000, 1234, "promise at least \"+38% or +1.9ms\", or look again when it is quieter"},
        {5000, 5, "promise at least \"+1% or +0.1ms\", or look again when it is quieter"},
        {290, 37431, "promise at least \"+57ms\": it is too noisy here for a share; or look again when it is quieter"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autofree char *words = look_live_floor(ROWS[i].middle_us, ROWS[i].spread_us);
        assert_string_equal(words, ROWS[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(room_for_the_undo_log_is_held_against_what_is_free, kit_dir_setup,
                                        kit_dir_teardown),
        cmocka_unit_test_setup_teardown(room_that_is_scarce_is_warned_of, kit_dir_setup, kit_dir_teardown),
        cmocka_unit_test_setup_teardown(what_may_not_be_written_fails, kit_dir_setup, kit_dir_teardown),
        cmocka_unit_test(a_promise_is_proposed_that_reads_as_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
