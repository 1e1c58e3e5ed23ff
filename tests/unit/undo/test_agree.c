/* Two decoders of one format: what src/undo and the store `undo:` say of the same log. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/calls.h"
#include "store/undo/undo_store.h"
#include "undo/chains.h"
#include "unit/undo/logs.h"

static const char *golden_dir(void)
{
    const char *source = g_getenv("SLUICE_SOURCE");
    return source ? source : "..";
}

/* A line for an entry: what was to go back, whole or by its digest. */
typedef void put_line(GString *into, uint32_t part, const struct record *before);

static void put_whole(GString *into, uint32_t part, const struct record *before)
{
    struct slice key = before->key, raw = before->raw;
    g_autofree char *key_text = g_base64_encode(key.data, key.len), *raw_text = g_base64_encode(raw.data, raw.len);
    g_string_append_printf(into, "%u %s %d %s %" G_GINT64_FORMAT, part, key_text, before->presence == RECORD_PRESENT,
                           raw_text, before->expires_at_ms);
}

static void put_digest(GString *into, uint32_t part, struct slice key, struct digest before)
{
    char text[DIGEST_TEXT];
    g_autofree char *key_text = g_base64_encode(key.data, key.len);
    g_string_append_printf(into, "%u %s %s", part, key_text, digest_text(before, text));
}

static void put_digest_of(GString *into, uint32_t part, const struct record *before)
{
    bool present = before->presence == RECORD_PRESENT;
    struct digest none = {0};
    put_digest(into, part, before->key, present ? digest_stored(before->raw, before->expires_at_ms) : none);
}

static void put_written(GString *into, struct digest written, bool deleted)
{
    char text[DIGEST_TEXT];
    g_string_append_printf(into, " %s %d\n", digest_text(written, text), deleted);
}

/* The applied entries of forward partitions up to `parts`, as src/undo reads them. */
static char *by_tail(const struct undo_config *config, uint32_t parts)
{
    GError *error = NULL;
    GString *text = g_string_new(NULL);
    auto_(arena) mem = arena_new(64 << 20);
    for (uint32_t part = 0; part < parts; part++) {
        struct undo_tail tail;
        arena_reset(mem);
        kit_ok(undo_tail_read(&tail, config, part, (struct undo_position){0, 0}, mem, &error));
        for (size_t i = 0; i < tail.n; i++) {
            const struct undo_left *entry = &tail.entries[i];
            if (entry->state != UNDO_APPLIED)
                continue;
            put_digest(text, part, entry->key, entry->before);
            put_written(text, entry->written, entry->verb == UNDO_DELETE);
        }
    }
    return g_string_free(text, FALSE);
}

struct opened {
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct arena *mem;
};

static void store_begin(struct opened *opened, const struct undo_config *config)
{
    GError *error = NULL;
    g_autofree char *uri = g_strconcat("undo:", config->dir, NULL);
    struct store_config store_config = {.uri = uri, .base_dir = "/", .read_only = true};
    *opened = (struct opened){.registry = store_registry_new(config->world, NULL), .mem = arena_new(64 << 20)};
    kit_ok(store_open(&opened->store, opened->registry, &store_config, &error));
    kit_ok(store_session_open(&opened->session, opened->store, &error));
}

static void store_end(struct opened *opened)
{
    store_session_close(opened->session);
    store_release(opened->registry, opened->store);
    store_registry_free(opened->registry);
    arena_free(opened->mem);
}

/* One part, or (part UINT32_MAX) everything; a new scan goes on from the cursor after every `resume` batches. */
static void scan_into(struct opened *opened, uint32_t part, size_t max_records, size_t resume, put_line *put,
                      GString *into)
{
    GError *error = NULL;
    struct dataset ds = {.name = ""};
    g_autoptr(GByteArray) cursor = g_byte_array_new();
    auto_(arena) kept = arena_new(4096);
    struct scan_spec spec = {.ds = &ds, .max_records = max_records, .max_bytes = 1 << 20};
    if (part != UINT32_MAX)
        spec.bounds = undo_part_bounds(part, kept);
    for (bool done = false; !done;) {
        auto_(scan) scan = NULL;
        spec.cursor = slice_of(cursor->data, cursor->len);
        kit_ok(store_scan_open(&scan, opened->session, &spec, &error));
        for (size_t i = 0; i < resume && !done; i++) {
            struct batch batch;
            struct call call = {.ds = &ds, .mem = opened->mem};
            arena_reset(opened->mem);
            kit_ok(store_scan_next(scan, &call, &batch, &error));
            assert_true(batch.n <= max_records);
            for (size_t j = 0; j < batch.n; j++) {
                const struct record *record = &batch.records[j];
                struct digest written;
                bool deleted;
                put(into, part, record);
                assert_true(undo_record_written(record, &written, &deleted));
                put_written(into, written, deleted);
            }
            g_byte_array_set_size(cursor, 0);
            g_byte_array_append(cursor, batch.cursor.data, (guint)batch.cursor.len);
            assert_true(batch.cursor.len <= 64);
            done = batch.done;
        }
    }
}

static char *by_store(const struct undo_config *config, uint32_t parts, size_t max_records, size_t resume,
                      put_line *put)
{
    struct opened opened;
    GString *text = g_string_new(NULL);
    store_begin(&opened, config);
    for (uint32_t part = 0; part < parts; part++)
        scan_into(&opened, part, max_records, resume, put, text);
    store_end(&opened);
    return g_string_free(text, FALSE);
}

static void assert_agree(const struct undo_config *config, uint32_t parts)
{
    static const size_t ways[][2] = {{1000, 1000}, {1, 1}, {3, 2}};
    g_autofree char *tail = by_tail(config, parts);
    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++) {
        g_autofree char *store = by_store(config, parts, ways[i][0], ways[i][1], put_digest_of);
        assert_string_equal(store, tail);
    }
}

/* --- random logs -------------------------------------------------------------------------------------------------- */

enum { PARTS = 5 };

static struct slice random_bytes(uint64_t *random, uint8_t *into, size_t most)
{
    size_t len = fake_next(random) % (most + 1);
    bool plain = fake_next(random) % 2; /* packs */
    for (size_t i = 0; i < len; i++)
        into[i] = plain ? (uint8_t)('a' + i % 3) : (uint8_t)fake_next(random);
    return slice_of(into, len);
}

static void random_batch(struct logs *logs, uint64_t *random, uint32_t lane, uint64_t *numbers)
{
    enum { MOST = 40, VALUE = 120, KEY = 12 };
    GError *error = NULL;
    struct undo_intent intents[MOST];
    uint8_t keys[MOST][KEY], values[MOST][VALUE], bits[(MOST + 7) / 8] = {0};
    uint32_t part = (uint32_t)(fake_next(random) % PARTS);
    size_t n = 1 + fake_next(random) % MOST;
    for (size_t i = 0; i < n; i++) {
        bool present = fake_next(random) % 3 != 0, deletes = fake_next(random) % 4 == 0;
        intents[i] = (struct undo_intent){
            .key = random_bytes(random, keys[i], KEY),
            .verb = deletes ? UNDO_DELETE : UNDO_PUT,
            .pre_present = present,
            .pre_raw = present ? random_bytes(random, values[i], VALUE) : SLICE_EMPTY,
            .pre_expires_at_ms = present ? (int64_t)fake_next(random) >> (fake_next(random) % 64) : 0,
            .written = deletes ? (struct digest){0, 0} : (struct digest){fake_next(random), fake_next(random)},
        };
        if (fake_next(random) % 4)
            bits[i / 8] = (uint8_t)(bits[i / 8] | 1 << (i % 8));
    }
    struct undo_batch batch = {part, lane, numbers[part] + 1, logs->sequence, intents, n};
    struct undo_outcome outcome = {part, lane, batch.first_number, n, slice_of(bits, (n + 7) / 8)};
    struct undo_position at;
    kit_ok(undo_intents_durable(logs->log, &batch, &at, &error));
    if (fake_next(random) % 10)
        kit_ok(undo_outcomes(logs->log, &outcome, &error));
    numbers[part] += n;
    logs->sequence += n;
}

static void random_log(struct logs *logs, const char *dir, uint64_t seed, size_t batches)
{
    uint64_t random = seed, numbers[PARTS] = {0};
    logs_init(logs, dir);
    logs->config.segment_bytes = 4000 + fake_next(&random) % 20000;
    for (uint32_t lane = 1; lane <= 3; lane++) {
        logs_open(logs);
        for (size_t i = 0; i < batches; i++)
            random_batch(logs, &random, lane, numbers);
        logs_sync(logs);
    }
    logs_close(logs);
}

static void both_decoders_agree_on_random_logs(void **state)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        g_autofree char *dir = g_strdup_printf("%s/%d", (char *)*state, (int)seed);
        struct logs logs;
        random_log(&logs, dir, seed, 30);
        assert_agree(&logs.config, PARTS + 1);
        logs_done(&logs);
    }
}

/* A bit anywhere: both pass over the same block. */
static void both_decoders_agree_on_damaged_logs(void **state)
{
    struct logs logs;
    uint64_t random = 77, differ = 0;
    random_log(&logs, *state, 7, 6);
    g_autofree char *whole_text = by_tail(&logs.config, PARTS);
    for (uint32_t segment = 1; segment <= 3; segment++) {
        g_autofree char *path = logs_segment(&logs, segment);
        g_autoptr(GByteArray) whole = logs_bytes(path);
        for (int i = 0; i < 60; i++) {
            logs_put_bytes(path, whole->data, whole->len);
            if (i % 6 == 0)
                logs_put_bytes(path, whole->data, fake_next(&random) % whole->len);
            else
                logs_flip(path, fake_next(&random) % whole->len);
            assert_agree(&logs.config, PARTS);
            g_autofree char *text = by_tail(&logs.config, PARTS);
            differ += strcmp(text, whole_text) != 0;
        }
        logs_put_bytes(path, whole->data, whole->len);
    }
    assert_true(differ > 100);
    logs_done(&logs);
}

static void the_store_sees_a_log_grow(void **state)
{
    struct logs logs;
    struct opened opened;
    logs_init(&logs, *state);
    logs_open(&logs);
    store_begin(&opened, &logs.config);
    for (uint64_t i = 1; i <= 6; i++) {
        if (i % 3 == 0)
            logs_open(&logs);
        logs_write(&logs, (uint32_t)(i % 2), i, "k", "A", "B");
        GString *text = g_string_new(NULL);
        scan_into(&opened, 0, 10, 10, put_digest_of, text);
        scan_into(&opened, 1, 10, 10, put_digest_of, text);
        g_autofree char *tail = by_tail(&logs.config, 2);
        assert_string_equal(text->str, tail);
        g_string_free(text, TRUE);
    }
    store_end(&opened);
    logs_done(&logs);
}

/* --- golden files --------------------------------------------------------------------------------------------------
 */

/* What tests/golden/undo/v1 was made from: every form there is. Run with SLUICE_GOLDEN_WRITE=DIR to make it again. */
static void golden_log(struct logs *logs)
{
    GError *error = NULL;
    struct undo_position at;
    g_autofree char *packs = g_strnfill(3000, 'p');
    struct undo_intent intents[] = {
        {.key = slice_of_text("alice"),
         .pre_present = true,
         .pre_raw = slice_of_text("{\"tier\":\"gol\"}"),
         .written = logs_digest("A")},
        {.key = slice_of_text("bob"), .written = logs_digest("B")},
        {.key = slice_of("\xff\x00\x01", 3),
         .verb = UNDO_DELETE,
         .pre_present = true,
         .pre_raw = slice_of("\x00\xfe", 2),
         .pre_expires_at_ms = 1783700000123},
        {.key = slice_of_text("never applied"), .pre_present = true, .written = logs_digest("C")},
        {.key = slice_of_text("before 1970"),
         .pre_present = true,
         .pre_expires_at_ms = -1,
         .written = logs_digest("D")},
    };
    struct undo_intent packed = {.key = slice_of_text("packed"),
                                 .pre_present = true,
                                 .pre_raw = slice_of_text(packs),
                                 .written = logs_digest("X")};
    struct undo_batch first = {0, 1, 1, 1, intents, 5}, second = {3, 2, 7, 6, &packed, 1};
    logs->config.segment_bytes = 400;
    logs_open(logs);
    kit_ok(undo_intents_durable(logs->log, &first, &at, &error));
    logs_outcomes(logs, 0, 1, 1, 5, 0x17);
    kit_ok(undo_intents_durable(logs->log, &second, &at, &error));
    logs->sequence = 7;
    logs_open(logs);
    logs_outcomes(logs, 3, 2, 7, 1, 1);
    logs_write(logs, 4, 1, "alice", "A", "Y");
    logs_write(logs, UNDO_ROLLBACK_PART, 1, "bob", "B", NULL);
    struct move unknown = {"unknown", "A", "B"};
    logs_intents(logs, 9, 1, 1, &unknown, 1);
    logs_close(logs);
}

static bool keep_line(void *self, const char *text, GError **error)
{
    g_string_append(self, text);
    g_string_append_c(self, '\n');
    return true;
}

static char *dump_of(const struct undo_config *config)
{
    GError *error = NULL;
    GString *text = g_string_new(NULL);
    struct document_lines lines = {.line = keep_line, .self = text};
    kit_ok(undo_dump(config, &lines, &error));
    return g_string_free(text, FALSE);
}

static char *content_of(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    char *text;
    GError *error = NULL;
    kit_ok(g_file_get_contents(path, &text, NULL, &error));
    return text;
}

static void write_golden(const char *into)
{
    struct logs logs;
    GError *error = NULL;
    static const uint32_t settled[] = {0, 3, 4};
    struct undo_filter filter = {settled, 3};
    logs_init(&logs, into);
    golden_log(&logs);
    kit_ok(undo_chains_build(&logs.config, &filter, &error));
    g_autofree char *dump = dump_of(&logs.config), *records = by_store(&logs.config, 10, 100, 1, put_whole);
    g_autofree char *dump_path = g_build_filename(into, "dump.ndjson", NULL),
                    *records_path = g_build_filename(into, "records.txt", NULL);
    assert_true(g_file_set_contents(dump_path, dump, -1, NULL));
    assert_true(g_file_set_contents(records_path, records, -1, NULL));
    logs_done(&logs);
}

static void golden_config(struct logs *logs, char **ret_dir)
{
    *ret_dir = g_build_filename(golden_dir(), "tests", "golden", "undo", "v1", NULL);
    logs_init(logs, *ret_dir);
}

static void version_1_reads_as_it_always_did(void **state)
{
    const char *into = g_getenv("SLUICE_GOLDEN_WRITE");
    struct logs logs;
    g_autofree char *dir = NULL;
    if (into)
        write_golden(into);
    golden_config(&logs, &dir);
    g_autofree char *dump = dump_of(&logs.config), *dump_expected = content_of(dir, "dump.ndjson");
    assert_string_equal(dump, dump_expected);
    g_autofree char *records = by_store(&logs.config, 10, 100, 1, put_whole),
                    *expected = content_of(dir, "records.txt");
    assert_string_equal(records, expected);
    assert_agree(&logs.config, 10);
    logs_done(&logs);
}

static void chains_of_version_1_read_as_they_always_did(void **state)
{
    struct logs logs;
    g_autofree char *dir = NULL;
    GError *error = NULL;
    golden_config(&logs, &dir);
    auto_(undo_chains) chains = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_chain_list list;
    kit_ok(undo_chains_open(&chains, &logs.config, &error));
    kit_ok(undo_chains_read(chains, 0, 10, mem, &list, &error));
    assert_int_equal(list.n, 4); /* bob was rolled back */
    kit_equal_text(list.chains[0].key, "alice");
    assert_true(digest_equal(list.chains[0].written, logs_digest("Y")));
    kit_equal_text(list.chains[0].pre_raw, "{\"tier\":\"gol\"}");
    assert_int_equal(list.chains[1].pre_expires_at_ms, 1783700000123);
    assert_int_equal(list.chains[2].pre_expires_at_ms, -1);
    logs_done(&logs);
}

/* Byte for byte: whoever changes the format on disk changes its version. */
static void the_writer_still_writes_version_1(void **state)
{
    static const char *const names[] = {"MANIFEST", "000001.undo", "000002.undo", "000003.undo", "000004.undo"};
    struct logs logs, golden;
    g_autofree char *dir = NULL;
    logs_init(&logs, *state);
    golden_log(&logs);
    golden_config(&golden, &dir);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *ours = g_build_filename(logs.dir, names[i], NULL),
                        *theirs = g_build_filename(golden.dir, names[i], NULL);
        g_autoptr(GByteArray) a = logs_bytes(ours), b = logs_bytes(theirs);
        assert_true(slice_equal(slice_of(a->data, a->len), slice_of(b->data, b->len)));
    }
    logs_done(&golden);
    logs_done(&logs);
}

/* --- the dump ------------------------------------------------------------------------------------------------------
 */

static void the_dump_names_damage(void **state)
{
    struct logs logs;
    logs_init(&logs, *state);
    logs_open(&logs);
    struct undo_position at = logs_write(&logs, 1, 1, "a", "A", "B");
    logs_write(&logs, 1, 2, "b", "A", "B");
    logs_write(&logs, 1, 3, "c", "A", "B");
    logs_close(&logs);
    g_autofree char *path = logs_segment(&logs, 1);
    logs_flip(path, at.offset + 80);
    g_autofree char *dump = dump_of(&logs.config);
    assert_non_null(strstr(dump, "{\"type\":\"damage\",\"segment\":1,\"offset\":56,\"part\":1,\"lane\":1,"
                                 "\"first_number\":1,\"count\":1,\"proven\":true}\n"));
    assert_null(strstr(dump, "\"key\":\"a\""));
    assert_non_null(strstr(dump, "\"key\":\"c\""));
    logs_done(&logs);
}

/* As many bits as there were writes, and none behind them: of every length, so that some fill what was allocated. */
static void the_dump_has_a_bit_for_each_outcome_and_no_more(void **state)
{
    enum { MOST = 64 };
    static const uint64_t EVERY_OTHER = UINT64_C(0xaaaaaaaaaaaaaaaa);
    struct logs logs;
    char bits[MOST];
    logs_init(&logs, *state);
    logs_open(&logs);
    for (size_t i = 0; i < MOST; i++)
        bits[i] = i % 2 ? '1' : '0';
    for (size_t n = 1; n <= MOST; n++)
        logs_outcomes(&logs, 1, 1, MOST * n, n, EVERY_OTHER);
    logs_close(&logs);
    g_autofree char *dump = dump_of(&logs.config);
    for (int n = 1; n <= MOST; n++) {
        g_autofree char *line = g_strdup_printf("\"applied\":\"%.*s\"}\n", n, bits);
        if (!strstr(dump, line))
            fail_msg("not in the dump: %s", line);
    }
    logs_done(&logs);
}

/* A file that stands alone, without the log that it is of. */
static void a_segment_alone_tells_what_the_log_tells_of_it(void **state)
{
    struct logs logs;
    GError *error = NULL;
    size_t told = 0;
    logs_init(&logs, *state);
    golden_log(&logs);
    g_autofree char *whole = dump_of(&logs.config);
    g_auto(GStrv) lines = g_strsplit(whole, "\n", 0);
    for (uint32_t segment = 1; segment <= 4; segment++) {
        g_autoptr(GString) text = g_string_new(NULL);
        struct document_lines into = {.line = keep_line, .self = text};
        g_autofree char *path = logs_segment(&logs, segment),
                        *of = g_strdup_printf("\"segment\":%u,\"offset\"", segment);
        kit_ok(undo_dump_segment(&logs.fake.world, path, &into, &error));
        for (size_t i = 0; lines[i]; i++) {
            told += strstr(lines[i], of) != NULL;
            if (strstr(lines[i], of) && !strstr(text->str, strstr(lines[i], of)))
                fail_msg("not told by the segment alone: %s", lines[i]);
        }
    }
    assert_int_equal(told, 18); /* blocks and entries */
    logs_done(&logs);
}

static bool refuse_line(void *self, const char *text, GError **error)
{
    return error_set(error, SLUICE_ERROR_CANCELLED, "enough");
}

static void the_dump_ends_when_its_reader_does(void **state)
{
    struct logs logs;
    GError *error = NULL;
    struct document_lines lines = {.line = refuse_line};
    logs_init(&logs, *state);
    logs_open(&logs);
    kit_refused(undo_dump(&logs.config, &lines, &error), CANCELLED, "enough");
    logs_done(&logs);
}

static char *next_key(struct scan *scan, struct opened *opened, const struct dataset *ds)
{
    GError *error = NULL;
    struct batch batch;
    struct call call = {.ds = ds, .mem = opened->mem};
    kit_ok(store_scan_next(scan, &call, &batch, &error));
    return batch.n ? g_strndup((const char *)batch.records[0].key.data, batch.records[0].key.len) : NULL;
}

/* The last segment as long as it is while the last outcomes are half on their way; back: whole. */
static void tear(const struct logs *logs, bool back)
{
    static char *whole;
    static gsize len;
    g_autofree char *path = logs_segment(logs, 1);
    if (!back) {
        assert_true(g_file_get_contents(path, &whole, &len, NULL));
        assert_int_equal(truncate(path, (off_t)(len - 40)), 0);
        return;
    }
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fwrite(whole, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    g_clear_pointer(&whole, g_free);
}

/* What one session finds in the log the others know as well: a scan that has begun meets blocks that were on their way
 * when it opened their segment, and takes none of them for damage. */
static void a_scan_meets_what_another_session_has_found(void **state)
{
    static const char *const KEYS[] = {"a", "b", "c"};
    struct logs logs;
    struct opened opened;
    struct session *other;
    struct scan *scan, *look;
    struct dataset ds = {.name = ""};
    struct scan_spec spec = {.ds = &ds, .max_records = 1, .max_bytes = 1 << 20};
    struct undo_losses losses;
    GError *error = NULL;
    logs_init(&logs, *state);
    logs_open(&logs);
    for (uint32_t i = 0; i < G_N_ELEMENTS(KEYS); i++)
        logs_write(&logs, i, 1, KEYS[i], "1", "2");
    tear(&logs, false);
    store_begin(&opened, &logs.config);
    kit_ok(store_session_open(&other, opened.store, &error));
    kit_ok(store_scan_open(&scan, opened.session, &spec, &error));
    for (uint32_t i = 0; i < G_N_ELEMENTS(KEYS); i++) {
        g_autofree char *key = next_key(scan, &opened, &ds);
        assert_non_null(key);
        assert_string_equal(key, KEYS[i]);
        if (i > 0)
            continue;
        tear(&logs, true);
        kit_ok(store_scan_open(&look, other, &spec, &error));
        store_scan_close(look);
    }
    undo_store_losses(opened.session, &losses);
    assert_int_equal(losses.damaged_blocks + losses.unsettled, 0);
    store_scan_close(scan);
    store_session_close(other);
    store_end(&opened);
    logs_done(&logs);
}

#define IN_DIR(name) cmocka_unit_test_setup_teardown(name, kit_dir_setup, kit_dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(both_decoders_agree_on_random_logs),
        IN_DIR(both_decoders_agree_on_damaged_logs),
        IN_DIR(the_store_sees_a_log_grow),
        IN_DIR(a_scan_meets_what_another_session_has_found),
        cmocka_unit_test(version_1_reads_as_it_always_did),
        cmocka_unit_test(chains_of_version_1_read_as_they_always_did),
        IN_DIR(the_writer_still_writes_version_1),
        IN_DIR(the_dump_names_damage),
        IN_DIR(the_dump_has_a_bit_for_each_outcome_and_no_more),
        IN_DIR(the_dump_ends_when_its_reader_does),
        IN_DIR(a_segment_alone_tells_what_the_log_tells_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
