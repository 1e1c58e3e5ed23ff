#include "quarantine/quarantine.h"

#include <errno.h>
#include <pthread.h>

#include "base/seal.h"
#include "kit/fake_world.h"
#include "kit/kit.h"

struct desk {
    struct fake_world fake;
    struct quarantine_config config;
    struct quarantine *quarantine;
    char *path;
    struct arena *mem;
};

static void desk_init(struct desk *desk, const char *dir)
{
    *desk = (struct desk){.mem = arena_new(64 << 20)};
    fake_world_init(&desk->fake);
    desk->path = g_build_filename(dir, "quarantine", "run.1.ndjson", NULL);
    desk->config = (struct quarantine_config){&desk->fake.world, desk->path, {0xab, 1, 2, 3}};
}

static void desk_close(struct desk *desk)
{
    quarantine_free(desk->quarantine);
    desk->quarantine = NULL;
}

static void desk_open(struct desk *desk)
{
    GError *error = NULL;
    desk_close(desk);
    kit_ok(quarantine_open(&desk->quarantine, &desk->config, &error));
}

static void desk_done(struct desk *desk)
{
    desk_close(desk);
    arena_free(desk->mem);
    g_free(desk->path);
}

static struct quarantine_row row_of(const char *key)
{
    return (struct quarantine_row){
        .key = slice_of_text(key), .code = SLUICE_ERROR_CONTRACT_SAYS, .reason = "tier: expected one of bronze, gold"};
}

static void put(struct desk *desk, uint32_t part, uint32_t lane, uint64_t checkpoint, const char *key)
{
    GError *error = NULL;
    struct quarantine_row row = row_of(key);
    struct quarantine_batch batch = {part, lane, checkpoint, &row, 1};
    kit_ok(quarantine_append(desk->quarantine, &batch, &error));
}

/* All that a filter finds; the keys, joined by blanks. */
static char *keys_of(struct desk *desk, const struct quarantine_filter *filter)
{
    GError *error = NULL;
    auto_(quarantine_reader) reader = NULL;
    GString *keys = g_string_new(NULL);
    kit_ok(quarantine_reader_open(&reader, &desk->config, filter, &error));
    for (struct quarantine_entry *entry;;) {
        kit_ok(quarantine_next(reader, desk->mem, &entry, &error));
        if (!entry)
            break;
        g_string_append_printf(keys, "%s%.*s", keys->len ? " " : "", (int)entry->key.len,
                               (const char *)entry->key.data);
    }
    return g_string_free(keys, FALSE);
}

#define assert_keys(desk, filter, expected)                                                                            \
    do {                                                                                                               \
        g_autofree char *found = keys_of(desk, filter);                                                                \
        assert_string_equal(found, expected);                                                                          \
    } while (0)

static GString *content(const struct desk *desk)
{
    gchar *data;
    gsize len;
    assert_true(g_file_get_contents(desk->path, &data, &len, NULL));
    GString *text = g_string_new_len(data, (gssize)len);
    g_free(data);
    return text;
}

static void set_content(const struct desk *desk, const char *data, size_t len)
{
    assert_true(g_file_set_contents(desk->path, data, (gssize)len, NULL));
}

static struct slice document_of(struct desk *desk, const char *json)
{
    GError *error = NULL;
    struct slice document = SLICE_EMPTY;
    kit_ok(document_from_json(slice_of_text(json), desk->mem, &document, NULL, &error));
    return document;
}

static struct quarantine_entry *first_entry(struct desk *desk)
{
    GError *error = NULL;
    auto_(quarantine_reader) reader = NULL;
    struct quarantine_entry *entry = NULL;
    kit_ok(quarantine_reader_open(&reader, &desk->config, NULL, &error));
    kit_ok(quarantine_next(reader, desk->mem, &entry, &error));
    assert_non_null(entry);
    assert_int_equal(quarantine_reader_damaged(reader), 0);
    return entry;
}

static void put_row(struct desk *desk, const struct quarantine_row *row)
{
    GError *error = NULL;
    struct quarantine_batch batch = {7, 2, 3, row, 1};
    kit_ok(quarantine_append(desk->quarantine, &batch, &error));
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static void a_row_is_read_back_with_all_it_says(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    const char *json = "{\"a\":9007199254740993,\"b\":0.10,\"c\":18446744073709551615,\"d\":\",\\\"document\\\":{}\"}";
    struct quarantine_row row = row_of("anna");
    row.file = "customers-1.ndjson";
    row.line = 4711;
    row.column = 14;
    row.document = document_of(&desk, json);
    put_row(&desk, &row);
    struct quarantine_entry *entry = first_entry(&desk);
    assert_int_equal(entry->part, 7);
    assert_int_equal(entry->lane, 2);
    assert_int_equal(entry->checkpoint, 3);
    assert_int_equal(entry->number, 1);
    kit_equal_text(entry->key, "anna");
    assert_string_equal(entry->code, "contract-says");
    assert_string_equal(entry->reason, row.reason);
    assert_string_equal(entry->file, row.file);
    assert_int_equal(entry->line, 4711);
    assert_int_equal(entry->column, 14);
    kit_equal_text(entry->document, json);
    assert_int_equal(entry->raw.len, 0);
    desk_done(&desk);
}

static void a_row_is_one_line_of_json(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    struct quarantine_row row = row_of("a\nb\"\\");
    row.reason = "line one\nline two \xff end";
    row.document = document_of(&desk, "{\"x\":\"1\\n2\"}");
    put_row(&desk, &row);
    g_autoptr(GString) text = NULL;
    text = content(&desk);
    g_auto(GStrv) lines = g_strsplit(text->str, "\n", -1);
    assert_int_equal(g_strv_length(lines), 3);
    assert_string_equal(lines[0], "{\"quarantine\":1,\"run\":\"ab010203000000000000000000000000\"}");
    assert_non_null(strstr(lines[1], ",\"reason\":\"line one\\nline two \xef\xbf\xbd end\",\"document\":{\"x\":"));
    document_of(&desk, lines[1]);
    kit_equal_text(first_entry(&desk)->text, lines[1]);
    kit_equal_text(first_entry(&desk)->key, "a\nb\"\\");
    desk_done(&desk);
}

static void what_is_not_there_is_not_made_up(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    struct quarantine_row row = {.code = SLUICE_ERROR_BAD_RECORD, .reason = ""};
    put_row(&desk, &row);
    struct quarantine_entry *entry = first_entry(&desk);
    assert_int_equal(entry->key.len, 0);
    assert_null(entry->file);
    assert_int_equal(entry->line, 0);
    assert_int_equal(entry->document.len, 0);
    assert_int_equal(entry->raw.len, 0);
    assert_string_equal(entry->reason, "");
    desk_done(&desk);
}

static void of_what_was_no_document_the_first_4_KiB_are_kept(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    uint8_t raw[QUARANTINE_RAW_BYTES + 100];
    for (size_t i = 0; i < sizeof raw; i++)
        raw[i] = (uint8_t)(i * 7);
    struct quarantine_row row = {.code = SLUICE_ERROR_BAD_RECORD, .reason = "unexpected end"};
    row.raw = slice_of(raw, sizeof raw);
    put_row(&desk, &row);
    struct quarantine_entry *entry = first_entry(&desk);
    assert_true(slice_equal(entry->raw, slice_of(raw, QUARANTINE_RAW_BYTES)));
    desk_done(&desk);
}

static void keys_of_any_bytes_survive(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } keys[] = {{"plain", 5}, {"\0nul\0", 5}, {"\xff\xfe\x00", 3}, {"{\"base64\":\"AA==\"}", 17}, {"\xc3\xa4", 2}};
    struct desk desk;
    desk_init(&desk, *state);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        remove(desk.path);
        desk_open(&desk);
        struct quarantine_row row = row_of("");
        row.key = slice_of(keys[i].bytes, keys[i].len);
        put_row(&desk, &row);
        assert_true(slice_equal(first_entry(&desk)->key, row.key));
        g_autofree char *found = keys_of(&desk, &(struct quarantine_filter){.key = &row.key});
        assert_true(strlen(found) > 0 || keys[i].bytes[0] == '\0');
    }
    desk_done(&desk);
}

static void a_document_nested_as_deep_as_may_be_is_kept(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    GString *json = g_string_new(NULL);
    for (int i = 0; i < DOCUMENT_DEPTH; i++)
        g_string_append(json, "{\"a\":");
    g_string_append_c(json, '1');
    for (int i = 0; i < DOCUMENT_DEPTH; i++)
        g_string_append_c(json, '}');
    struct quarantine_row row = row_of("deep");
    row.document = document_of(&desk, json->str);
    put_row(&desk, &row);
    kit_equal_text(first_entry(&desk)->document, json->str);
    g_string_free(json, TRUE);
    desk_done(&desk);
}

static void lines_longer_than_any_buffer_are_read(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    g_autofree char *value = g_strnfill(3 << 20, 'x');
    g_autofree char *json = g_strdup_printf("{\"v\":\"%s\"}", value);
    struct quarantine_row row = row_of("long");
    row.document = document_of(&desk, json);
    put(&desk, 1, 1, 1, "before");
    put_row(&desk, &row);
    put(&desk, 1, 1, 1, "after");
    assert_keys(&desk, NULL, "before long after");
    desk_open(&desk);
    assert_int_equal(quarantine_count(desk.quarantine), 3);
    desk_done(&desk);
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static void without_a_refusal_there_is_no_file_and_no_sync(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    GError *error = NULL;
    struct quarantine_batch none = {.part = 1};
    kit_ok(quarantine_append(desk.quarantine, &none, &error));
    kit_ok(quarantine_sync_durable(desk.quarantine, &error));
    assert_int_equal(desk.fake.synced, 0);
    assert_false(g_file_test(desk.path, G_FILE_TEST_EXISTS));
    assert_keys(&desk, NULL, "");
    desk_done(&desk);
}

static void a_sync_without_new_rows_costs_nothing(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    GError *error = NULL;
    put(&desk, 1, 1, 1, "a");
    kit_ok(quarantine_sync_durable(desk.quarantine, &error));
    uint64_t synced = desk.fake.synced;
    kit_ok(quarantine_sync_durable(desk.quarantine, &error));
    assert_int_equal(desk.fake.synced, synced);
    put(&desk, 1, 1, 2, "b");
    kit_ok(quarantine_sync_durable(desk.quarantine, &error));
    assert_int_equal(desk.fake.synced, synced + 1);
    desk_done(&desk);
}

static void numbers_go_on_after_reopening(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    put(&desk, 1, 1, 1, "a");
    put(&desk, 1, 1, 1, "b");
    desk_open(&desk);
    put(&desk, 1, 1, 1, "c");
    assert_int_equal(quarantine_count(desk.quarantine), 3);
    uint64_t third = 3, none = 4;
    assert_keys(&desk, &(struct quarantine_filter){.number = &third}, "c");
    assert_keys(&desk, &(struct quarantine_filter){.number = &none}, "");
    desk_done(&desk);
}

static void filters_pick_what_is_asked_for(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    put(&desk, 1, 1, 1, "a");
    put(&desk, 2, 1, 1, "b");
    struct quarantine_row row = row_of("c");
    row.code = SLUICE_ERROR_LUA;
    put_row(&desk, &row);
    uint32_t part = 2;
    struct slice key = slice_of_text("a");
    struct quarantine_mark marks[] = {{1, 1, 0}, {7, 2, 3}};
    assert_keys(&desk, &(struct quarantine_filter){.part = &part}, "b");
    assert_keys(&desk, &(struct quarantine_filter){.code = "lua"}, "c");
    assert_keys(&desk, &(struct quarantine_filter){.key = &key}, "a");
    assert_keys(&desk, (&(struct quarantine_filter){.key = &key, .code = "lua"}), "");
    assert_keys(&desk, (&(struct quarantine_filter){.marks = marks, .n_marks = 2}), "b c");
    desk_done(&desk);
}

static void a_file_torn_at_any_byte_loses_only_its_last_line(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    put(&desk, 1, 1, 1, "a");
    put(&desk, 1, 1, 1, "b");
    desk_close(&desk);
    g_autoptr(GString) whole = content(&desk);
    for (size_t len = 0; len < whole->len; len++) {
        set_content(&desk, whole->str, len);
        size_t lines = 0;
        for (size_t i = 0; i < len; i++)
            lines += whole->str[i] == '\n';
        const char *expected = lines >= 2 ? "a" : "";
        assert_keys(&desk, NULL, expected);
        desk_open(&desk);
        assert_keys(&desk, NULL, expected);
        put(&desk, 1, 1, 1, "c");
        assert_keys(&desk, NULL, lines >= 2 ? "a c" : "c");
        desk_close(&desk);
    }
    desk_done(&desk);
}

static void a_line_that_does_not_verify_is_counted_and_passed_over(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    put(&desk, 1, 1, 1, "a");
    put(&desk, 1, 1, 1, "b");
    put(&desk, 1, 1, 1, "c");
    desk_close(&desk);
    g_autoptr(GString) whole = content(&desk);
    size_t first = (size_t)(strchr(whole->str, '\n') - whole->str) + 1;
    size_t end = first + (size_t)(strchr(whole->str + first, '\n') - (whole->str + first));
    for (size_t at = first; at < end; at++) {
        g_autofree char *bent = g_strdup(whole->str);
        bent[at] ^= 0x40;
        set_content(&desk, bent, whole->len);
        GError *error = NULL;
        auto_(quarantine_reader) reader = NULL;
        struct quarantine_entry *entry = NULL;
        kit_ok(quarantine_reader_open(&reader, &desk.config, NULL, &error));
        kit_ok(quarantine_next(reader, desk.mem, &entry, &error));
        kit_equal_text(entry->key, "b");
        assert_int_equal(quarantine_reader_damaged(reader), 1);
    }
    desk_done(&desk);
}

static void what_is_no_quarantine_of_this_run_is_refused(void **state)
{
    static const char *const texts[] = {"hello\n", "{\"quarantine\":1,\"run\":\"00010203000000000000000000000000\"}\n",
                                        "{\"quarantine\":2,\"run\":\"ab010203000000000000000000000000\"}\n", "\n"};
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    put(&desk, 1, 1, 1, "a");
    desk_close(&desk);
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        GError *error = NULL;
        struct quarantine_reader *reader;
        set_content(&desk, texts[i], strlen(texts[i]));
        kit_refused(quarantine_open(&desk.quarantine, &desk.config, &error), CORRUPT, "not the quarantine of this run");
        kit_refused(quarantine_reader_open(&reader, &desk.config, NULL, &error), CORRUPT, "run.1.ndjson:1:");
    }
    desk_done(&desk);
}

/* --- cutting ------------------------------------------------------------------------------------------------------ */

static void rows_beyond_the_newest_checkpoint_are_cut(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    put(&desk, 1, 1, 1, "kept");
    put(&desk, 2, 1, 9, "other");
    put(&desk, 1, 1, 2, "gone");
    put(&desk, 3, 1, 1, "none");
    put(&desk, 1, 1, 1, "late");
    desk_open(&desk);
    GError *error = NULL;
    struct quarantine_mark marks[] = {{1, 2, 1}, {3, 2, 0}, {4, 1, 5}};
    kit_ok(quarantine_cut_durable(desk.quarantine, marks, 3, &error));
    assert_keys(&desk, NULL, "kept other late");
    assert_int_equal(quarantine_count(desk.quarantine), 3);
    put(&desk, 1, 2, 2, "again");
    desk_open(&desk);
    assert_keys(&desk, NULL, "kept other late again");
    uint64_t sixth = 6;
    assert_keys(&desk, &(struct quarantine_filter){.number = &sixth}, "again");
    desk_done(&desk);
}

static void a_cut_that_removes_nothing_touches_nothing(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    put(&desk, 1, 1, 1, "a");
    desk_open(&desk);
    GError *error = NULL;
    struct quarantine_mark marks[] = {{1, 2, 1}, {2, 1, 0}};
    uint64_t writes = desk.fake.writes, synced = desk.fake.synced;
    kit_ok(quarantine_cut_durable(desk.quarantine, marks, 2, &error));
    assert_int_equal(desk.fake.writes, writes);
    assert_int_equal(desk.fake.synced, synced);
    assert_keys(&desk, NULL, "a");
    desk_done(&desk);
}

static void a_holder_of_a_lower_lane_appends_no_more(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    GError *error = NULL;
    struct quarantine_mark mark = {1, 5, 0};
    struct quarantine_row row = row_of("late");
    struct quarantine_batch late = {1, 4, 1, &row, 1}, mine = {1, 5, 1, &row, 1};
    kit_ok(quarantine_cut_durable(desk.quarantine, &mark, 1, &error));
    kit_refused(quarantine_append(desk.quarantine, &late, &error), FENCED, "lane 5");
    kit_ok(quarantine_append(desk.quarantine, &mine, &error));
    desk_done(&desk);
}

static void damage_at_the_end_goes_with_the_cut_and_stays_before_a_row_that_stays(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    put(&desk, 1, 1, 1, "a");
    desk_close(&desk);
    g_autoptr(GString) text = content(&desk);
    g_string_append(text, "damage\n");
    set_content(&desk, text->str, text->len);
    desk_open(&desk);
    put(&desk, 1, 1, 1, "b");
    desk_close(&desk);
    text = (g_string_free(text, TRUE), content(&desk));
    g_string_append(text, "lost pages\n\n");
    set_content(&desk, text->str, text->len);
    desk_open(&desk);
    put(&desk, 1, 1, 2, "cut");
    GError *error = NULL;
    struct quarantine_mark mark = {1, 2, 1};
    kit_ok(quarantine_cut_durable(desk.quarantine, &mark, 1, &error));
    assert_keys(&desk, NULL, "a b");
    g_autoptr(GString) left = content(&desk);
    assert_non_null(strstr(left->str, "damage\n"));
    assert_null(strstr(left->str, "lost pages"));
    desk_done(&desk);
}

/* --- faults ------------------------------------------------------------------------------------------------------- */

static void after_a_failed_sync_every_call_fails(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk_open(&desk);
    put(&desk, 1, 1, 1, "a");
    desk.fake.fault = (struct fake_fault){.call = "fsync", .nth = 1, .number = EIO};
    desk.fake.calls = 0;
    GError *error = NULL;
    struct quarantine_row row = row_of("b");
    struct quarantine_batch batch = {1, 1, 1, &row, 1};
    struct quarantine_mark mark = {1, 1, 0};
    kit_refused(quarantine_sync_durable(desk.quarantine, &error), SYNC_FAILED, "run.1.ndjson");
    kit_refused(quarantine_sync_durable(desk.quarantine, &error), SYNC_FAILED, "run.1.ndjson");
    kit_refused(quarantine_append(desk.quarantine, &batch, &error), SYNC_FAILED, "run.1.ndjson");
    kit_refused(quarantine_cut_durable(desk.quarantine, &mark, 1, &error), SYNC_FAILED, "run.1.ndjson");
    desk_done(&desk);
}

/* Each file call fails once: what was made durable below its checkpoint is there when it is opened again, and what lay
 * beyond is gone after the cut. */
static void whichever_call_fails_durable_rows_stay(void **state)
{
    uint64_t fired = 1;
    for (uint64_t nth = 1; fired; nth++) {
        g_autofree char *dir = g_strdup_printf("%s/%" G_GUINT64_FORMAT, (char *)*state, (guint64)nth);
        struct desk desk;
        desk_init(&desk, dir);
        desk.fake.fault = (struct fake_fault){.nth = nth, .number = nth % 2 ? ENOSPC : EIO};
        GError *error = NULL;
        struct quarantine_row row = row_of("a");
        struct quarantine_batch first = {1, 1, 1, &row, 1}, second = {1, 1, 2, &row, 1};
        struct quarantine_mark mark = {1, 2, 1};
        bool durable = quarantine_open(&desk.quarantine, &desk.config, &error) &&
                       quarantine_append(desk.quarantine, &first, &error) &&
                       quarantine_sync_durable(desk.quarantine, &error);
        bool cut = durable && quarantine_append(desk.quarantine, &second, &error) &&
                   quarantine_cut_durable(desk.quarantine, &mark, 1, &error);
        g_clear_error(&error);
        fired = desk.fake.fired;
        assert_true(fired || cut);
        desk.fake.fault = (struct fake_fault){.nth = 0};
        desk_open(&desk);
        kit_ok(quarantine_cut_durable(desk.quarantine, &mark, 1, &error));
        assert_true(quarantine_count(desk.quarantine) == 1 || (!durable && quarantine_count(desk.quarantine) == 0));
        desk_done(&desk);
        assert_true(nth < 1000);
    }
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

enum { WORKERS = 4, BATCHES = 10 };

struct worker {
    struct desk *desk;
    uint32_t part;
    bool ok;
};

static void *work(void *user)
{
    struct worker *worker = user;
    struct quarantine *quarantine = worker->desk->quarantine;
    worker->ok = true;
    for (uint64_t i = 1; i <= BATCHES; i++) {
        struct quarantine_row rows[] = {row_of("a"), row_of("b")};
        struct quarantine_batch kept = {worker->part, 1, i, rows, 2}, cut = {worker->part, 1, i + 1, rows, 1};
        struct quarantine_mark mark = {worker->part, 1, i};
        worker->ok = worker->ok && quarantine_append(quarantine, &kept, NULL) &&
                     quarantine_sync_durable(quarantine, NULL) && quarantine_append(quarantine, &cut, NULL) &&
                     quarantine_cut_durable(quarantine, &mark, 1, NULL);
    }
    return NULL;
}

static void all_work(struct desk *desk, void *(*body)(void *))
{
    pthread_t threads[WORKERS];
    struct worker workers[WORKERS];
    for (uint32_t i = 0; i < WORKERS; i++) {
        workers[i] = (struct worker){desk, i, false};
        pthread_create(&threads[i], NULL, body, &workers[i]);
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < WORKERS; i++)
        assert_true(workers[i].ok);
}

static void workers_append_sync_and_cut_together(void **state)
{
    struct desk desk;
    desk_init(&desk, *state);
    desk.config.world = world_real();
    desk_open(&desk);
    all_work(&desk, work);
    assert_int_equal(quarantine_count(desk.quarantine), WORKERS * BATCHES * 2);
    desk_open(&desk);
    assert_int_equal(quarantine_count(desk.quarantine), WORKERS * BATCHES * 2);
    desk_done(&desk);
}

enum { LARGE_BYTES = 256 << 10 };

/* A row that takes long to be written as JSON, or one that is written at once. */
static void *append_some(void *user)
{
    struct worker *worker = user;
    g_autofree char *large = g_strnfill(LARGE_BYTES, 'x');
    bson_t document = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&document, "text", worker->part % 2 ? "" : large);
    struct quarantine_row row = row_of("a");
    row.document = slice_of(bson_get_data(&document), document.len);
    worker->ok = true;
    for (uint64_t i = 1; i <= BATCHES; i++) {
        struct quarantine_batch batch = {worker->part, 1, i, &row, 1};
        worker->ok = worker->ok && quarantine_append(worker->desk->quarantine, &batch, NULL);
    }
    bson_destroy(&document);
    return NULL;
}

static void rows_stand_in_the_order_of_their_numbers_whoever_is_faster(void **state)
{
    struct desk desk;
    GError *error = NULL;
    desk_init(&desk, *state);
    desk.config.world = world_real();
    desk_open(&desk);
    all_work(&desk, append_some);
    auto_(quarantine_reader) reader = NULL;
    struct quarantine_entry *entry;
    kit_ok(quarantine_reader_open(&reader, &desk.config, NULL, &error));
    for (uint64_t number = 1; number <= WORKERS * BATCHES; number++) {
        arena_reset(desk.mem);
        kit_ok(quarantine_next(reader, desk.mem, &entry, &error));
        assert_non_null(entry);
        assert_int_equal(entry->number, number);
    }
    desk_done(&desk);
}

static bool find_key(void *self, const uint8_t uid[16], const char *what, struct seal_key *ret, bool *ret_found,
                     GError **error)
{
    memset(ret->bytes, *(const int *)self, sizeof ret->bytes);
    *ret_found = *(const int *)self != 0;
    return true;
}

static void sealed_rows_say_what_the_others_do_to_who_has_the_key_and_nothing_to_others(void **state)
{
    static const struct world_seals seals = {.find = find_key};
    int key = 7;
    struct desk desk;
    GError *error = NULL;
    desk_init(&desk, *state);
    desk.fake.world.seals = &seals;
    desk.fake.world.seals_self = &key;
    desk.config.sealed_as = "quarantine";
    desk_open(&desk);
    put(&desk, 1, 1, 1, "zebedee");
    put(&desk, 2, 1, 1, "nobody");
    put(&desk, 2, 1, 2, "beyond");
    desk_open(&desk);
    assert_int_equal(quarantine_count(desk.quarantine), 3);
    struct quarantine_mark mark = {.part = 2, .lane = 2, .checkpoint = 1};
    kit_ok(quarantine_cut_durable(desk.quarantine, &mark, 1, &error));
    put(&desk, 2, 2, 2, "again");
    struct slice asked = slice_of_text("zebedee");
    assert_keys(&desk, NULL, "zebedee nobody again");
    assert_keys(&desk, (&(struct quarantine_filter){.key = &asked}), "zebedee");
    assert_keys(&desk, (&(struct quarantine_filter){.code = "contract-says", .part = &(uint32_t){2}}), "nobody again");
    GString *text = content(&desk);
    assert_non_null(strstr(text->str, "\"sealed\":\"quarantine\""));
    assert_null(strstr(text->str, "zebedee"));
    assert_null(strstr(text->str, "tier"));
    g_string_free(text, TRUE);
    auto_(quarantine_reader) reader = NULL;
    key = 8;
    kit_ok(quarantine_reader_open(&reader, &desk.config, NULL, &error));
    struct quarantine_entry *entry;
    kit_refused(quarantine_next(reader, desk.mem, &entry, &error), CORRUPT, "the key does not open it");
    desk_done(&desk);
}

#define IN_DIR(name) cmocka_unit_test_setup_teardown(name, kit_dir_setup, kit_dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(a_row_is_read_back_with_all_it_says),
        IN_DIR(a_row_is_one_line_of_json),
        IN_DIR(what_is_not_there_is_not_made_up),
        IN_DIR(of_what_was_no_document_the_first_4_KiB_are_kept),
        IN_DIR(keys_of_any_bytes_survive),
        IN_DIR(a_document_nested_as_deep_as_may_be_is_kept),
        IN_DIR(lines_longer_than_any_buffer_are_read),
        IN_DIR(without_a_refusal_there_is_no_file_and_no_sync),
        IN_DIR(a_sync_without_new_rows_costs_nothing),
        IN_DIR(numbers_go_on_after_reopening),
        IN_DIR(filters_pick_what_is_asked_for),
        IN_DIR(a_file_torn_at_any_byte_loses_only_its_last_line),
        IN_DIR(a_line_that_does_not_verify_is_counted_and_passed_over),
        IN_DIR(what_is_no_quarantine_of_this_run_is_refused),
        IN_DIR(rows_beyond_the_newest_checkpoint_are_cut),
        IN_DIR(a_cut_that_removes_nothing_touches_nothing),
        IN_DIR(a_holder_of_a_lower_lane_appends_no_more),
        IN_DIR(damage_at_the_end_goes_with_the_cut_and_stays_before_a_row_that_stays),
        IN_DIR(after_a_failed_sync_every_call_fails),
        IN_DIR(whichever_call_fails_durable_rows_stay),
        IN_DIR(workers_append_sync_and_cut_together),
        IN_DIR(rows_stand_in_the_order_of_their_numbers_whoever_is_faster),
        IN_DIR(sealed_rows_say_what_the_others_do_to_who_has_the_key_and_nothing_to_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
