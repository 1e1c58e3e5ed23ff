/* A report is read back, and what is no line of one is told by its number. */
#include "kit/fake_world.h"
#include "kit/kit.h"
#include "verify/lines.h"
#include "verify/sealed.h"

#define DOCS ",\"wanted\":1,\"live\":2}"
#define UID  "00112233445566778899aabbccddee"

struct told {
    GString *text;
};

static bool tell(void *self, const struct report_line *line, GError **error)
{
    GString *text = ((struct told *)self)->text;
    if (slice_equal(line->key, slice_of_text("stop")))
        return error_set(error, SLUICE_ERROR_REFUSED, "enough");
    g_string_append_printf(text, "%.*s<%.*s %s%s%s\n", (int)line->key.len, (const char *)line->key.data,
                           (int)line->from.len, (const char *)line->from.data, verify_class_row(line->class)->word,
                           line->looked ? " looked" : "", line->present ? " present" : "");
    return true;
}

/* What is said of the lines, or the error's code and a part of its words. */
struct file_of {
    const char *text, *told;
    enum error_code code;
    const char *part;
};

#define SEEN "\"00112233445566778899aabbccddeeff\""

static const struct file_of FILES[] = {
    {"", "", 0, NULL},
    {"{\"key\": \"a\", \"kind\": \"differing\"" DOCS "\n", "a<a differing\n", 0, NULL},
    {"{\"key\": \"a\", \"from\": \"b\", \"kind\": \"missing\", \"seen\": null" DOCS "\n", "a<b missing looked\n", 0,
     NULL},
    {"{\"key\": {\"base64\": \"YQ==\"}, \"kind\": \"extra\", \"seen\": " SEEN DOCS "\n", "a<a extra looked present\n",
     0, NULL},
    {"{\"key\": \"a\", \"kind\": \"differing\"" DOCS "\n{\"key\": \"b\", \"kind\": \"missing\"" DOCS "\n",
     "a<a differing\nb<b missing\n", 0, NULL},
    {"\n", NULL, SLUICE_ERROR_CORRUPT, ":1: not a line"},
    {"{\"key\": \"a\", \"kind\": \"differing\"}\n", NULL, SLUICE_ERROR_CORRUPT, ":1: not a line"}, /* no documents */
    {"{\"key\": \"a\", \"kind\": \"differing\"" DOCS " \n", NULL, SLUICE_ERROR_CORRUPT, ":1: not a line"},
    {"{\"key\": \"a\", \"kind\": \"differing\"" DOCS "\n{\"key\": \"b\", \"kind\": \"mis", NULL, SLUICE_ERROR_CORRUPT,
     ":2: not a line"},
    {"{\"key\": \"a\", \"kind\": \"odd\"" DOCS "\n", NULL, SLUICE_ERROR_CORRUPT, ":1: not a line"},
    {"{\"key\": \"a\"" DOCS "\n", NULL, SLUICE_ERROR_CORRUPT, ":1: not a line"},
    {"{\"kind\": \"missing\"" DOCS "\n", NULL, SLUICE_ERROR_CORRUPT, ":1: not a line"},
    {"{\"key\": 7, \"kind\": \"missing\"" DOCS "\n", NULL, SLUICE_ERROR_CORRUPT, ":1: not a line"},
    {"{\"key\": \"a\", \"from\": 7, \"kind\": \"missing\"" DOCS "\n", NULL, SLUICE_ERROR_CORRUPT, ":1: not a line"},
    {"{\"key\": \"a\", \"key\": \"b\", \"kind\": \"missing\"" DOCS "\n", NULL, SLUICE_ERROR_CORRUPT, ":1: not a line"},
    {"{\"key\": \"a\", \"kind\": \"missing\", \"seen\": 7" DOCS "\n", NULL, SLUICE_ERROR_CORRUPT, ":1: not a line"},
    {"{\"key\": \"a\", \"kind\": \"missing\", \"seen\": \"0011\"" DOCS "\n", NULL, SLUICE_ERROR_CORRUPT,
     ":1: not a line"},
    {"{\"key\": \"a\", \"kind\": \"missing\"" DOCS "\n{\"key\": \"stop\", \"kind\": \"missing\"" DOCS "\nno line\n",
     NULL, SLUICE_ERROR_REFUSED, "enough"},
    {"{\"sealed\":\"reports\",\"run\":\"" UID "ff\"}\n", NULL, SLUICE_ERROR_REFUSED, "its key is not in this home"},
    {"{\"sealed\":\"reports\",\"run\":\"" UID "fg\"}\n", NULL, SLUICE_ERROR_CORRUPT, ":1: not a line"},
    {"{\"sealed\":\"reasons\",\"run\":\"" UID "ff\"}\n", NULL, SLUICE_ERROR_CORRUPT, ":1: not a line"},
    {"{\"sealed\":\"reports\",\"run\":\"" UID "\"}\n", NULL, SLUICE_ERROR_CORRUPT, ":1: not a line"},
};

static bool read_back(const char *text, size_t len, GString *told, GError **error)
{
    struct fake_world fake;
    uint8_t digest[32];
    g_autofree char *dir = g_dir_make_tmp("sluice-lines-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "r.ndjson", NULL);
    struct told into = {.text = told};
    struct report_lines lines = {.line = tell, .self = &into};
    fake_world_init(&fake);
    assert_true(g_file_set_contents(path, text, (gssize)len, NULL));
    bool ok = report_read(&fake.world, path, &lines, digest, error);
    kit_dir_remove(dir);
    return ok;
}

static void lines_are_told_in_their_order_and_what_is_none_by_its_number(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(FILES); i++) {
        const struct file_of *row = &FILES[i];
        g_autoptr(GString) told = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        bool ok = read_back(row->text, strlen(row->text), told, &error);
        if (ok != (row->told != NULL) || (ok && strcmp(told->str, row->told) != 0))
            fail_msg("row %zu: %s%s", i, told->str, ok ? "" : error->message);
        if (!ok && (!error_is(error, row->code) || !strstr(error->message, row->part)))
            fail_msg("row %zu: %s", i, error->message);
    }
}

/* Read in pieces of 256 KiB: a line may be longer than one, and end with one. */
static void a_line_may_end_anywhere(void **state)
{
    enum { PIECE = 256 << 10 };
    for (size_t len = PIECE - 2; len <= PIECE + 2; len++) {
        g_autoptr(GString) told = g_string_new(NULL),
                           text = g_string_new("{\"key\":\"a\",\"kind\":\"missing\",\"wanted\":\"");
        GError *error = NULL;
        while (text->len < len - 3)
            g_string_append_c(text, 'x');
        g_string_append(text, "\"}\n{\"key\":\"b\",\"kind\":\"missing\"" DOCS "\n");
        kit_ok(read_back(text->str, text->len, told, &error));
        assert_string_equal(told->str, "a<a missing\nb<b missing\n");
    }
}

static void what_has_no_end_is_no_line(void **state)
{
    enum { LONG = 65 << 20 };
    g_autofree char *text = g_malloc(LONG);
    g_autoptr(GString) told = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    memset(text, ' ', LONG);
    assert_false(read_back(text, LONG, told, &error));
    assert_true(error_is(error, SLUICE_ERROR_CORRUPT));
    assert_non_null(strstr(error->message, ":1: not a line"));
}

/* Of a report that is sealed. */
static void a_line_that_is_not_sealed_is_not_opened(void **state)
{
    static const char *const LINES[] = {"", "{", "{\"key\":\"a\",\"kind\":\"differing\",\"wanted\":1,\"live\":2}"};
    struct report_seal seal = {.world = world_real(), .sealed = true};
    for (size_t i = 0; i < G_N_ELEMENTS(LINES); i++) {
        g_autoptr(GString) into = g_string_new(NULL);
        assert_false(report_seal_open(&seal, slice_of_text(LINES[i]), into));
        assert_int_equal(into->len, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_told_in_their_order_and_what_is_none_by_its_number),
        cmocka_unit_test(a_line_that_is_not_sealed_is_not_opened),
        cmocka_unit_test(a_line_may_end_anywhere),
        cmocka_unit_test(what_has_no_end_is_no_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
