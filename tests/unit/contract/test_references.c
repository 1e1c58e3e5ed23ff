/* The reference tables against those whom Debian packages: currencies and countries of iso-codes, zones of tzdata. What
 * a later amendment has changed stands here by name; anything else is a misspelling, or lacks. */
#include <jansson.h>

#include "contract/read.h"
#include "kit/kit.h"

struct exception {
    const char *code, *reason;
};

/* Debian 12's iso-codes is of the beginning of 2023. */
static const struct exception ADDED[] = {{"XAD", "the Arab Monetary Fund's unit of account"},
                                         {"XCG", "Curaçao and Sint Maarten, 2025, in place of ANG"},
                                         {"ZWG", "Zimbabwe, 2024, in place of ZWL"},
                                         {0}},
                              GONE[] = {{"ANG", "XCG in its place"},
                                        {"BGN", "Bulgaria has the euro since 2026"},
                                        {"CUC", "Cuba has one peso since 2021, CUP"},
                                        {"HRK", "Croatia has the euro since 2023"},
                                        {"SLL", "SLE in its place"},
                                        {"ZWL", "ZWG in its place"},
                                        {0}},
                              NONE[] = {{0}};

static GHashTable *set_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

/* Ours; each stands there once. */
static GHashTable *ours_of(const char *name)
{
    GHashTable *ours = set_new();
    const char *const *codes = references_codes(name);
    assert_non_null(codes);
    for (; *codes; codes++)
        if (!g_hash_table_add(ours, g_strdup(*codes)))
            fail_msg("%s: %s stands there twice", name, *codes);
    return ours;
}

static bool is_among(const struct exception *rows, const char *code)
{
    for (; rows->code; rows++)
        if (strcmp(rows->code, code) == 0)
            return true;
    return false;
}

static void assert_within(const char *name, GHashTable *these, GHashTable *those, const struct exception *but)
{
    GHashTableIter iter;
    gpointer code;
    g_hash_table_iter_init(&iter, these);
    while (g_hash_table_iter_next(&iter, &code, NULL))
        if (!g_hash_table_contains(those, code) && !is_among(but, code))
            fail_msg("%s: %s is in one of the two tables only", name, (const char *)code);
}

/* That each exception is one: what came is ours, what went is not. */
static void assert_taken(GHashTable *ours, const struct exception *rows, bool there)
{
    for (; rows->code; rows++)
        if (g_hash_table_contains(ours, rows->code) != there)
            fail_msg("%s: %s", rows->code, rows->reason);
}

static void missing(const char *what)
{
    print_message("%s is not there\n", what);
    skip(); /* jumps out: nothing may be held here */
}

static GHashTable *codes_of(const char *file, const char *list, const char *member)
{
    GHashTable *theirs = set_new();
    json_t *root = json_load_file(file, JSON_REJECT_DUPLICATES, NULL), *item;
    size_t i;
    assert_non_null(root);
    json_array_foreach(json_object_get(root, list), i, item)
        g_hash_table_add(theirs, g_strdup(json_string_value(json_object_get(item, member))));
    json_decref(root);
    assert_true(g_hash_table_size(theirs) > 100);
    return theirs;
}

static void codes_are_those_of_iso_codes_but_for_later_amendments(void **state)
{
    static const struct {
        const char *name, *file, *list, *member;
        const struct exception *added, *gone;
    } TABLES[] = {
        {"ISO 4217", "/usr/share/iso-codes/json/iso_4217.json", "4217", "alpha_3", ADDED, GONE},
        {"ISO 3166", "/usr/share/iso-codes/json/iso_3166-1.json", "3166-1", "alpha_2", NONE, NONE},
    };
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(TABLES); i++) {
        if (access(TABLES[i].file, R_OK) != 0)
            missing("the package iso-codes");
        g_autoptr(GHashTable) ours = ours_of(TABLES[i].name);
        g_autoptr(GHashTable) theirs = codes_of(TABLES[i].file, TABLES[i].list, TABLES[i].member);
        assert_within(TABLES[i].name, ours, theirs, TABLES[i].added);
        assert_within(TABLES[i].name, theirs, ours, TABLES[i].gone);
        assert_taken(ours, TABLES[i].added, true);
        assert_taken(ours, TABLES[i].gone, false);
    }
}

/* "Z NAME …" is a zone, "L ZONE NAME" another name of it. */
static GHashTable *zones_of(const char *text)
{
    GHashTable *theirs = set_new();
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) words = g_strsplit(*line, " ", 4);
        guint n = g_strv_length(words);
        if (n > 2 && (strcmp(words[0], "Z") == 0 || strcmp(words[0], "L") == 0))
            g_hash_table_add(theirs, g_strdup(words[*words[0] == 'Z' ? 1 : 2]));
    }
    g_hash_table_remove(theirs, "Factory"); /* what a machine has that nobody has told where it stands */
    assert_true(g_hash_table_size(theirs) > 400);
    return theirs;
}

/* A later tz database has more names than ours, and an earlier one fewer; none goes. */
static void zones_are_those_of_tzdata(void **state)
{
    static const char FILE_OF_ALL[] = "/usr/share/zoneinfo/tzdata.zi", OURS[] = "2025b";
    (void)state;
    if (access(FILE_OF_ALL, R_OK) != 0)
        missing("the package tzdata");
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(FILE_OF_ALL, &text, NULL, NULL));
    assert_true(g_str_has_prefix(text, "# version 20"));
    int than_ours = strncmp(text + strlen("# version "), OURS, strlen(OURS));
    g_autoptr(GHashTable) ours = ours_of("tz database"), theirs = zones_of(text);
    if (than_ours >= 0)
        assert_within("tz database", ours, theirs, NONE);
    if (than_ours <= 0)
        assert_within("tz database", theirs, ours, NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_iso_codes_but_for_later_amendments),
        cmocka_unit_test(zones_are_those_of_tzdata),
    };
    return cmocka_run_group_tests_name("contract/references", tests, NULL, NULL);
}
