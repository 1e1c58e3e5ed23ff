#include "listing/duplicates.h"

#include "base/file.h"
#include "kit/fake_world.h"
#include "kit/kit.h"
#include "listing/chosen.h"

struct source {
    void *dir;
    char *path; /* of the skip list */
    struct fake_world fake;
    const struct world *world;
    struct arena *mem;
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct path *id, *version;
    struct key_paths key;
    struct dataset ds;
    GArray *parts; /* of the last split */
    struct slice *bounds;
};

static const uint8_t uid[16] = {9, 8, 7};

static void open_store(struct source *source, const struct world *world)
{
    GError *error = NULL;
    source->world = world;
    source->registry = store_registry_new(world, NULL);
    struct store_config config = {.uri = "file:.", .base_dir = source->dir, .read_only = true};
    kit_ok(store_open(&source->store, source->registry, &config, &error));
    kit_ok(store_session_open(&source->session, source->store, &error));
}

static void close_store(struct source *source)
{
    store_session_close(source->session);
    store_release(source->registry, source->store);
    store_registry_free(source->registry);
}

static int setup(void **state)
{
    GError *error = NULL;
    struct source *source = g_new0(struct source, 1);
    if (kit_dir_setup(&source->dir) != 0)
        return -1;
    fake_world_init(&source->fake);
    source->path = g_build_filename(source->dir, "home", "listing", "fix.1.skip", NULL);
    source->mem = arena_new(512 << 20);
    kit_ok(path_parse(&source->id, "id", &error));
    kit_ok(path_parse(&source->version, "v", &error));
    source->key = (struct key_paths){.n = 1, .paths = &source->id};
    source->ds = (struct dataset){.name = "*.ndjson", .key = &source->key};
    open_store(source, &source->fake.world);
    *state = source;
    return 0;
}

static int teardown(void **state)
{
    struct source *source = *state;
    close_store(source);
    assert_int_equal(source->fake.opened, source->fake.closed);
    if (source->parts)
        g_array_unref(source->parts);
    g_free(source->bounds);
    path_free(source->id);
    path_free(source->version);
    arena_free(source->mem);
    g_free(source->path);
    int result = kit_dir_teardown(&source->dir);
    g_free(source);
    return result;
}

static void put(struct source *source, const char *name, struct slice text)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(source->dir, name, NULL);
    kit_ok(file_replace_durable(source->world, path, text, &error));
}

static void put_text(struct source *source, const char *name, const char *text)
{
    put(source, name, slice_of_text(text));
}

static void split(struct source *source, uint64_t records_each)
{
    GError *error = NULL;
    struct call call = {.ds = &source->ds, .mem = source->mem};
    struct part_list list = {.parts = g_array_new(FALSE, FALSE, sizeof(struct part_bounds)), .mem = source->mem};
    kit_ok(store_split(source->session, &call, &(struct split_wish){.records_each = records_each}, &list, &error));
    if (source->parts)
        g_array_unref(source->parts);
    source->parts = list.parts;
    source->bounds = g_renew(struct slice, source->bounds, list.parts->len);
    for (guint i = 0; i < list.parts->len; i++)
        source->bounds[i] = g_array_index(list.parts, struct part_bounds, i).bounds;
}

static struct duplicates_wish wish_of(struct source *source, enum states_rule rule, bool versioned)
{
    struct duplicates_wish wish = {.world = source->world,
                                   .path = source->path,
                                   .session = source->session,
                                   .ds = &source->ds,
                                   .bounds = source->bounds,
                                   .n_parts = source->parts->len,
                                   .version = versioned ? source->version : NULL,
                                   .rule = rule};
    memcpy(wish.run_uid, uid, sizeof uid);
    return wish;
}

static struct duplicates_result find(struct source *source, enum states_rule rule, bool versioned)
{
    GError *error = NULL;
    struct duplicates_wish wish = wish_of(source, rule, versioned);
    struct duplicates_result result = {0};
    kit_ok(duplicates_find_durable(&wish, &result, &error));
    return result;
}

static struct skiplist *open_list(struct source *source)
{
    GError *error = NULL;
    struct skiplist *list = NULL;
    kit_ok(skiplist_open(&list, source->world, source->path, uid, &error));
    return list;
}

/* What becomes of each record, in the order of the parts: a letter each, '.' for one that takes part and '!' for one
 * that cannot be read. */
static char *fates(struct source *source, const struct duplicates_result *result)
{
    static const char letters[] = {'.', 's', 'e', 'c', 'u'}; /* and 'k' for one that takes part and may not remove */
    GError *error = NULL;
    GString *fates = g_string_new(NULL);
    auto_(skiplist) list = result->listed ? open_list(source) : NULL;
    for (uint32_t part = 0; part < source->parts->len; part++) {
        struct call call = {.ds = &source->ds, .mem = source->mem};
        struct scan_spec spec = {
            .ds = &source->ds, .bounds = source->bounds[part], .max_records = 100, .max_bytes = 1 << 20};
        auto_(scan) scan = NULL;
        kit_ok(store_scan_open(&scan, source->session, &spec, &error));
        for (struct batch batch = {0}; !batch.done;) {
            kit_ok(store_scan_next(scan, &call, &batch, &error));
            for (size_t i = 0; i < batch.n; i++) {
                struct skip skip = {0};
                if (list)
                    kit_ok(skiplist_find(list, part, batch.records[i].at.offset, &skip, &error));
                bool fault = batch.records[i].presence == RECORD_FAULT;
                assert_true(!fault || skip.reason == SKIP_NOTHING);
                g_string_append_c(fates, fault ? '!' : skip.stays ? 'k' : letters[skip.reason]);
            }
        }
    }
    return g_string_free(fates, FALSE);
}

/* The fate of every record of `text`, with parts of two records. */
static void assert_fates_by(struct source *source, enum states_rule rule, bool versioned, const char *text,
                            const char *expected)
{
    put_text(source, "a.ndjson", text);
    split(source, 2);
    struct duplicates_result result = find(source, rule, versioned);
    g_autofree char *found = fates(source, &result);
    assert_string_equal(found, expected);
    assert_int_equal(result.all.records, strlen(expected));
    uint64_t lost[SKIP_REASON_COUNT] = {0};
    for (size_t i = 0; expected[i]; i++)
        lost[expected[i] == 's'   ? SKIP_SUPERSEDED
             : expected[i] == 'e' ? SKIP_EQUAL
             : expected[i] == 'c' ? SKIP_CONFLICT
             : expected[i] == 'u' ? SKIP_UNORDERED
             : expected[i] == 'k' ? SKIP_STAYS
                                  : SKIP_NOTHING]++;
    for (size_t i = SKIP_SUPERSEDED; i < SKIP_REASON_COUNT; i++)
        assert_int_equal(result.all.skipped[i], lost[i]);
    duplicates_result_done(&result);
}

static void assert_fates(struct source *source, bool versioned, const char *text, const char *expected)
{
    assert_fates_by(source, STATES_NEWEST, versioned, text, expected);
}

/* --- rules ----------------------------------------------------------------------------------------------------------
 */

static void the_newest_state_stands(void **state)
{
    assert_fates(*state, true,
                 "{\"id\":1,\"v\":1}\n{\"id\":2,\"v\":9}\n{\"id\":1,\"v\":3}\n{\"id\":1,\"v\":2}\n"
                 "{\"id\":2,\"v\":-9}\n{\"id\":3,\"v\":0}\n{\"id\":2,\"v\":9223372036854775807}\n",
                 "ss.ss..");
}

/* Parts are worked on in any order, and each from its beginning to its end. */
static void a_state_behind_or_beside_which_an_older_one_stands_may_not_remove_its_key(void **state)
{
    static const struct {
        const char *text, *fates; /* a digit a record: its version */
    } ROWS[] = {{"12", ".."},     {"21", "k."},     {"11", ".."},     {"1.2.", "..k."}, {"2.1.", "k..."},
                {".121", "..k."}, {"..12", "...."}, {"..21", "..k."}, {"1234", "..kk"}, {"2213", "kk.k"},
                {"11.2", "...k"}, {"..22", "...."}, {"12.1", ".k.."}, {"312.", "k.k."}, {"?1?2", "?.?k"}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_autofree char *expected = g_strdelimit(g_strdup(ROWS[i].fates), "?", '.');
        for (size_t k = 0; ROWS[i].text[k]; k++)
            if (ROWS[i].text[k] == '.')
                g_string_append_printf(text, "{\"id\":%zu,\"v\":0}\n", k);
            else if (ROWS[i].text[k] == '?')
                g_string_append(text, "{\"id\":99}\n");
            else
                g_string_append_printf(text, "{\"id\":99,\"v\":%c}\n", ROWS[i].text[k]);
        assert_fates_by(*state, STATES_BY_VERSION, true, text->str, expected);
    }
}

static void times_are_ordered_as_points_in_time(void **state)
{
    assert_fates(*state, true,
                 "{\"id\":1,\"v\":\"2026-07-01T12:00:00+02:00\"}\n{\"id\":1,\"v\":\"2026-07-01T10:30:00Z\"}\n"
                 "{\"id\":2,\"v\":\"2026-07-01T00:00:00.000001Z\"}\n{\"id\":2,\"v\":\"2026-07-01T00:00:00Z\"}\n",
                 "s..s");
}

static void equal_states_are_one_and_the_first_place_stands(void **state)
{
    assert_fates(*state, true,
                 "{\"id\":1,\"v\":3,\"a\":0.10}\n{\"id\":1,\"v\":2}\n{\"v\" : 3}\n"
                 "{ \"id\": 1, \"v\": 3, \"a\": 0.10 }\n{\"id\":1,\"v\":3,\"a\":0.10}\n",
                 ".s!ee");
}

static void different_states_of_one_version_are_all_refused(void **state)
{
    assert_fates(*state, true,
                 "{\"id\":1,\"v\":3,\"a\":1}\n{\"id\":1,\"v\":2,\"a\":1}\n{\"id\":1,\"v\":3,\"a\":2}\n"
                 "{\"id\":1,\"v\":3,\"a\":1}\n{\"id\":2,\"v\":2,\"a\":1}\n{\"id\":2,\"v\":2,\"a\":2}\n"
                 "{\"id\":2,\"v\":3,\"a\":2}\n",
                 "cscc"
                 "ss.");
}

static void states_whose_versions_cannot_be_compared_are_all_refused(void **state)
{
    assert_fates(*state, true,
                 "{\"id\":1,\"v\":3}\n{\"id\":1}\n{\"id\":2,\"v\":\"2026-07-01T00:00:00Z\"}\n{\"id\":2,\"v\":3}\n"
                 "{\"id\":2,\"v\":3}\n{\"id\":3,\"v\":\"yesterday\"}\n{\"id\":3,\"v\":4}\n{\"id\":4,\"v\":true}\n"
                 "{\"id\":5,\"v\":{}}\n{\"id\":5,\"v\":[]}\n",
                 "uuuuuuu"
                 "."
                 "uu");
}

static void states_without_a_version_are_one_where_they_are_equal(void **state)
{
    assert_fates(*state, true, "{\"id\":1}\n{\"id\":1}\n{\"id\":2,\"a\":1}\n{\"id\":2,\"v\":null}\n", ".ecc");
    assert_fates(*state, false, "{\"id\":1,\"v\":1}\n{\"id\":1,\"v\":1}\n{\"id\":2}\n", ".e.");
}

static void records_that_cannot_be_read_are_counted_and_do_not_matter(void **state)
{
    struct source *source = *state;
    put_text(source, "a.ndjson", "{\"id\":1,\"v\":1}\nbroken\n{\"v\":2}\n{\"id\":1,\"v\":2}\n{\"id\":\"");
    split(source, 2);
    struct duplicates_result result = find(source, STATES_NEWEST, true);
    assert_int_equal(result.all.records, 5);
    assert_int_equal(result.all.faults, 3);
    assert_int_equal(result.keys, 1);
    assert_int_equal(result.n_parts, 3);
    assert_int_equal(result.parts[0].records, 2);
    assert_int_equal(result.parts[0].faults, 1);
    assert_int_equal(result.parts[0].skipped[SKIP_SUPERSEDED], 1);
    assert_int_equal(result.parts[2].faults, 1);
    assert_int_equal(result.all.bytes, strlen("{\"id\":1,\"v\":1}\nbroken\n{\"v\":2}\n{\"id\":1,\"v\":2}\n{\"id\":\""));
    duplicates_result_done(&result);
}

static void without_losers_there_is_no_list(void **state)
{
    GError *error = NULL;
    struct source *source = *state;
    put_text(source, "a.ndjson", "{\"id\":1,\"v\":1}\n{\"id\":1,\"v\":2}\n");
    split(source, 1);
    struct duplicates_result result = find(source, STATES_NEWEST, true);
    assert_true(result.listed && file_exists(source->world, source->path));
    duplicates_result_done(&result);
    put_text(source, "a.ndjson", "{\"id\":1,\"v\":1}\n{\"id\":2,\"v\":2}\n");
    split(source, 1);
    result = find(source, STATES_NEWEST, true);
    assert_false(result.listed);
    assert_false(file_exists(source->world, source->path)); /* that of the earlier attempt neither */
    assert_true(digest_equal(result.digest, (struct digest){0}));
    duplicates_result_done(&result);
    struct duplicates_wish wish = wish_of(source, STATES_NEWEST, true);
    wish.n_parts = 0;
    kit_ok(duplicates_find_durable(&wish, &result, &error));
    assert_int_equal(result.all.records, 0);
    duplicates_result_done(&result);
}

static void all_keeps_every_state_and_counts_keys(void **state)
{
    struct source *source = *state;
    put_text(source, "a.ndjson", "{\"id\":1}\n{\"id\":1}\n{\"id\":2}\n{\"id\":1,\"a\":2}\n");
    split(source, 1);
    struct duplicates_result result = find(source, STATES_ALL, false);
    assert_false(result.listed);
    assert_int_equal(result.all.records, 4);
    assert_int_equal(result.keys, 2);
    duplicates_result_done(&result);
}

static void duplicates_that_are_an_error_are_named_with_both_places(void **state)
{
    GError *error = NULL;
    struct source *source = *state;
    struct duplicates_result result;
    put_text(source, "a.ndjson", "{\"id\":1}\n{\"id\":\"two\",\"a\":1}\n{\"id\":3}\n");
    put_text(source, "b.ndjson", "\n{\"id\":4}\n{\"id\":\"two\",\"a\":2}\n{\"id\":1}\n");
    split(source, 2);
    struct duplicates_wish wish = wish_of(source, STATES_ERROR, true);
    kit_refused(duplicates_find_durable(&wish, &result, &error), REFUSED,
                "2 keys have several states in the source. Remove them, or set `duplicates: newest`:\n"
                "a.ndjson:1:1: the key '1' stands again at b.ndjson:4\n"
                "a.ndjson:2:1: the key 'two' stands again at b.ndjson:3");
    wish = wish_of(source, STATES_NEWEST, false);
    kit_refused(duplicates_find_durable(&wish, &result, &error), REFUSED,
                "1 keys have several states in the source, with other content, and no `version` says which is the "
                "newest. Name a `source.version`, or set `duplicates: all`:\n"
                "a.ndjson:2:1: the key 'two' stands again at b.ndjson:3");
    assert_false(file_exists(source->world, source->path));
}

static void no_more_than_twenty_are_named(void **state)
{
    GError *error = NULL;
    struct source *source = *state;
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < 1000; i++)
        g_string_append_printf(text, "{\"id\":%d}\n", i % 500);
    put(source, "a.ndjson", slice_of(text->str, text->len));
    split(source, 7);
    struct duplicates_wish wish = wish_of(source, STATES_ERROR, false);
    struct duplicates_result result;
    assert_false(duplicates_find_durable(&wish, &result, &error));
    assert_non_null(strstr(error->message, "500 keys"));
    g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
    assert_int_equal(g_strv_length(lines), 1 + DUPLICATES_NAMED);
    g_clear_error(&error);
}

/* --- the list -------------------------------------------------------------------------------------------------------
 */

static void the_list_says_why_and_where_the_other_state_stands(void **state)
{
    GError *error = NULL;
    struct source *source = *state;
    put_text(source, "a.ndjson", "{\"id\":1,\"v\":1}\n{\"id\":2,\"v\":5,\"a\":1}\n");
    put_text(source, "b.ndjson",
             "{\"id\":1,\"v\":2}\n{\"id\":2,\"v\":5,\"a\":2}\n{\"id\":1,\"v\":2}\n{\"id\":3,\"v\":1}\n");
    put_text(source, "c.ndjson", "{\"id\":3}\n");
    split(source, 100);
    struct duplicates_result result = find(source, STATES_NEWEST, true);
    auto_(skiplist) list = open_list(source);
    const struct {
        uint32_t part;
        uint64_t offset;
        enum skip_reason reason;
        const char *text;
        bool refused;
    } rows[] = {
        {0, 0, SKIP_SUPERSEDED, "the state at b.ndjson:1 is newer", false},
        {0, 15, SKIP_CONFLICT, "the state at b.ndjson:2 has the same version and other content", true},
        {1, 0, SKIP_NOTHING, "", false},
        {1, 15, SKIP_CONFLICT, "the state at a.ndjson:2 has the same version", true},
        {1, 36, SKIP_EQUAL, "the state at b.ndjson:1 is the same", false},
        {1, 51, SKIP_UNORDERED, "the state at c.ndjson:1 has a version that cannot be compared", true},
        {2, 0, SKIP_UNORDERED, "the state at b.ndjson:4 has a version that cannot be compared", true},
        {3, 0, SKIP_NOTHING, "", false},
    };
    for (int backwards = 0; backwards < 2; backwards++)
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
            size_t row = backwards ? G_N_ELEMENTS(rows) - 1 - i : i;
            struct skip skip;
            kit_ok(skiplist_find(list, rows[row].part, rows[row].offset, &skip, &error));
            assert_int_equal(skip.reason, rows[row].reason);
            assert_memory_equal(skip.text, rows[row].text, strlen(rows[row].text));
            assert_int_equal(skip_reason_row(skip.reason)->refused, rows[row].refused);
            kit_ok(skiplist_find(list, rows[row].part, rows[row].offset + 1, &skip, &error));
            assert_int_equal(skip.reason, SKIP_NOTHING);
        }
    duplicates_result_done(&result);
}

enum { MANY = 120000, KEYS = 50021 };

/* Record i has the key i * 7 mod KEYS and the version (i * 31) mod 97; its content says nothing else. */
static void put_many(struct source *source)
{
    for (unsigned file = 0; file < 3; file++) {
        g_autoptr(GString) text = g_string_new(NULL);
        g_autofree char *name = g_strdup_printf("%u.ndjson", file);
        for (unsigned i = file * MANY / 3; i < (file + 1) * MANY / 3; i++)
            g_string_append_printf(text, "{\"id\":%u,\"v\":%u}\n", i * 7 % KEYS, i * 31 % 97);
        put(source, name, slice_of(text->str, text->len));
    }
}

/* The same by a table in memory. */
static char *expected_of_many(uint64_t lost[SKIP_REASON_COUNT])
{
    char *fates = g_strnfill(MANY, '.');
    g_autofree unsigned *winner = g_new(unsigned, KEYS);
    memset(winner, 0xff, KEYS * sizeof *winner);
    for (unsigned i = 0; i < MANY; i++) {
        unsigned *best = &winner[i * 7 % KEYS];
        if (*best == UINT_MAX || i * 31 % 97 > *best * 31 % 97)
            *best = i;
    }
    for (unsigned i = 0; i < MANY; i++) {
        unsigned best = winner[i * 7 % KEYS];
        enum skip_reason reason = best == i                       ? SKIP_NOTHING
                                  : i * 31 % 97 == best * 31 % 97 ? SKIP_EQUAL
                                                                  : SKIP_SUPERSEDED;
        fates[i] = ".se"[reason];
        lost[reason]++;
    }
    return fates;
}

static void many_states_are_decided_as_a_table_in_memory_would(void **state)
{
    struct source *source = *state;
    uint64_t lost[SKIP_REASON_COUNT] = {0};
    put_many(source);
    split(source, 777);
    struct duplicates_result result = find(source, STATES_NEWEST, true);
    g_autofree char *found = fates(source, &result), *expected = expected_of_many(lost);
    assert_int_equal(result.all.records, MANY);
    assert_int_equal(result.keys, KEYS);
    assert_int_equal(result.all.skipped[SKIP_SUPERSEDED], lost[SKIP_SUPERSEDED]);
    assert_int_equal(result.all.skipped[SKIP_EQUAL], lost[SKIP_EQUAL]);
    assert_true(strcmp(found, expected) == 0);
    duplicates_result_done(&result);
}

/* However many threads read, the list is the same to the byte. */
static void any_number_of_workers_finds_the_same(void **state)
{
    GError *error = NULL;
    struct source *source = *state;
    put_many(source);
    close_store(source);
    open_store(source, world_real());
    split(source, 777);
    struct digest digest = {0};
    for (uint32_t workers = 1; workers <= 5; workers += 2) {
        struct duplicates_wish wish = wish_of(source, STATES_NEWEST, true);
        struct duplicates_result result;
        wish.workers = workers;
        kit_ok(duplicates_find_durable(&wish, &result, &error));
        assert_int_equal(result.keys, KEYS);
        assert_true(workers == 1 || digest_equal(digest, result.digest));
        digest = result.digest;
        duplicates_result_done(&result);
    }
}

/* One key for everything: more states than are held in memory at once. */
static void a_key_of_very_many_states_is_decided(void **state)
{
    GError *error = NULL;
    struct source *source = *state;
    enum { STATES = 60000 };
    g_autoptr(GString) text = g_string_new(NULL);
    for (unsigned i = 0; i < STATES; i++)
        g_string_append_printf(text, "{\"id\":1,\"v\":%u}\n", i * 7919u % STATES / 2);
    put(source, "a.ndjson", slice_of(text->str, text->len));
    split(source, 1000);
    struct duplicates_result result = find(source, STATES_NEWEST, true);
    assert_int_equal(result.keys, 1);
    assert_int_equal(result.all.skipped[SKIP_EQUAL], 1);
    assert_int_equal(result.all.skipped[SKIP_SUPERSEDED], STATES - 2);
    auto_(skiplist) list = open_list(source);
    struct skip skip;
    kit_ok(skiplist_find(list, 0, 0, &skip, &error));
    assert_int_equal(skip.reason, SKIP_SUPERSEDED);
    duplicates_result_done(&result);
}

static void damage_and_the_list_of_another_run_are_refused(void **state)
{
    GError *error = NULL;
    struct source *source = *state;
    static const uint8_t other_uid[16] = {1};
    put_many(source);
    split(source, 20000);
    struct duplicates_result result = find(source, STATES_NEWEST, true);
    duplicates_result_done(&result);
    struct skiplist *list = NULL;
    kit_refused(skiplist_open(&list, source->world, source->path, other_uid, &error), CORRUPT, "of another run");
    g_autoptr(GBytes) bytes = NULL;
    kit_ok(file_read_all(source->world, source->path, 1 << 24, &bytes, &error));
    gsize len;
    const uint8_t *data = g_bytes_get_data(bytes, &len);
    g_autofree uint8_t *flipped = g_memdup2(data, len);
    unsigned refused = 0;
    for (gsize at = 0; at < len; at += 1 + len / 50) {
        flipped[at] ^= 0x04;
        kit_ok(file_replace_durable(source->world, source->path, slice_of(flipped, len), &error));
        flipped[at] ^= 0x04;
        auto_(skiplist) damaged = NULL;
        bool ok = skiplist_open(&damaged, source->world, source->path, uid, &error);
        struct skip skip;
        for (uint32_t part = 0; ok && part < 6; part++)
            for (uint64_t offset = 0; ok && offset < 1 << 20; offset += 4096)
                ok = skiplist_find(damaged, part, offset, &skip, &error);
        refused += !ok;
        assert_true(ok || error_is(error, SLUICE_ERROR_CORRUPT));
        g_clear_error(&error);
        kit_ok(file_replace_durable(source->world, source->path, slice_of(data, at), &error));
        kit_refused(skiplist_open(&list, source->world, source->path, uid, &error), CORRUPT, "fix.1.skip");
    }
    assert_true(refused > 40);
}

/* --- what goes wrong ------------------------------------------------------------------------------------------------
 */

static void a_file_that_changes_meanwhile_ends_the_pass(void **state)
{
    GError *error = NULL;
    struct source *source = *state;
    struct duplicates_result result;
    put_text(source, "a.ndjson", "{\"id\":1}\n{\"id\":2}\n");
    split(source, 1);
    put_text(source, "a.ndjson", "{\"id\":1}\n{\"id\":3}\n");
    struct duplicates_wish wish = wish_of(source, STATES_NEWEST, false);
    kit_refused(duplicates_find_durable(&wish, &result, &error), SOURCE_MOVED, "a.ndjson");
}

static void a_pass_that_is_given_up_ends(void **state)
{
    GError *error = NULL;
    struct source *source = *state;
    struct duplicates_result result;
    put_text(source, "a.ndjson", "{\"id\":1}\n{\"id\":2}\n");
    split(source, 1);
    const atomic_bool cancel = true;
    struct duplicates_wish wish = wish_of(source, STATES_NEWEST, false);
    wish.cancel = &cancel;
    kit_refused(duplicates_find_durable(&wish, &result, &error), CANCELLED, "request");
}

/* Whatever file call fails, the pass fails with it, and the next one is as if nothing had been. */
static void a_pass_whose_disk_fails_can_be_repeated(void **state)
{
    static const char *const calls[] = {"pwrite", "pread", "fsync", "rename", "open"};
    struct source *source = *state;
    put_text(source, "a.ndjson", "{\"id\":1,\"v\":1}\n{\"id\":1,\"v\":2}\n");
    split(source, 1);
    struct duplicates_result good = find(source, STATES_NEWEST, true);
    unsigned failed = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
        for (uint64_t nth = 1, done = 0; !done; nth++) {
            GError *error = NULL;
            struct duplicates_wish wish = wish_of(source, STATES_NEWEST, true);
            struct duplicates_result result = {0};
            fake_world_arm(&source->fake, (struct fake_fault){.call = calls[i], .nth = nth, .number = EIO});
            bool ok = duplicates_find_durable(&wish, &result, &error);
            done = source->fake.fired == 0;
            fake_world_arm(&source->fake, (struct fake_fault){0});
            failed += !ok;
            assert_true(ok || !done);
            assert_int_equal(ok, error == NULL);
            g_clear_error(&error);
            duplicates_result_done(&result);
            result = find(source, STATES_NEWEST, true);
            assert_true(digest_equal(result.digest, good.digest));
            duplicates_result_done(&result);
        }
    assert_true(failed > 10);
    duplicates_result_done(&good);
}

/* --- only some of them --- */

static struct chosen_result choose(struct source *source, const char *const *keys, size_t n_keys,
                                   const struct chosen_place *places, size_t n_places, bool has_skips)
{
    GError *error = NULL;
    struct chosen_result result = {0};
    struct slice asked[8];
    for (size_t i = 0; i < n_keys; i++)
        asked[i] = slice_of_text(keys[i]);
    struct chosen_wish wish = {.world = source->world,
                               .path = source->path,
                               .has_skips = has_skips,
                               .session = source->session,
                               .ds = &source->ds,
                               .bounds = source->bounds,
                               .n_parts = source->parts->len,
                               .keys = asked,
                               .n_keys = n_keys,
                               .places = places,
                               .n_places = n_places};
    memcpy(wish.run_uid, uid, sizeof uid);
    kit_ok(chosen_find_durable(&wish, &result, &error));
    return result;
}

static enum skip_reason reason_at(struct skiplist *list, uint32_t part, uint64_t offset)
{
    GError *error = NULL;
    struct skip skip;
    kit_ok(skiplist_find(list, part, offset, &skip, &error));
    return skip.reason;
}

static void of_what_is_asked_for_only_its_parts_are_left_and_losers_stay_losers(void **state)
{
    struct source *source = *state;
    put_text(source, "a.ndjson", "{\"id\":\"x\",\"v\":1}\n{\"id\":\"y\",\"v\":1}\n");
    put_text(source, "b.ndjson", "{\"id\":\"z\",\"v\":1}\n");
    put_text(source, "c.ndjson", "{\"id\":\"w\",\"v\":1}\n{\"id\":\n{\"id\":\"x\",\"v\":2}\n");
    split(source, 100);
    assert_int_equal(source->parts->len, 3);
    struct duplicates_result found = find(source, STATES_NEWEST, true);
    assert_true(found.listed);
    static const char *const keys[] = {"absent", "x"};
    static const struct chosen_place places[] = {{"a.ndjson", 9}, {"c.ndjson", 2}};
    struct chosen_result chosen = choose(source, keys, 2, places, 2, found.listed);
    assert_int_equal(chosen.parts->len, 2);
    const struct chosen_part *first = &g_array_index(chosen.parts, struct chosen_part, 0);
    const struct chosen_part *second = &g_array_index(chosen.parts, struct chosen_part, 1);
    assert_int_equal(first->of, 0);
    assert_int_equal(first->records, 1);
    assert_int_equal(first->losers, 1);
    assert_int_equal(second->of, 2);
    assert_int_equal(second->records, 2);
    assert_int_equal(second->losers, 0);
    assert_int_equal(chosen.gone->len, 2);
    assert_string_equal(chosen.gone->pdata[0], "absent");
    assert_string_equal(chosen.gone->pdata[1], "a.ndjson:9");
    auto_(skiplist) list = open_list(source);
    assert_true(digest_equal(skiplist_digest(list), chosen.digest));
    assert_string_equal(skiplist_gone(list)->pdata[1], "a.ndjson:9");
    assert_int_equal(reason_at(list, 0, 0), SKIP_SUPERSEDED);
    assert_int_equal(reason_at(list, 0, 17), SKIP_UNASKED);
    assert_int_equal(reason_at(list, 1, 0), SKIP_UNASKED);
    assert_int_equal(reason_at(list, 1, 17), SKIP_NOTHING); /* the line that is none */
    assert_int_equal(reason_at(list, 1, 24), SKIP_NOTHING);
    assert_int_equal(reason_at(list, 2, 0), SKIP_UNASKED);
    chosen_result_done(&chosen);
    duplicates_result_done(&found);
}

static void where_nothing_is_met_nothing_takes_part(void **state)
{
    struct source *source = *state;
    put_text(source, "a.ndjson", "{\"id\":\"x\",\"v\":1}\n");
    split(source, 100);
    static const char *const keys[] = {"absent"};
    struct chosen_result chosen = choose(source, keys, 1, NULL, 0, false);
    assert_int_equal(chosen.parts->len, 0);
    auto_(skiplist) list = open_list(source);
    assert_int_equal(reason_at(list, 0, 0), SKIP_UNASKED);
    chosen_result_done(&chosen);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_newest_state_stands),
        TEST(a_state_behind_or_beside_which_an_older_one_stands_may_not_remove_its_key),
        TEST(times_are_ordered_as_points_in_time),
        TEST(equal_states_are_one_and_the_first_place_stands),
        TEST(different_states_of_one_version_are_all_refused),
        TEST(states_whose_versions_cannot_be_compared_are_all_refused),
        TEST(states_without_a_version_are_one_where_they_are_equal),
        TEST(records_that_cannot_be_read_are_counted_and_do_not_matter),
        TEST(without_losers_there_is_no_list),
        TEST(all_keeps_every_state_and_counts_keys),
        TEST(duplicates_that_are_an_error_are_named_with_both_places),
        TEST(no_more_than_twenty_are_named),
        TEST(the_list_says_why_and_where_the_other_state_stands),
        TEST(many_states_are_decided_as_a_table_in_memory_would),
        TEST(any_number_of_workers_finds_the_same),
        TEST(a_key_of_very_many_states_is_decided),
        TEST(damage_and_the_list_of_another_run_are_refused),
        TEST(a_file_that_changes_meanwhile_ends_the_pass),
        TEST(a_pass_that_is_given_up_ends),
        TEST(a_pass_whose_disk_fails_can_be_repeated),
        TEST(of_what_is_asked_for_only_its_parts_are_left_and_losers_stay_losers),
        TEST(where_nothing_is_met_nothing_takes_part),
    };
    return cmocka_run_group_tests_name("listing/duplicates", tests, NULL, NULL);
}
