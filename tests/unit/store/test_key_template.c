#include "kit/kit.h"
#include "record/key.h"
#include "store/valkey/template.h"

static int arena_setup(void **state)
{
    *state = arena_new(1 << 20);
    return 0;
}

static int arena_teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static struct key_template *parsed(const char *dataset)
{
    GError *error = NULL;
    struct key_template *template = NULL;
    kit_ok(key_template_parse(&template, dataset, &error));
    return template;
}

static void refused(const char *dataset, const char *part)
{
    GError *error = NULL;
    struct key_template *template = NULL;
    kit_refused(key_template_parse(&template, dataset, &error), SPEC, part);
}

/* Record key and server's key lead to each other. */
static void leads(struct arena *mem, const char *dataset, const char *record, const char *server)
{
    GError *error = NULL;
    auto_(key_template) template = parsed(dataset);
    struct slice to = SLICE_EMPTY, from = SLICE_EMPTY;
    bool ours = false;
    kit_ok(key_template_to_server(template, slice_of_text(record), mem, &to, &error));
    kit_equal_text(to, server);
    kit_ok(key_template_from_server(template, slice_of_text(server), mem, &from, &ours, &error));
    assert_true(ours);
    kit_equal_text(from, record);
}

static bool is_ours(struct arena *mem, const char *dataset, const char *server)
{
    GError *error = NULL;
    auto_(key_template) template = parsed(dataset);
    struct slice from;
    bool ours = true;
    kit_ok(key_template_from_server(template, slice_of_text(server), mem, &from, &ours, &error));
    return ours;
}

static void cannot_be(struct arena *mem, const char *dataset, const char *record, const char *part)
{
    GError *error = NULL;
    auto_(key_template) template = parsed(dataset);
    struct slice to;
    kit_refused(key_template_to_server(template, slice_of_text(record), mem, &to, &error), BAD_RECORD, part);
}

static void what_stands_where_the_placeholder_is_is_the_record_key(void **state)
{
    struct arena *mem = *state;
    leads(mem, "customer:{username}", "anna", "customer:anna");
    leads(mem, "customer:{username}", "a:b%c*", "customer:a:b%c*"); /* a single part is taken as it is */
    leads(mem, "{id}", "7", "7");
    leads(mem, "{a.b}/x", "7", "7/x");
    leads(mem, "{id}x", "xx", "xxx");
    auto_(key_template) template = parsed("c:{region}:{address.zip}");
    assert_int_equal(key_template_places(template), 2);
    assert_string_equal(key_template_place(template, 0), "region");
    assert_string_equal(key_template_place(template, 1), "address.zip");
}

static void doubled_braces_are_braces_and_a_backslash_takes_the_next_character(void **state)
{
    struct arena *mem = *state;
    leads(mem, "{{{user}}}:profile", "anna", "{anna}:profile");
    leads(mem, "a\\*{{b}}\\\\{id}", "7", "a*{b}\\7");
    leads(mem, "{{anna}}:*", "{anna}:x", "{anna}:x");
    leads(mem, "\\{x:{id}", "7", "{x:7");
}

static void several_parts_are_joined_as_keys_of_several_paths_are(void **state)
{
    struct arena *mem = *state;
    leads(mem, "c:{region}:{id}", "eu:7", "c:eu:7");
    leads(mem, "c:{region}/{id}", "e%3Au:7%25%3A", "c:e:u/7%:");
    leads(mem, "c:{region}:{id}", ":", "c::");
    leads(mem, "c:{a}:{b}", "x:y%3Az", "c:x:y:z"); /* the last part may hold the text between */
    leads(mem, "{a}-{b}-{c}.", "1:2:3-", "1-2-3-.");
    cannot_be(mem, "c:{region}/{id}", "eu", "is not 2 parts");
    cannot_be(mem, "c:{region}/{id}", "eu:7:8", "is not 2 parts");
    cannot_be(mem, "c:{region}/{id}", "eu:%zz", "is not 2 parts");
    cannot_be(mem, "c:{region}/{id}", "eu:%3a", "is not 2 parts");
    cannot_be(mem, "c:{region}/{id}", "eu:%", "is not 2 parts");
}

static void keys_that_could_not_be_told_apart_are_refused(void **state)
{
    struct arena *mem = *state;
    cannot_be(mem, "c:{a}:{b}", "x%3Ay:z", "could be taken apart in another way"); /* c:x:y:z is x and y:z */
}

static void a_text_that_overlaps_what_follows_it_is_seen(void **state)
{
    struct arena *mem = *state;
    cannot_be(mem, "{a}aa{b}", "xa:y", "could be taken apart"); /* xaaay is x and ay */
    leads(mem, "{a}aa{b}", "x:ay", "xaaay");
    cannot_be(mem, "c:{id}", "", "'c:' would be empty");
}

static void the_server_is_asked_for_its_own_keys_by_no_one(void **state)
{
    struct arena *mem = *state;
    assert_false(is_ours(mem, "*", "sluice:fence:0"));
    assert_false(is_ours(mem, "{id}", "sluice:"));
    assert_false(is_ours(mem, "s*:{{x}}*", "sluice:{x}"));
    assert_true(is_ours(mem, "*", "sluice"));
    cannot_be(mem, "{id}", "sluice:x", "sluice's own");
    cannot_be(mem, "*", "sluice:x", "sluice's own");
    cannot_be(mem, "slu{id}", "ice:", "sluice's own");
    refused("sluice:*", "sluice's own");
    refused("sluice:{id}", "sluice's own");
    refused("sl[u]ice:x", "sluice's own");
}

static void what_is_not_of_the_template_is_not_ours(void **state)
{
    struct arena *mem = *state;
    assert_false(is_ours(mem, "customer:{id}", "customer:"));
    assert_false(is_ours(mem, "customer:{id}", "customers:7"));
    assert_false(is_ours(mem, "customer:{id}", "x:customer:7"));
    assert_false(is_ours(mem, "aba{id}ba", "aba"));
    assert_false(is_ours(mem, "aba{id}ba", "ababa"));
    assert_true(is_ours(mem, "aba{id}ba", "abaxba"));
    assert_false(is_ours(mem, "c:{a}:{b}", "c:7"));
    assert_false(is_ours(mem, "{a}:{b}", ""));
    assert_false(is_ours(mem, "{a}", ""));
}

static void a_glob_is_the_servers(void **state)
{
    static const struct {
        const char *glob, *key;
        bool ours;
    } rows[] = {
        {"customer:*", "customer:", true},
        {"customer:*", "customer:7", true},
        {"customer:*", "custome", false},
        {"*", "", true},
        {"a?c", "abc", true},
        {"a?c", "ac", false},
        {"a[bc]d", "acd", true},
        {"a[bc]d", "aed", false},
        {"a[^bc]d", "aed", true},
        {"a[^bc]d", "abd", false},
        {"a[a-c]d", "abd", true},
        {"a[c-a]d", "abd", true},
        {"a[c-a]d", "add", false},
        {"a[\\]-]d", "a]d", true},
        {"a[\\]-]d", "a-d", true},
        {"a\\*d", "a*d", true},
        {"a\\*d", "abd", false},
        {"a\\[d", "a[d", true},
        {"*a*b*c", "xxaxbbxcxc", true},
        {"*a*b*c", "xxaxbbxcxd", false},
        {"**x", "yyx", true},
        {"a[]d", "ad", false},
        {"a[^]d", "axd", true},
        {"[a^]", "^", true},
        {"x]", "x]", true},
        {"a[b-]c]", "aBc]", false},
        {"a[!-]]", "a<", true},
        {"h\xc3?llo", "h\xc3\xa9llo", true},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (is_ours(*state, rows[i].glob, rows[i].key) != rows[i].ours)
            fail_msg("'%s' and '%s'", rows[i].glob, rows[i].key);
    cannot_be(*state, "customer:*", "order:7", "'order:7' does not match 'customer:*'");
    leads(*state, "customer:*", "customer:7", "customer:7");
}

static void the_glob_of_a_template_finds_its_keys(void **state)
{
    static const char *const rows[][2] = {
        {"customer:{id}", "customer:*"},           {"{{{user}}}:profile", "{*}:profile"},
        {"a\\*\\?\\[\\\\{id}", "a\\*\\?\\[\\\\*"}, {"c:{a}]{b}", "c:*]*"},
        {"customer:[0-9]*", "customer:[0-9]*"},    {"{{anna}}*", "{anna}*"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        auto_(key_template) template = parsed(rows[i][0]);
        assert_string_equal(key_template_glob(template), rows[i][1]);
    }
}

static void bad_datasets_are_refused_by_name(void **state)
{
    refused("customer:{id", "the '{' at '{id' has no '}'");
    refused("customer:id}", "the '}' at '}' ends nothing");
    refused("customer:{}", "names nothing");
    refused("{a}{b}", "'{b}' follows '{a}' with nothing between");
    refused("{a}:{a}", "stands twice");
    refused("c:*:{a}", "has placeholders and, at '*:{a}', a wildcard");
    refused("{a}:[x]", "a wildcard");
    refused("c:[ab", "the '[' at '[ab' has no ']'");
    refused("c:[a-]", "has no ']'"); /* as the servers read it, ']' is the range's end */
    refused("c:\\", "before nothing");
    refused("c:[\xc3-z]", "not ASCII");
    refused("", "it is empty");
    refused("{a..b}", "the placeholder '{a..b}'");
}

static bool overlap(const char *one, const char *two)
{
    auto_(key_template) a = parsed(one);
    auto_(key_template) b = parsed(two);
    bool there = key_template_overlap(a, b);
    assert_int_equal(there, key_template_overlap(b, a));
    return there;
}

static void two_patterns_overlap_where_a_key_may_be_of_both(void **state)
{
    assert_true(overlap("customer:{id}", "customer:*"));
    assert_true(overlap("customer:{id}", "customer:{id}"));
    assert_true(overlap("{id}:profile", "user:{id}"));
    assert_true(overlap("a*c", "*b*"));
    assert_true(overlap("c:[0-5]*", "c:[5-9]x"));
    assert_true(overlap("a\\*", "a*"));
    assert_true(overlap("*", "x"));
    assert_false(overlap("customer:{id}", "order:{id}"));
    assert_false(overlap("c:[0-4]*", "c:[5-9]*"));
    assert_false(overlap("c:?", "c:??"));
    assert_false(overlap("a*c", "*b"));
    assert_false(overlap("customer:{id}", "customer"));
    assert_false(overlap("a\\*", "ab"));
}

/* Whatever is put into a template comes out of it, or is refused; and no two records share a key. */
static void no_two_records_share_a_server_key(void **state)
{
    static const char *const datasets[] = {"{a}:{b}", "x{a}aa{b}", "{a}ab{b}ba{c}", "{a}b{b}", "a{a}"};
    static const char letters[] = "ab:%";
    g_autoptr(GRand) dice = g_rand_new_with_seed(7);
    for (size_t i = 0; i < G_N_ELEMENTS(datasets); i++) {
        auto_(key_template) template = parsed(datasets[i]);
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        for (size_t round = 0; round < 20000; round++) {
            struct slice parts[3], key, server, back;
            char text[3][8];
            size_t n = key_template_places(template);
            bool ours = false;
            arena_reset(*state);
            for (size_t p = 0; p < n; p++) {
                size_t len = (size_t)g_rand_int_range(dice, 0, 6);
                for (size_t c = 0; c < len; c++)
                    text[p][c] = letters[g_rand_int_range(dice, 0, 4)];
                parts[p] = slice_of(text[p], len);
            }
            if (n == 1)
                key = parts[0];
            else
                assert_true(key_join(parts, n, *state, &key, NULL));
            if (!key_template_to_server(template, key, *state, &server, NULL))
                continue;
            assert_true(key_template_from_server(template, server, *state, &back, &ours, NULL));
            assert_true(ours && slice_equal(back, key));
            char *name = g_strndup((const char *)server.data, server.len);
            char *record = g_strndup((const char *)key.data, key.len);
            const char *before = g_hash_table_lookup(seen, name);
            if (before)
                assert_string_equal(before, record);
            g_hash_table_insert(seen, name, record);
        }
        assert_true(g_hash_table_size(seen) > 100);
    }
}

static void a_full_arena_is_too_big(void **state)
{
    GError *error = NULL;
    auto_(arena) small = arena_new(16);
    auto_(key_template) template = parsed("customer:{id}");
    auto_(key_template) two = parsed("{a}:{b}");
    struct slice ret;
    bool ours;
    kit_refused(key_template_to_server(template, slice_of_text("7"), small, &ret, &error), TOO_BIG, "'7' does not fit");
    kit_refused(key_template_from_server(two, slice_of_text("7:8"), small, &ret, &ours, &error), TOO_BIG, "'7:8'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_setup, arena_teardown)
        TEST(what_stands_where_the_placeholder_is_is_the_record_key),
        TEST(doubled_braces_are_braces_and_a_backslash_takes_the_next_character),
        TEST(several_parts_are_joined_as_keys_of_several_paths_are),
        TEST(keys_that_could_not_be_told_apart_are_refused),
        TEST(a_text_that_overlaps_what_follows_it_is_seen),
        TEST(the_server_is_asked_for_its_own_keys_by_no_one),
        TEST(what_is_not_of_the_template_is_not_ours),
        TEST(a_glob_is_the_servers),
        TEST(the_glob_of_a_template_finds_its_keys),
        TEST(bad_datasets_are_refused_by_name),
        TEST(two_patterns_overlap_where_a_key_may_be_of_both),
        TEST(no_two_records_share_a_server_key),
        TEST(a_full_arena_is_too_big),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
