/* The driver `file`, reading: formats, archives, and every input that is wrong. */
#include "base/int.h"
#include "test_file_kit.h"

/* --- NDJSON ---------------------------------------------------------------------------------------------------------
 */

static void lines_are_records_with_their_keys_and_places(void **state)
{
    struct files *files = *state;
    files_put_text(files, "a.ndjson", "{\"id\":\"x\",\"n\":1}\n{\"id\":\"y\",\"n\":0.10}\n");
    size_t n;
    struct record *records = files_scan(files, "*.ndjson", &n);
    assert_int_equal(n, 2);
    assert_document(&records[0], "{\"id\":\"x\",\"n\":1}");
    assert_document(&records[1], "{\"id\":\"y\",\"n\":0.10}");
    kit_equal_text(records[1].key, "y");
    assert_string_equal(records[1].at.file, "a.ndjson");
    assert_int_equal(records[1].at.line, 2);
    assert_int_equal(records[1].at.offset, 17);
    assert_int_equal(records[1].expires_at_ms, EXPIRES_NEVER);
}

static void blank_lines_crlf_bom_and_a_missing_last_line_end_are_no_matter(void **state)
{
    struct files *files = *state;
    files_put_text(files, "a.jsonl", "\xef\xbb\xbf{\"id\":1}\r\n\r\n  \t\n{\"id\":2}\n\n{\"id\":3}");
    size_t n;
    struct record *records = files_scan(files, "*.jsonl", &n);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(records[i].presence, RECORD_PRESENT);
    assert_int_equal(records[0].at.offset, 3);
    assert_int_equal(records[1].at.line, 4);
    assert_int_equal(records[2].at.line, 6);
    kit_equal_text(records[2].key, "3");
}

static void empty_files_hold_nothing(void **state)
{
    struct files *files = *state;
    files_put_text(files, "a.ndjson", "");
    files_put_text(files, "b.json", "");
    files_put_text(files, "c.csv", "");
    files_put_text(files, "d.csv", "id,name\n");
    files_put_text(files, "e.ndjson", "\n\n");
    files_put_text(files, "f.json", " []\n");
    size_t n;
    files_scan(files, "*", &n);
    assert_int_equal(n, 0);
}

static void a_line_that_cannot_be_read_is_one_fault_with_its_place(void **state)
{
    static const struct {
        const char *line, *part;
        uint32_t column;
    } rows[] = {
        {"{\"id\":1", "at the end", 8},
        {"{\"id\":1}}", "expected the end of the record", 9},
        {"{\"id\":1,\"a\":\"\xff\"}", "UTF-8", 14},
        {"{\"id\":1,\"a\":\"\\ud800\"}", "", 14},
        {"{\"id\":1,\"id\":2}", "expected a key that this object does not have yet", 9},
        {"[1]", "expected '{'", 1},
        {"nonsense", "expected '{'", 1},
        {"{\"id\":1,\"n\":1e6200}", "", 13},
        {"{\"name\":1}", "there is nothing at 'id'", 1},
        {"{\"id\":null}", "'id' is null", 1},
        {"{\"id\":\"\"}", "'id' is empty", 1},
        {"{\"id\":[]}", "'id' is an array", 1},
    };
    struct files *files = *state;
    g_autoptr(GString) text = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        g_string_append_printf(text, "%s\n{\"id\":\"after\"}\n", rows[i].line);
    files_put(files, "a.ndjson", slice_of(text->str, text->len));
    size_t n;
    struct record *records = files_scan(files, "a.ndjson", &n);
    assert_int_equal(n, 2 * G_N_ELEMENTS(rows));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        assert_fault_at(&records[2 * i], rows[i].part, 2 * i + 1, rows[i].column);
        assert_int_equal(records[2 * i].key.len, 0);
        kit_equal_text(records[2 * i].raw, rows[i].line);
        kit_equal_text(records[2 * i + 1].key, "after");
    }
}

static void nesting_100_000_deep_is_a_fault(void **state)
{
    struct files *files = *state;
    enum { DEEP = 100000 };
    g_autoptr(GString) text = g_string_new("{\"id\":1}\n{\"id\":2,\"a\":");
    for (int i = 0; i < DEEP; i++)
        g_string_append_c(text, '[');
    for (int i = 0; i < DEEP; i++)
        g_string_append_c(text, ']');
    g_string_append(text, "}\n{\"id\":3}\n");
    files_put(files, "a.ndjson", slice_of(text->str, text->len));
    files_put(files, "a.json", slice_of(text->str, text->len));
    for (int i = 0; i < 2; i++) {
        size_t n;
        struct record *records = files_scan(files, i ? "a.json" : "a.ndjson", &n);
        assert_int_equal(n, 3);
        assert_fault_at(&records[1], "nest", 2, 112);
        kit_equal_text(records[2].key, "3");
    }
}

static void put_large(struct files *files, const char *name, const char *before, size_t len, const char *after)
{
    GString *text = g_string_new(before);
    gsize begin = text->len;
    g_string_set_size(text, begin + len);
    memset(text->str + begin, 'x', len);
    g_string_append(text, after);
    files_put(files, name, slice_of(text->str, text->len));
    g_string_free(text, TRUE);
}

/* The window of a scan. Under the address sanitizer, which keeps what has been freed, the peak says nothing. */
#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
enum { MOST_KIB = INT_MAX };
#else
enum { MOST_KIB = 24 << 10 };
#endif

static uint64_t memory_kib(const char *row)
{
    g_autofree char *status = NULL;
    assert_true(g_file_get_contents("/proc/self/status", &status, NULL, NULL));
    const char *at = strstr(status, row);
    assert_non_null(at);
    return g_ascii_strtoull(at + strlen(row), NULL, 10);
}

/* From now on the peak is counted anew; gives what is in use. */
static uint64_t memory_peak_begin(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "w");
    assert_non_null(file);
    assert_true(fputs("5", file) >= 0);
    assert_int_equal(fclose(file), 0);
    return memory_kib("VmRSS:");
}

static void a_line_of_50_mb_is_one_fault_in_bounded_memory(void **state)
{
    struct files *files = *state;
    enum { LARGE = 50 << 20 };
    put_large(files, "a.ndjson", "{\"id\":1}\n{\"id\":2,\"a\":\"", LARGE, "\"}\n{\"id\":3}\n");
    put_large(files, "a.json", "[{\"id\":1},\n{\"id\":2,\"a\":\"", LARGE, "\"},\n{\"id\":3}]");
    put_large(files, "a.csv", "id\n1\n", LARGE, "\n3\n");
    put_large(files, "b.csv", "id\n1\n\"\n", LARGE, "\n,\"\"\"\n3\n");
    static const char *const names[] = {"a.ndjson", "a.json", "a.csv", "b.csv"};
    static const uint64_t lines[] = {2, 2, 3, 3};
    uint64_t before = memory_peak_begin();
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        size_t n;
        struct record *records = files_scan(files, names[i], &n);
        assert_int_equal(n, 3);
        assert_fault_at(&records[1], "bytes; a record has at most 16 MiB", lines[i], 1);
        assert_int_equal(records[1].fault.code, SLUICE_ERROR_TOO_BIG);
        assert_int_equal(records[1].raw.len, 4096);
        kit_equal_text(records[2].key, "3");
    }
    assert_in_range(memory_kib("VmHWM:") - before, 0, MOST_KIB);
}

static void records_of_nearly_16_mib_are_read(void **state)
{
    struct files *files = *state;
    enum { LARGE = (16 << 20) - 100 };
    put_large(files, "a.ndjson", "{\"id\":1}\n{\"id\":2,\"a\":\"", LARGE, "\"}\n{\"id\":3}");
    size_t n;
    struct record *records = files_scan(files, "a.ndjson", &n);
    assert_int_equal(n, 3);
    assert_int_equal(records[1].presence, RECORD_PRESENT);
    assert_true(records[1].raw.len > LARGE);
    kit_equal_text(records[2].key, "3");
}

/* --- JSON -----------------------------------------------------------------------------------------------------------
 */

static void json_files_hold_arrays_objects_or_both(void **state)
{
    static const char *const texts[] = {
        "[{\"id\":1},{\"id\":2},{\"id\":3}]",
        "\xef\xbb\xbf [ {\"id\":1}\n , {\"id\":2} ,\r\n{\"id\":3} ] \n",
        "{\"id\":1}{\"id\":2}\n{\"id\":3}",
        "[{\"id\":1}][]{\"id\":2}\n[\n{\"id\":3}]",
    };
    struct files *files = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        files_put_text(files, "a.json", texts[i]);
        size_t n;
        struct record *records = files_scan(files, "*.json", &n);
        assert_int_equal(n, 3);
        for (size_t j = 0; j < 3; j++)
            assert_int_equal(records[j].key.data[0], '1' + j);
    }
}

static void brackets_within_strings_do_not_count(void **state)
{
    struct files *files = *state;
    files_put_text(files, "a.json", "[{\"id\":\"}\\\"]{\",\"a\":[{\"b\":\"\\\\\"}]},{\"id\":2}]");
    size_t n;
    struct record *records = files_scan(files, "*.json", &n);
    assert_int_equal(n, 2);
    kit_equal_text(records[0].key, "}\"]{");
}

static void what_is_no_record_in_an_array_is_a_fault_of_its_own(void **state)
{
    struct files *files = *state;
    files_put_text(files, "a.json",
                   "[{\"id\":1},\n 7,\n [{\"id\":2}],\n \"}\", {\"id\":3}\n {\"id\":4},,{\"id\":5},]\n}\n");
    size_t n;
    struct record *records = files_scan(files, "*.json", &n);
    assert_int_equal(n, 10);
    kit_equal_text(records[0].key, "1");
    assert_fault_at(&records[1], "expected '{'", 2, 2);
    assert_fault_at(&records[2], "expected '{'", 3, 2);
    assert_fault_at(&records[3], "expected '{'", 4, 2);
    kit_equal_text(records[4].key, "3");
    assert_fault_at(&records[5], "expected ',' or ']'", 5, 2);
    assert_fault_at(&records[6], "expected a record after ','", 5, 11);
    kit_equal_text(records[7].key, "5");
    assert_fault_at(&records[8], "expected a record after ','", 5, 21);
    assert_fault_at(&records[9], "expected '{'", 6, 1);
}

static void a_broken_object_does_not_take_its_neighbours_along(void **state)
{
    static const char *const broken[] = {"{\"id\":1,\"a\":[1}", "{\"id\":1,\"a\":\"never closed\n}",
                                         "{\"id\":1,\"a\":}", "{\"id\":1 \"b\":2}"};
    struct files *files = *state;
    for (size_t i = 0; i < G_N_ELEMENTS(broken); i++) {
        g_autofree char *text = g_strdup_printf("[{\"id\":0},%s,\n{\"id\":2},{\"id\":3}]", broken[i]);
        files_put_text(files, "a.json", text);
        size_t n;
        struct record *records = files_scan(files, "*.json", &n);
        assert_int_equal(n, 4);
        assert_int_equal(records[1].presence, RECORD_FAULT);
        kit_equal_text(records[2].key, "2");
        kit_equal_text(records[3].key, "3");
    }
}

static void a_json_file_that_is_cut_off_says_so_once(void **state)
{
    struct files *files = *state;
    size_t n;
    files_put_text(files, "a.json", "[{\"id\":1},\n{\"id\":2}\n");
    struct record *records = files_scan(files, "*.json", &n);
    assert_int_equal(n, 3);
    assert_fault_at(&records[2], "not closed", 3, 1);
    files_put_text(files, "a.json", "[{\"id\":1},\n{\"id\":2");
    records = files_scan(files, "*.json", &n);
    assert_int_equal(n, 2);
    assert_fault_at(&records[1], "at the end", 2, 8);
}

static void a_fault_within_a_record_of_several_lines_has_its_own_line(void **state)
{
    struct files *files = *state;
    files_put_text(files, "a.json", "[\n{\n  \"id\": 1,\n  \"a\": tru\n},\n{\"id\":2}]");
    size_t n;
    struct record *records = files_scan(files, "*.json", &n);
    assert_int_equal(n, 2);
    assert_fault_at(&records[0], "", 4, 8);
    assert_null(strstr(records[0].fault.text, "column"));
}

/* --- CSV ------------------------------------------------------------------------------------------------------------
 */

static void csv_rows_become_documents_of_strings(void **state)
{
    struct files *files = *state;
    files_put_text(
        files, "a.csv",
        "\xef\xbb\xbfid,\"full \"\"name\"\"\",a.b\r\n007,\"Bond, James\",\r\n\r\n008,\"two\nlines, \"\"quoted\"\"\","
        "1.50\r\n\"\",,x");
    size_t n;
    struct record *records = files_scan(files, "*.csv", &n);
    assert_int_equal(n, 3);
    assert_document(&records[0], "{\"id\":\"007\",\"full \\\"name\\\"\":\"Bond, James\",\"a.b\":\"\"}");
    assert_int_equal(records[0].at.line, 2);
    assert_document(&records[1],
                    "{\"id\":\"008\",\"full \\\"name\\\"\":\"two\\nlines, \\\"quoted\\\"\",\"a.b\":\"1.50\"}");
    assert_int_equal(records[1].at.line, 4);
    assert_fault_at(&records[2], "'id' is empty", 6, 1);
}

static void a_doubled_quote_does_not_end_its_cell(void **state)
{
    struct files *files = *state;
    files_put_text(files, "a.csv", "id,name\n1,\"a\"\"\nb\"\n2,\"\"\"\"\n3,\"\"\n");
    size_t n;
    struct record *records = files_scan(files, "*.csv", &n);
    assert_int_equal(n, 3);
    assert_document(&records[0], "{\"id\":\"1\",\"name\":\"a\\\"\\nb\"}");
    assert_document(&records[1], "{\"id\":\"2\",\"name\":\"\\\"\"}");
    assert_document(&records[2], "{\"id\":\"3\",\"name\":\"\"}");
}

static void a_row_that_is_wrong_is_a_fault(void **state)
{
    struct files *files = *state;
    files_put_text(files, "a.csv",
                   "id,name\n1\n2,b,c\n3,\"b\"x\n4,b\"c\n5,\xff\n\"6\n\",\"multi\nline\"y\n7,fine\n8,\"open\n9,z\n");
    size_t n;
    struct record *records = files_scan(files, "*.csv", &n);
    assert_int_equal(n, 8);
    assert_fault_at(&records[0], "1 cells, where the header names 2", 2, 2);
    assert_fault_at(&records[1], "more than 2 cells", 3, 6);
    assert_fault_at(&records[2], "after a closing quote", 4, 6);
    assert_fault_at(&records[3], "a quote within a cell", 5, 4);
    assert_fault_at(&records[4], "UTF-8", 6, 3);
    assert_fault_at(&records[5], "after a closing quote", 9, 6);
    kit_equal_text(records[6].key, "7");
    assert_fault_at(&records[7], "never closed", 11, 3);
}

static void a_header_that_is_wrong_ends_the_call(void **state)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        {"id,name,id\n1,2,3\n", "a.csv:1:9: the header: the column 'id' stands twice"},
        {"id,,name\n1,2,3\n", "a.csv:1:4: the header: a column has no name"},
        {"\n\nid,name,\n1,2,3\n", "a.csv:3:9: the header: a column has no name"},
        {"id,\"name\n1,2\n", "a.csv:1:4: the header: a quote that is opened here is never closed"},
        {"id,na\"me\n1,2\n", "a.csv:1:6: the header: a quote within a cell"},
        {"id,na\xffme\n1,2\n", "a.csv:1:6: the header: it is not UTF-8"},
    };
    GError *error = NULL;
    struct files *files = *state;
    files->ds.name = "a.csv";
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        files_put_text(files, "a.csv", rows[i].text);
        files_scan_fails(files, &(struct scan_spec){0}, CORRUPT, rows[i].part);
    }
}

/* --- archives -------------------------------------------------------------------------------------------------------
 */

static GString *many_lines(unsigned from, unsigned to)
{
    GString *text = g_string_new(NULL);
    for (unsigned i = from; i < to; i++)
        g_string_append_printf(text, "{\"id\":\"k%06u\",\"n\":%u}\n", i, i * 7919u);
    return text;
}

enum { MANY = 50000 };

static uint64_t number_of(struct slice key)
{
    uint64_t number = UINT64_MAX;
    assert_true(key.len == 7 && int_parse_u64(slice_of(key.data + 1, 6), &number));
    return number;
}

static void assert_many(const struct record *records, size_t n)
{
    assert_int_equal(n, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        char key[16];
        g_snprintf(key, sizeof key, "k%06u", i);
        kit_equal_text(records[i].key, key);
        assert_int_equal(records[i].at.line, i + 1);
    }
}

static void archives_of_several_members_are_one_text(void **state)
{
    static GByteArray *(*const packs[])(struct slice) = {gzip_of, zstd_of};
    static const char *const names[] = {"a.ndjson.gz", "a.ndjson.zst"};
    struct files *files = *state;
    g_autoptr(GString) text = many_lines(0, MANY);
    for (size_t i = 0; i < 2; i++) {
        g_autoptr(GByteArray) all = packs[i](slice_of(text->str, 100003)); /* in the middle of a line */
        g_autoptr(GByteArray) nothing = packs[i](SLICE_EMPTY);
        g_autoptr(GByteArray) rest = packs[i](slice_of(text->str + 100003, text->len - 100003));
        g_byte_array_append(all, nothing->data, nothing->len);
        g_byte_array_append(all, rest->data, rest->len);
        files_put(files, names[i], slice_of(all->data, all->len));
        size_t n;
        const struct record *records = files_scan(files, names[i], &n);
        assert_many(records, n);
    }
}

static void csv_and_json_are_read_from_archives(void **state)
{
    struct files *files = *state;
    g_autoptr(GByteArray) csv = gzip_of(slice_of_text("id\n1\n2\n"));
    g_autoptr(GByteArray) json = zstd_of(slice_of_text("[{\"id\":3},{\"id\":4}]"));
    files_put(files, "a.csv.gz", slice_of(csv->data, csv->len));
    files_put(files, "b.json.zst", slice_of(json->data, json->len));
    size_t n;
    struct record *records = files_scan(files, "*", &n);
    assert_int_equal(n, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(records[i].key.data[0], '1' + i);
}

static void zeros_behind_a_gzip_archive_are_padding(void **state)
{
    struct files *files = *state;
    g_autoptr(GByteArray) packed = gzip_of(slice_of_text("{\"id\":1}\n"));
    static const uint8_t zeros[512];
    g_byte_array_append(packed, zeros, sizeof zeros);
    files_put(files, "a.ndjson.gz", slice_of(packed->data, packed->len));
    size_t n;
    files_scan(files, "*", &n);
    assert_int_equal(n, 1);
}

/* Cut anywhere, or with any byte turned over: an error that names the file and an offset, or (where the byte means
 * nothing, as in a header's time) all records. */
static void a_damaged_archive_is_corrupt_and_never_shorter(void **state)
{
    static GByteArray *(*const packs[])(struct slice) = {gzip_of, zstd_of};
    static const char *const names[] = {"a.ndjson.gz", "a.ndjson.zst"};
    struct files *files = *state;
    g_autoptr(GString) text = many_lines(0, 200);
    for (size_t i = 0; i < 2; i++) {
        g_autoptr(GByteArray) packed = packs[i](slice_of(text->str, text->len));
        unsigned corrupt = 0;
        files->ds.name = names[i];
        for (guint at = 0; at < packed->len; at += 1 + at / 20) {
            GError *error = NULL;
            files_put(files, names[i], slice_of(packed->data, at));
            files_scan_fails(files, &(struct scan_spec){0}, CORRUPT, names[i]);
            packed->data[at] ^= 0x55;
            files_put(files, names[i], slice_of(packed->data, packed->len));
            packed->data[at] ^= 0x55;
            if (files_scan_tries(files, &(struct scan_spec){0}, &error))
                continue;
            assert_true(error_is(error, SLUICE_ERROR_CORRUPT));
            assert_non_null(strstr(error->message, at < 4 ? "whole copy" : "at byte "));
            g_clear_error(&error);
            corrupt++;
        }
        assert_true(corrupt > 30);
    }
}

static void something_behind_an_archive_is_corrupt(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    g_autoptr(GByteArray) gzip = gzip_of(slice_of_text("{\"id\":1}\n"));
    g_autoptr(GByteArray) zstd = zstd_of(slice_of_text("{\"id\":1}\n"));
    g_byte_array_append(gzip, (const uint8_t *)"garbage", 7);
    g_byte_array_append(zstd, (const uint8_t *)"garbage", 7);
    files_put(files, "a.ndjson.gz", slice_of(gzip->data, gzip->len));
    files_put(files, "a.ndjson.zst", slice_of(zstd->data, zstd->len));
    files->ds.name = "*.gz";
    files_scan_fails(files, &(struct scan_spec){0}, CORRUPT, "a.ndjson.gz: the archive is damaged at byte");
    files->ds.name = "*.zst";
    files_scan_fails(files, &(struct scan_spec){0}, CORRUPT, "a.ndjson.zst: the archive is damaged at byte");
}

static void a_zstd_window_beyond_128_mib_is_refused(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    static const uint8_t frame[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 18 << 3 /* 2^28 */, 0x01, 0x00, 0x00};
    files_put(files, "a.ndjson.zst", slice_of(frame, sizeof frame));
    files->ds.name = "*.zst";
    files_scan_fails(files, &(struct scan_spec){0}, CORRUPT, "without --long");
}

/* --- datasets -------------------------------------------------------------------------------------------------------
 */

static void a_glob_finds_files_in_order_and_passes_over_hidden_ones(void **state)
{
    struct files *files = *state;
    files_put_text(files, "2024/b.ndjson", "{\"id\":2}");
    files_put_text(files, "2024/a.ndjson", "{\"id\":1}");
    files_put_text(files, "2024/.c.ndjson", "{\"id\":9}");
    files_put_text(files, "2024/deeper/d.ndjson", "{\"id\":9}");
    files_put_text(files, "2025/a.ndjson", "{\"id\":3}");
    files_put_text(files, ".2026/a.ndjson", "{\"id\":9}");
    files_put_text(files, "a.ndjson", "{\"id\":9}");
    size_t n;
    struct record *records = files_scan(files, "202?/*.ndjson", &n);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(records[i].key.data[0], '1' + i);
    assert_string_equal(records[2].at.file, "2025/a.ndjson");
    files_scan(files, "2024/[ab].ndjson", &n);
    assert_int_equal(n, 2);
}

static void a_dataset_that_cannot_be_is_refused_by_name(void **state)
{
    static const struct {
        const char *dataset, *part;
        enum error_code code;
    } rows[] = {
        {"none-*.ndjson", "no file there matches the dataset 'none-*.ndjson'", SLUICE_ERROR_NOT_FOUND},
        {"../*.ndjson", "leaves its directory", SLUICE_ERROR_REFUSED},
        {"a//b", "an empty level", SLUICE_ERROR_REFUSED},
        {"", "the dataset is empty", SLUICE_ERROR_REFUSED},
        {"**/*.ndjson", "'**'", SLUICE_ERROR_REFUSED},
        {"*", "a.txt: its name does not tell", SLUICE_ERROR_REFUSED},
    };
    struct files *files = *state;
    files_put_text(files, "a.txt", "x");
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        files->ds.name = rows[i].dataset;
        assert_false(files_scan_tries(files, &(struct scan_spec){0}, &error));
        assert_true(error_is(error, rows[i].code));
        assert_non_null(strstr(error->message, rows[i].part));
    }
}

static void several_files_are_one_scan_with_cursors_everywhere(void **state)
{
    struct files *files = *state;
    g_autoptr(GString) first = many_lines(0, 300), second = many_lines(300, 301), third = many_lines(301, 700);
    g_autoptr(GByteArray) packed = zstd_of(slice_of(third->str, third->len));
    files_put(files, "a.ndjson", slice_of(first->str, first->len));
    files_put(files, "b.ndjson", slice_of(second->str, second->len));
    files_put_text(files, "c.ndjson", "");
    files_put(files, "d.ndjson.zst", slice_of(packed->data, packed->len));
    files->ds.name = "*";
    GError *error = NULL;
    struct call call = files_call(files);
    struct scan_spec spec = {.ds = &files->ds, .max_records = 13, .max_bytes = 1 << 20};
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, files->session, &spec, &error));
    unsigned seen = 0;
    for (struct batch batch = {0}; !batch.done;) {
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        seen += (unsigned)batch.n;
        size_t n;
        struct record *rest = files_scan_spec(files, &(struct scan_spec){.cursor = batch.cursor}, &n);
        assert_int_equal(n, 700 - seen);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(number_of(rest[i].key), seen + i);
    }
}

static void without_a_key_records_are_read_all_the_same(void **state)
{
    struct files *files = *state;
    files->ds.key = NULL;
    files_put_text(files, "a.ndjson", "{\"a\":1}\n");
    size_t n;
    struct record *records = files_scan(files, "*", &n);
    assert_int_equal(n, 1);
    assert_document(&records[0], "{\"a\":1}");
    assert_int_equal(records[0].key.len, 0);
}

/* --- batches --------------------------------------------------------------------------------------------------------
 */

/* A scan closed and opened again at its cursor goes on where it stood, with another size of batch, and reads nothing
 * twice. */
static void a_scan_that_is_opened_again_reads_nothing_twice(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    g_autoptr(GString) text = many_lines(0, MANY);
    g_autoptr(GByteArray) packed = gzip_of(slice_of(text->str, text->len));
    files_put(files, "a.ndjson.gz", slice_of(packed->data, packed->len));
    files->ds.name = "*.gz";
    struct call call = files_call(files);
    struct slice cursor = SLICE_EMPTY;
    unsigned seen = 0, opens = 0;
    uint64_t reads = files->fake.reads;
    for (bool done = false; !done; opens++) {
        struct scan_spec spec = {.ds = &files->ds, .cursor = cursor, .max_records = 100 + opens, .max_bytes = 1 << 20};
        struct scan *scan;
        struct batch batch;
        kit_ok(store_scan_open(&scan, files->session, &spec, &error));
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        for (size_t i = 0; i < batch.n; i++, seen++)
            assert_int_equal(number_of(batch.records[i].key), seen);
        cursor = batch.cursor;
        done = batch.done;
        store_scan_close(scan);
    }
    assert_int_equal(seen, MANY);
    assert_true(opens > 200);
    assert_in_range(files->fake.reads - reads, 1, 10);
}

static void a_batch_keeps_its_limits_and_the_arenas(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    g_autoptr(GString) text = many_lines(0, 1000);
    files_put(files, "a.ndjson", slice_of(text->str, text->len));
    files->ds.name = "*";
    auto_(arena) small = arena_new(24 << 10);
    struct call call = {.ds = &files->ds, .mem = small};
    struct scan_spec spec = {.ds = &files->ds, .max_records = 1000, .max_bytes = 2000};
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, files->session, &spec, &error));
    unsigned seen = 0;
    for (struct batch batch = {0}; !batch.done; arena_reset(small)) {
        kit_ok(store_scan_next(scan, &call, &batch, &error));
        assert_in_range(batch.bytes, 0, 2000);
        for (size_t i = 0; i < batch.n; i++)
            assert_int_equal(number_of(batch.records[i].key), seen++);
    }
    assert_int_equal(seen, 1000);
}

static void a_failed_read_is_an_error_after_which_the_scan_goes_on(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    g_autoptr(GString) text = many_lines(0, MANY);
    files_put(files, "a.ndjson", slice_of(text->str, text->len));
    files->ds.name = "*";
    struct call call = files_call(files);
    struct scan_spec spec = {.ds = &files->ds, .max_records = 1000, .max_bytes = 1 << 20};
    auto_(scan) scan = NULL;
    kit_ok(store_scan_open(&scan, files->session, &spec, &error));
    unsigned seen = 0, failed = 0;
    for (struct batch batch = {0}; !batch.done;) {
        fake_world_arm(&files->fake,
                       (struct fake_fault){.call = "pread", .nth = seen > 0 && failed < 2, .number = EIO});
        if (!store_scan_next(scan, &call, &batch, &error)) {
            assert_non_null(strstr(error->message, "a.ndjson"));
            g_clear_error(&error);
            failed++;
            continue;
        }
        for (size_t i = 0; i < batch.n; i++)
            assert_int_equal(number_of(batch.records[i].key), seen++);
    }
    assert_int_equal(seen, MANY);
    assert_int_equal(failed, 2);
}

static void a_scan_asks_whether_it_may_go_on(void **state)
{
    GError *error = NULL;
    struct files *files = *state;
    files_put_text(files, "a.ndjson", "{\"id\":1}\n");
    atomic_bool cancel = false;
    struct call call = {.ds = &files->ds, .mem = files->mem, .cancel = &cancel};
    struct scan_spec spec = {.ds = &files->ds, .max_records = 1000, .max_bytes = 1 << 20};
    auto_(scan) scan = NULL;
    struct batch batch;
    kit_ok(store_scan_open(&scan, files->session, &spec, &error));
    cancel = true;
    kit_refused(store_scan_next(scan, &call, &batch, &error), CANCELLED, "request");
    cancel = false;
    kit_ok(store_scan_next(scan, &call, &batch, &error));
    assert_int_equal(batch.n, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_are_records_with_their_keys_and_places),
        TEST(blank_lines_crlf_bom_and_a_missing_last_line_end_are_no_matter),
        TEST(empty_files_hold_nothing),
        TEST(a_line_that_cannot_be_read_is_one_fault_with_its_place),
        TEST(nesting_100_000_deep_is_a_fault),
        TEST(a_line_of_50_mb_is_one_fault_in_bounded_memory),
        TEST(records_of_nearly_16_mib_are_read),
        TEST(json_files_hold_arrays_objects_or_both),
        TEST(brackets_within_strings_do_not_count),
        TEST(what_is_no_record_in_an_array_is_a_fault_of_its_own),
        TEST(a_broken_object_does_not_take_its_neighbours_along),
        TEST(a_json_file_that_is_cut_off_says_so_once),
        TEST(a_fault_within_a_record_of_several_lines_has_its_own_line),
        TEST(csv_rows_become_documents_of_strings),
        TEST(a_doubled_quote_does_not_end_its_cell),
        TEST(a_row_that_is_wrong_is_a_fault),
        TEST(a_header_that_is_wrong_ends_the_call),
        TEST(archives_of_several_members_are_one_text),
        TEST(csv_and_json_are_read_from_archives),
        TEST(zeros_behind_a_gzip_archive_are_padding),
        TEST(a_damaged_archive_is_corrupt_and_never_shorter),
        TEST(something_behind_an_archive_is_corrupt),
        TEST(a_zstd_window_beyond_128_mib_is_refused),
        TEST(a_glob_finds_files_in_order_and_passes_over_hidden_ones),
        TEST(a_dataset_that_cannot_be_is_refused_by_name),
        TEST(several_files_are_one_scan_with_cursors_everywhere),
        TEST(without_a_key_records_are_read_all_the_same),
        TEST(a_scan_that_is_opened_again_reads_nothing_twice),
        TEST(a_batch_keeps_its_limits_and_the_arenas),
        TEST(a_failed_read_is_an_error_after_which_the_scan_goes_on),
        TEST(a_scan_asks_whether_it_may_go_on),
    };
    return cmocka_run_group_tests_name("store/file_read", tests, NULL, NULL);
}
