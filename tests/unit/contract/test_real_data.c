/* The contracts of tests/system/contracts on the data that they are for: what they refuse, and why. Data that is not on
 * this machine is skipped by name. */
#include <jansson.h>

#include "contracts.h"

struct verdicts {
    struct applied applied;
    unsigned passed, refused;
    GHashTable *reasons; /* what stands before the value in a line: how often */
};

static struct verdicts begin(const char *name)
{
    g_autoptr(GError) error = NULL;
    struct verdicts verdicts = {.reasons = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
    g_autofree char *path =
        g_strdup_printf("%s/tests/system/contracts/%s.contract.yaml", g_getenv("SLUICE_SOURCE"), name);
    verdicts.applied.mem = arena_new(1 << 20);
    kit_ok(contract_read(&verdicts.applied.contract, world_real(), path, &error));
    kit_ok(contract_check_new(&verdicts.applied.check, verdicts.applied.contract, &error));
    return verdicts;
}

static void done(struct verdicts *verdicts)
{
    g_hash_table_unref(verdicts->reasons);
    applied_done(&verdicts->applied);
}

/* "Title", "rule world-includes-us": a reason by the field or the rule. */
static void count_reasons(struct verdicts *verdicts, const char *message)
{
    g_auto(GStrv) lines = g_strsplit(message, "\n", -1);
    for (char **line = lines; *line; line++) {
        char *reason = g_strndup(*line, strcspn(*line, ":"));
        guint n = GPOINTER_TO_UINT(g_hash_table_lookup(verdicts->reasons, reason));
        g_hash_table_replace(verdicts->reasons, reason, GUINT_TO_POINTER(n + 1));
    }
}

/* *ret is the record as the contract leaves it; it lives until the next one. */
static bool judge(struct verdicts *verdicts, const char *json, struct slice *ret)
{
    g_autoptr(GError) error = NULL;
    arena_reset(verdicts->applied.mem);
    struct slice document = document_of(verdicts->applied.mem, json);
    if (contract_apply(verdicts->applied.check, document, verdicts->applied.mem, ret, &error)) {
        verdicts->passed++;
        return true;
    }
    assert_int_equal(error->code, SLUICE_ERROR_CONTRACT_SAYS);
    verdicts->refused++;
    count_reasons(verdicts, error->message);
    return false;
}

static void assert_reason(struct verdicts *verdicts, const char *reason, unsigned n)
{
    guint found = GPOINTER_TO_UINT(g_hash_table_lookup(verdicts->reasons, reason));
    if (found != n)
        fail_msg("%s: refuses %u, not %u", reason, found, n);
}

static GStrv lines_of(const char *name)
{
    g_autofree char *text = NULL;
    char *path = g_build_filename(g_getenv("SLUICE_SOURCE"), "..", "shared", "data", name, NULL);
    bool there = g_file_get_contents(path, &text, NULL, NULL);
    g_free(path);
    if (!there) {
        print_message("../shared/data/%s is not there\n", name);
        skip(); /* jumps out: nothing may be held here */
    }
    return g_strsplit(g_strchomp(text), "\n", -1);
}

static void films_are_refused_for_what_is_wrong_with_them(void **state)
{
    g_auto(GStrv) lines = lines_of("films.ndjson");
    struct verdicts verdicts = begin("films");
    struct slice made;
    for (char **line = lines; *line; line++)
        judge(&verdicts, *line, &made);
    assert_int_equal(verdicts.passed + verdicts.refused, 3201);
    assert_reason(&verdicts, "Title", 10 + 18); /* numbers and a null; letters read in the wrong encoding */
    assert_reason(&verdicts, "Release Date", 22);
    assert_reason(&verdicts, "MPAA Rating", 2);
    assert_reason(&verdicts, "rule sold-discs-were-shown", 3);
    assert_reason(&verdicts, "rule world-includes-us", 0);
    assert_int_equal(verdicts.refused, 55);
    assert_int_equal(g_hash_table_size(verdicts.reasons), 4);
    done(&verdicts);
}

static char *json_of_cells(const char *head, const char *line)
{
    g_auto(GStrv) names = g_strsplit(head, ",", -1);
    g_auto(GStrv) cells = g_strsplit(line, ",", -1);
    assert_int_equal(g_strv_length(names), g_strv_length(cells));
    json_t *object = json_object();
    for (size_t i = 0; names[i]; i++)
        json_object_set_new(object, names[i], json_string(cells[i]));
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

static void postal_codes_keep_their_zeros(void **state)
{
    g_auto(GStrv) lines = lines_of("postal_codes.csv");
    struct verdicts verdicts = begin("postal_codes");
    struct slice made;
    bson_t view;
    bson_iter_t iter;
    unsigned zeros = 0;
    for (size_t i = 1; lines[i]; i++) {
        char *json = json_of_cells(lines[0], lines[i]);
        assert_true(judge(&verdicts, json, &made));
        assert_true(document_view(made, &view) && bson_iter_init_find(&iter, &view, "zip_code"));
        zeros += bson_iter_utf8(&iter, NULL)[0] == '0';
        assert_true(bson_iter_init_find(&iter, &view, "latitude"));
        assert_int_equal(bson_iter_type(&iter), BSON_TYPE_DECIMAL128);
        free(json);
    }
    assert_int_equal(verdicts.passed, 42049);
    assert_int_equal(zeros, 3256);
    done(&verdicts);
}

static void judge_list(const char *name, const char *file, const char *key, struct verdicts *ret)
{
    char *path = g_build_filename("/usr/share/iso-codes/json", file, NULL);
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    g_free(path);
    if (!root) {
        print_message("%s of the package iso-codes is not there\n", file);
        skip(); /* jumps out: nothing may be held here */
    }
    *ret = begin(name);
    size_t i;
    json_t *item;
    struct slice made;
    json_array_foreach(json_object_get(root, key), i, item)
    {
        char *json = json_dumps(item, JSON_COMPACT);
        judge(ret, json, &made);
        free(json);
    }
    json_decref(root);
}

static void languages_all_pass(void **state)
{
    struct verdicts verdicts;
    judge_list("languages", "iso_639-3.json", "639-3", &verdicts);
    assert_true(verdicts.passed > 7000);
    assert_int_equal(verdicts.refused, 0);
    done(&verdicts);
}

/* Their parents are completed by the transform that stands beside the contract; without it just these are refused. */
static void subdivisions_without_their_transform_lack_their_parents_country(void **state)
{
    struct verdicts verdicts;
    judge_list("subdivisions", "iso_3166-2.json", "3166-2", &verdicts);
    assert_true(verdicts.passed > 3000);
    assert_true(verdicts.refused > 1000);
    assert_reason(&verdicts, "parent", verdicts.refused);
    done(&verdicts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(films_are_refused_for_what_is_wrong_with_them),
        cmocka_unit_test(postal_codes_keep_their_zeros),
        cmocka_unit_test(languages_all_pass),
        cmocka_unit_test(subdivisions_without_their_transform_lack_their_parents_country),
    };
    return cmocka_run_group_tests_name("contract/real_data", tests, NULL, NULL);
}
