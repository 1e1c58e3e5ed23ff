/* Every kill point of src/undo, and what stands on disk when it is passed. A death is tried where a point is passed,
 * and one that is gone would be missed by no suite. */
#include "undo/chains_format.h"
#include "undo/manifest.h"
#include "unit/undo/chains_kit.h"

struct seen {
    struct logs *logs;
    GString *text;
    uint64_t bytes, synced; /* as it was at the point before */
};

static bool stands(const struct logs *logs, const char *name)
{
    g_autofree char *path = g_build_filename(logs->dir, name, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* Segments that are there, and what all of them hold. */
static unsigned segments(const struct logs *logs, uint64_t *ret_bytes)
{
    unsigned n = 0;
    *ret_bytes = 0;
    for (;; n++) {
        g_autofree char *path = logs_segment(logs, n + 1);
        if (!g_file_test(path, G_FILE_TEST_EXISTS))
            return n;
        g_autoptr(GByteArray) bytes = logs_bytes(path);
        *ret_bytes += bytes->len - UNDO_SEGMENT_BARE;
    }
}

static void on_point(void *self, const char *name)
{
    struct seen *seen = self;
    struct undo_manifest manifest;
    GError *error = NULL;
    uint64_t bytes;
    unsigned made = segments(seen->logs, &bytes), closed = 0;
    kit_ok(undo_manifest_read(&manifest, &seen->logs->config, &error));
    for (guint i = 0; i < manifest.segments->len; i++)
        closed += g_array_index(manifest.segments, struct undo_segment, i).bytes > 0;
    g_string_append_printf(seen->text, "%s: %u made, %u named, %u closed%s%s%s%s\n", name, made, manifest.segments->len,
                           closed, bytes > seen->bytes ? ", more is written" : "",
                           seen->logs->fake.synced > seen->synced ? ", synced" : "",
                           stands(seen->logs, UNDO_CHAINS_DRAFT) ? ", a draft of the chains" : "",
                           stands(seen->logs, UNDO_CHAINS_NAME) ? ", the chains" : "");
    undo_manifest_done(&manifest);
    seen->bytes = bytes;
    seen->synced = seen->logs->fake.synced;
}

/* The second batch is one too many for the first segment: the sync of that closes it. */
static const char AT_EACH[] = "undo.segment.made: 1 made, 0 named, 0 closed, synced\n"
                              "undo.segment.named: 1 made, 1 named, 0 closed, synced\n"
                              "undo.intents.appended: 1 made, 1 named, 0 closed, more is written\n"
                              "undo.intents.durable: 1 made, 1 named, 0 closed, synced\n"
                              "undo.outcomes.appended: 1 made, 1 named, 0 closed, more is written\n"
                              "undo.intents.appended: 1 made, 1 named, 0 closed, more is written\n"
                              "undo.segment.made: 2 made, 1 named, 0 closed, synced\n"
                              "undo.segment.named: 2 made, 2 named, 0 closed, synced\n"
                              "undo.segment.closed: 2 made, 2 named, 1 closed, synced\n"
                              "undo.intents.durable: 2 made, 2 named, 1 closed\n"
                              "undo.outcomes.appended: 2 made, 2 named, 1 closed, more is written\n"
                              "undo.chains.draft: 2 made, 2 named, 1 closed, synced, a draft of the chains\n"
                              "undo.chains.made: 2 made, 2 named, 1 closed, synced, the chains\n";

static void at_each_kill_point_stands_what_its_row_says(void **state)
{
    struct logs logs;
    struct seen seen = {.logs = &logs, .text = g_string_new(NULL)};
    logs_init(&logs, *state);
    logs.fake.world.point = on_point;
    logs.fake.world.point_self = &seen;
    logs.config.segment_bytes = 300;
    logs_open(&logs);
    logs_write(&logs, 1, 1, "k", "A", "B");
    logs_write(&logs, 1, 2, "k", "B", "C");
    logs_close(&logs);
    build(&logs, NULL, 0);
    assert_string_equal(seen.text->str, AT_EACH);
    g_string_free(seen.text, TRUE);
    logs_done(&logs);
}

static void each_row_is_passed(void **state)
{
    (void)state;
    static const char *const ROWS[] = {
#define ROW(name, words) name ": ",
#include "undo/points.h"
#undef ROW
    };
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        assert_non_null(strstr(AT_EACH, ROWS[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(at_each_kill_point_stands_what_its_row_says, kit_dir_setup, kit_dir_teardown),
        cmocka_unit_test(each_row_is_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
