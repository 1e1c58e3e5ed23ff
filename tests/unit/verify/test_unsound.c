/* What verifications keep on disk, where its checksums hold and it makes no sense, is of something else, or cannot be
 * read: nothing of it is believed. What only saves work is left alone; what proves something is said. */
#include <errno.h>
#include <glib/gstdio.h>

#include "base/blockfile.h"
#include "base/int.h"
#include "kit/document.h"
#include "kit/fake_world.h"
#include "kit/kit.h"
#include "verify/dump.h"
#include "verify/past.h"
#include "verify/progress.h"
#include "verify/verify_parts.h"

#define CELLS SKETCH_CELLS
#define SEED  UINT64_C(7)

static const uint8_t UID[16] = {1, 2, 3};

/* A file of these blocks; the caller frees its path. */
static char *written(const char *dir, const struct blockfile_kind *kind, const struct block_draft *drafts, size_t n)
{
    GError *error = NULL;
    auto_(blockfile) file = NULL;
    char *path = g_build_filename(dir, "it", NULL);
    kit_ok(file_unlink(world_real(), path, &error));
    kit_ok(blockfile_create(&file, world_real(), path, kind, slice_of(UID, sizeof UID), &error));
    for (size_t i = 0; i < n; i++)
        kit_ok(blockfile_append(file, &drafts[i], NULL, &error));
    kit_ok(blockfile_sync_durable(file, &error));
    return path;
}

/* A world in which that file cannot be opened, or be read behind its beginning. */
static void unreadable(struct fake_world *fake, const char *call, uint64_t nth)
{
    fake_world_init(fake);
    fake_world_arm(fake, (struct fake_fault){.call = call, .nth = nth, .number = EIO, .lasting = true});
}

/* --- owners ------------------------------------------------------------------------------------------------------- */

enum { OWNERS = 1, OWNERS_END = 2 };

static const uint8_t ITEM[OWNERS_ITEM_BYTES] = {9};
static const uint64_t ONE_ITEM = GUINT64_TO_LE(UINT64_C(1)), NONE = 0;

#define ENDS(count)                                                                                                    \
    {                                                                                                                  \
        .type = OWNERS_END, .head = {(const uint8_t *)&(count), sizeof(count) }                                        \
    }

static const struct {
    const char *what;
    struct block_draft blocks[2];
    size_t n;
    int items; /* that come before it is refused; of one that is sound, all */
    bool sound;
} OWNED[] = {
    {"whole", {{.type = OWNERS, .payload = {ITEM, sizeof ITEM}}, ENDS(ONE_ITEM)}, 2, 1, true},
    {"none at all", {ENDS(NONE)}, 1, 0, true},
    {"without its end", {{.type = OWNERS, .payload = {ITEM, sizeof ITEM}}}, 1, 1, false},
    {"another type", {{.type = 9, .payload = {ITEM, sizeof ITEM}}, ENDS(ONE_ITEM)}, 2, 0, false},
    {"a block of none", {{.type = OWNERS}, ENDS(NONE)}, 2, 0, false},
    {"a part of one", {{.type = OWNERS, .payload = {ITEM, sizeof ITEM - 1}}, ENDS(ONE_ITEM)}, 2, 0, false},
    {"fewer than it says", {ENDS(ONE_ITEM)}, 1, 0, false},
    {"an end that says nothing", {{.type = OWNERS_END}}, 1, 0, false},
};

static void owners_that_make_no_sense_own_nothing(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(OWNED); i++) {
        GError *error = NULL;
        auto_(owners_reader) reader = NULL;
        struct owner owner;
        bool more = true;
        int items = 0;
        g_autofree char *path = written(*state, &owners_kind, OWNED[i].blocks, OWNED[i].n);
        kit_ok(owners_reader_open(&reader, world_real(), path, &error));
        while (owners_reader_next(reader, &owner, &more, &error) && more)
            items++;
        if (items != OWNED[i].items || !error != OWNED[i].sound)
            fail_msg("%s: %d, %s", OWNED[i].what, items, error ? error->message : "sound");
        assert_true(!error || error_is(error, SLUICE_ERROR_CORRUPT));
        if (!error) { /* and it stays at its end */
            kit_ok(owners_reader_next(reader, &owner, &more, &error));
            assert_false(more);
        }
        g_clear_error(&error);
    }
}

static void owners_that_cannot_be_read_are_not_taken_for_none(void **state)
{
    GError *error = NULL;
    struct fake_world fake;
    auto_(owners_reader) reader = NULL; /* behind the world that its file is of */
    struct owner owner;
    bool more;
    g_autofree char *path = written(*state, &owners_kind, OWNED[0].blocks, OWNED[0].n);
    fake_world_init(&fake);
    kit_ok(owners_reader_open(&reader, &fake.world, path, &error));
    fake_world_arm(&fake, (struct fake_fault){.call = "pread", .nth = 1, .number = EIO});
    assert_false(owners_reader_next(reader, &owner, &more, &error));
    assert_false(error_is(error, SLUICE_ERROR_CORRUPT));
    g_clear_error(&error);
}

/* --- sketches ----------------------------------------------------------------------------------------------------- */

struct sketched {
    const char *what;
    unsigned type;
    uint32_t cells;
    uint64_t seed, count; /* of the head; of what the gates kept */
    size_t head_less, cells_less;
    bool part_of_it, no_sum, none, told;
    bool gone, other; /* the file; it is of another kind */
};

static const struct sketched SKETCHES[] = {
    {"whole", 1, CELLS, SEED, 3, .told = true},
    {"another type", 2, CELLS, SEED, 3},
    {"a head that is too short", 1, CELLS, SEED, 3, .head_less = 1},
    {"half a cell", 1, CELLS, SEED, 3, .cells_less = 1},
    {"of another size", 1, CELLS / 2, SEED, 3},
    {"of other digests", 1, CELLS, SEED + 1, 3},
    {"of other records than the gates counted", 1, CELLS, SEED, 4},
    {"of a part of the run", 1, CELLS, SEED, 3, .part_of_it = true},
    {"where a partition has no sum", 1, CELLS, SEED, 3, .no_sum = true},
    {"none", 1, CELLS, SEED, 3, .none = true},
    {"gone since", 1, CELLS, SEED, 3, .gone = true},
    {"a file of another kind", 1, CELLS, SEED, 3, .other = true},
};

static char *write_sketch(const char *dir, const struct sketched *row)
{
    auto_(sketch) sketch = sketch_new(row->cells, row->seed, SKETCH_TABLES);
    g_autoptr(GByteArray) head = g_byte_array_new(), cells = g_byte_array_new();
    put_u64(head, row->seed);
    put_u64(head, 3);
    put_u64(head, 0);
    put_u64(head, 0);
    put_u32(head, 0);
    sketch_put(sketch, cells);
    struct block_draft draft = {.type = (uint16_t)row->type,
                                .head = slice_of(head->data, head->len - row->head_less),
                                .payload = slice_of(cells->data, cells->len - row->cells_less)};
    char *path = written(dir, row->other ? &owners_kind : &sketch_kind, &draft, 1);
    if (row->gone)
        assert_int_equal(g_unlink(path), 0);
    return path;
}

static bool read_kept(const struct sketched *row, const struct world *world, const char *path, bool *ret_told,
                      GError **error)
{
    struct part_sum sum = {.stored = {.count = row->count}};
    struct verify_part part = {.sum = row->no_sum ? NULL : &sum};
    struct verify_input input = {.world = world,
                                 .seed = SEED,
                                 .parts = &part,
                                 .n_parts = 1,
                                 .all_parts = !row->part_of_it,
                                 .sketches = &path,
                                 .n_sketches = !row->none};
    struct kept_sketch kept;
    bool ok = sketch_read_kept(&input, &kept, error);
    *ret_told = kept.sketch != NULL;
    sketch_free(kept.sketch);
    return ok;
}

static void a_sketch_of_something_else_tells_nothing(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(SKETCHES); i++) {
        GError *error = NULL;
        bool told;
        g_autofree char *path = write_sketch(*state, &SKETCHES[i]);
        kit_ok(read_kept(&SKETCHES[i], world_real(), path, &told, &error));
        if (told != SKETCHES[i].told)
            fail_msg("%s", SKETCHES[i].what);
    }
}

static void a_sketch_that_cannot_be_read_ends_the_verification(void **state)
{
    static const char *const CALLS[] = {"open", "pread"};
    for (size_t i = 0; i < G_N_ELEMENTS(CALLS); i++)
        for (uint64_t nth = 1; nth <= 2 - (i == 0); nth++) {
            GError *error = NULL;
            struct fake_world fake;
            bool told;
            g_autofree char *path = write_sketch(*state, &SKETCHES[0]);
            unreadable(&fake, CALLS[i], nth);
            assert_false(read_kept(&SKETCHES[0], &fake.world, path, &told, &error));
            assert_false(told);
            assert_non_null(error);
            g_clear_error(&error);
        }
}

/* --- how far a scan has got --------------------------------------------------------------------------------------- */

enum { NOW_MS = 10000000, HOUR_MS = 3600000, UNITS_AT = 6 * 8 + 2 * 4 };

static const struct got {
    const char *what;
    uint64_t of;
    int64_t kept_ms;
    uint32_t n_sums;
    bool sketch;   /* it has one */
    uint32_t like; /* cells of the one that is wanted; 0: none is */
    unsigned type;
    size_t less;
    bool taken;
    bool half; /* a unit that is neither done nor not */
} GOT[] = {
    {"the same", 5, NOW_MS, 1, true, 8, 1, 0, true},
    {"the same, without a sketch", 5, NOW_MS - HOUR_MS, 1, false, 0, 1, 0, true},
    {"of another verification", 6, NOW_MS, 1, true, 8, 1, 0, false},
    {"of tomorrow", 5, NOW_MS + 1, 1, true, 8, 1, 0, false},
    {"an hour old", 5, NOW_MS - HOUR_MS - 1, 1, true, 8, 1, 0, false},
    {"of another number of partitions", 5, NOW_MS, 2, true, 8, 1, 0, false},
    {"with a sketch where there is none any more", 5, NOW_MS, 1, true, 0, 1, 0, false},
    {"without the sketch that there is now", 5, NOW_MS, 1, false, 8, 1, 0, false},
    {"with a sketch of another size", 5, NOW_MS, 1, true, 16, 1, 0, false},
    {"another type", 5, NOW_MS, 1, true, 8, 2, 0, false},
    {"with a unit that is half done", 5, NOW_MS, 1, true, 8, 1, 0, false, .half = true},
    {"cut", 5, NOW_MS, 1, true, 8, 1, 1, false},
    {"empty", 5, NOW_MS, 1, true, 8, 1, SIZE_MAX, false},
};

static char *write_progress(const char *dir, const struct got *row)
{
    struct slice bounds[] = {slice_of_text("a")};
    bool done[] = {true};
    struct set_digest sums[2] = {{.count = 1}};
    auto_(sketch) sketch = sketch_new(8, SEED, SKETCH_TABLES);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    struct progress put = {.of = {row->of, 0}, .bounds = bounds, .done = done, .n_units = 1, .sums = sums};
    put.n_sums = row->n_sums;
    put.sketch = row->sketch ? sketch : NULL;
    progress_put(&put, row->kept_ms, bytes);
    if (row->half)
        bytes->data[UNITS_AT] = 2;
    size_t len = row->less < bytes->len ? bytes->len - row->less : 0;
    struct block_draft draft = {.type = (uint16_t)row->type, .payload = slice_of(bytes->data, len)};
    return written(dir, &progress_kind, &draft, 1);
}

static bool take_up(const struct got *row, const struct world *world, const char *path, bool *ret_taken, GError **error)
{
    auto_(arena) mem = arena_new(1 << 20);
    auto_(sketch) like = row->like ? sketch_new(row->like, SEED, SKETCH_TABLES) : NULL;
    struct progress found = {.of = {5, 0}, .n_sums = 1, .sketch = like};
    bool ok = progress_read(world, path, mem, &found, ret_taken, error);
    if (*ret_taken) {
        assert_int_equal(found.n_units, 1);
        assert_true(found.done[0]);
        sketch_free(found.sketch);
    }
    return ok;
}

static void what_another_verification_left_is_not_taken_up(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(GOT); i++) {
        GError *error = NULL;
        struct fake_world fake;
        bool taken;
        g_autofree char *path = write_progress(*state, &GOT[i]);
        fake_world_init(&fake);
        fake.wall_ms = NOW_MS;
        kit_ok(take_up(&GOT[i], &fake.world, path, &taken, &error));
        if (taken != GOT[i].taken)
            fail_msg("%s", GOT[i].what);
    }
}

static void progress_of_another_kind_says_nothing_and_what_cannot_be_read_is_said(void **state)
{
    GError *error = NULL;
    struct fake_world fake;
    bool taken;
    struct block_draft draft = {.type = 1};
    g_autofree char *other = written(*state, &owners_kind, &draft, 1);
    kit_ok(take_up(&GOT[0], world_real(), other, &taken, &error));
    assert_false(taken);
    g_autofree char *path = write_progress(*state, &GOT[0]);
    unreadable(&fake, "pread", 1);
    assert_false(take_up(&GOT[0], &fake.world, path, &taken, &error));
    assert_false(taken || error_is(error, SLUICE_ERROR_CORRUPT));
    g_clear_error(&error);
}

/* --- profiles, samples -------------------------------------------------------------------------------------------- */

static const struct {
    const char *what;
    unsigned type;
    struct slice run, stage;
    size_t less, more; /* bytes */
    bool sound;
    bool none; /* it is of no keys */
} PROFILES[] = {
    {"whole", 1, {(const uint8_t *)"job.1", 5}, {0}, 0, 0, true},
    {"another type", 2, {(const uint8_t *)"job.1", 5}, {0}, 0, 0, false},
    {"a run that is no text", 1, {(const uint8_t *)"\xff", 1}, {0}, 0, 0, false},
    {"a stage that is no text", 1, {(const uint8_t *)"job.1", 5}, {(const uint8_t *)"\xff", 1}, 0, 0, false},
    {"cut within the figures", 1, {(const uint8_t *)"job.1", 5}, {0}, 1, 0, false},
    {"cut within the stage", 1, {(const uint8_t *)"job.1", 5}, {0}, SIZE_MAX, 0, false},
    {"of no keys", 1, {(const uint8_t *)"job.1", 5}, {0}, 0, 0, false, .none = true},
    {"with something behind it", 1, {(const uint8_t *)"job.1", 5}, {0}, 0, 1, false},
};

static char *write_profile(const char *dir, size_t i)
{
    auto_(profile) profile = profile_new();
    auto_(arena) mem = arena_new(1 << 20);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    profile_add(profile, kit_document("{\"n\":1}", mem));
    put_prefixed(bytes, PROFILES[i].run);
    size_t stage = bytes->len;
    put_prefixed(bytes, PROFILES[i].stage);
    put_i64(bytes, 1);
    put_u64(bytes, !PROFILES[i].none);
    profile_put(profile, bytes);
    for (size_t more = 0; more < PROFILES[i].more; more++)
        put_u8(bytes, 0);
    size_t len = PROFILES[i].less < bytes->len ? bytes->len - PROFILES[i].less : stage;
    struct block_draft draft = {.type = (uint16_t)PROFILES[i].type, .payload = slice_of(bytes->data, len)};
    return written(dir, &past_kind, &draft, 1);
}

static void a_profile_that_makes_no_sense_is_no_baseline(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(PROFILES); i++) {
        GError *error = NULL;
        auto_(past) past = past_new("job.1", false);
        g_autofree char *path = write_profile(*state, i);
        bool ok = past_add(past, world_real(), path, NULL, &error);
        if (ok != PROFILES[i].sound || past->parts->len != ok)
            fail_msg("%s: %s", PROFILES[i].what, ok ? "taken" : error->message);
        assert_true(ok || error_is(error, SLUICE_ERROR_CORRUPT));
        g_clear_error(&error);
    }
}

static void a_profile_that_cannot_be_read_says_why(void **state)
{
    g_autofree char *path = write_profile(*state, 0);
    GError *error = NULL;
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        struct fake_world fake;
        auto_(past) past = past_new("job.1", false);
        unreadable(&fake, "pread", nth);
        failed = !past_add(past, &fake.world, path, NULL, &error);
        assert_true(failed || nth > 3);
        assert_false(failed && error_is(error, SLUICE_ERROR_CORRUPT));
        g_clear_error(&error);
    }
}

/* Its last byte goes. */
static void cut(const char *path)
{
    g_autofree char *bytes = NULL;
    gsize len;
    assert_true(g_file_get_contents(path, &bytes, &len, NULL));
    assert_true(g_file_set_contents(path, bytes, (gssize)len - 1, NULL));
}

/* Of no block, or of one that is torn. */
static void what_was_not_written_to_its_end_is_damaged(void **state)
{
    GError *error = NULL;
    for (int torn = 0; torn < 2; torn++) {
        auto_(past) past = past_new("job.1", false);
        auto_(verify_sample) sample = verify_sample_new();
        struct block_draft draft = {.type = 1, .payload = slice_of_text("a payload that is torn")};
        g_autofree char *profile = written(*state, &past_kind, &draft, (size_t)torn);
        if (torn)
            cut(profile);
        kit_refused(past_add(past, world_real(), profile, NULL, &error), CORRUPT, "the profile is damaged");
        g_autofree char *sampled = written(*state, &sample_kind, &draft, (size_t)torn);
        if (torn)
            cut(sampled);
        kit_refused(verify_sample_add(sample, world_real(), sampled, &error), CORRUPT, "the sample is damaged");
    }
}

static bool add_line(void *self, const char *line, GError **error)
{
    g_string_append(self, line);
    return true;
}

static void a_sample_that_ends_amid_a_key_is_dumped_as_damaged(void **state)
{
    GError *error = NULL;
    g_autoptr(GString) lines = g_string_new(NULL);
    const struct document_lines into = {.line = add_line, .self = lines};
    struct block_draft draft = {.type = 1, .payload = {(const uint8_t *)"\x01k\x00", 3}};
    g_autofree char *path = written(*state, &sample_kind, &draft, 1);
    kit_refused(sample_dump(world_real(), path, &into, &error), CORRUPT, "damaged in 1 place");
    assert_non_null(strstr(lines->str, "damage"));
    assert_null(strstr(lines->str, "sampled"));
}

/* What the undo log is held against: of one that says less than it did, nothing is left out in silence. */
static void a_sample_that_makes_no_sense_is_damaged(void **state)
{
    static const size_t LESS[] = {0, 1, 17};
    for (size_t i = 0; i < G_N_ELEMENTS(LESS); i++) {
        GError *error = NULL;
        auto_(verify_sample) sample = verify_sample_new();
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        put_prefixed(bytes, slice_of_text("k"));
        put_u64(bytes, 1);
        put_u64(bytes, 2);
        struct block_draft draft = {.type = 1, .payload = slice_of(bytes->data, bytes->len - LESS[i])};
        g_autofree char *path = written(*state, &sample_kind, &draft, 1);
        bool ok = verify_sample_add(sample, world_real(), path, &error);
        assert_int_equal(ok, LESS[i] == 0);
        assert_true(ok || error_is(error, SLUICE_ERROR_CORRUPT));
        g_clear_error(&error);
    }
}

static void a_sample_that_cannot_be_read_is_not_taken_for_none(void **state)
{
    struct block_draft draft = {.type = 1};
    g_autofree char *path = written(*state, &sample_kind, &draft, 1);
    GError *error = NULL;
    struct fake_world fake;
    auto_(verify_sample) sample = verify_sample_new();
    unreadable(&fake, "pread", 2);
    assert_false(verify_sample_add(sample, &fake.world, path, &error));
    assert_false(error_is(error, SLUICE_ERROR_CORRUPT));
    g_clear_error(&error);
    kit_damage(path);
    kit_refused(verify_sample_add(sample, world_real(), path, &error), CORRUPT, "");
}

#define IN_A_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, kit_dir_setup, kit_dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_DIRECTORY(owners_that_make_no_sense_own_nothing),
        IN_A_DIRECTORY(owners_that_cannot_be_read_are_not_taken_for_none),
        IN_A_DIRECTORY(a_sketch_of_something_else_tells_nothing),
        IN_A_DIRECTORY(a_sketch_that_cannot_be_read_ends_the_verification),
        IN_A_DIRECTORY(what_another_verification_left_is_not_taken_up),
        IN_A_DIRECTORY(progress_of_another_kind_says_nothing_and_what_cannot_be_read_is_said),
        IN_A_DIRECTORY(a_profile_that_makes_no_sense_is_no_baseline),
        IN_A_DIRECTORY(a_profile_that_cannot_be_read_says_why),
        IN_A_DIRECTORY(what_was_not_written_to_its_end_is_damaged),
        IN_A_DIRECTORY(a_sample_that_ends_amid_a_key_is_dumped_as_damaged),
        IN_A_DIRECTORY(a_sample_that_makes_no_sense_is_damaged),
        IN_A_DIRECTORY(a_sample_that_cannot_be_read_is_not_taken_for_none),
    };
    return cmocka_run_group_tests_name("verify/unsound", tests, NULL, NULL);
}
