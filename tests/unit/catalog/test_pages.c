/* The catalog page by page, and what is told of what is not there yet. */
#include "catalog/pages.h"
#include "unit/catalog/fixture.h"

static bool of_spec(void *self, const char *spec_name, enum run_state state)
{
    return !self || strcmp(self, spec_name) == 0;
}

/* The runs of each page, newest first: ids by blanks, pages by bars. */
static char *pages(struct fixture *fx, const char *spec, size_t most)
{
    GString *text = g_string_new(NULL);
    struct runs_page page = {.next = 0};
    do {
        GError *error = NULL;
        struct runs_wish wish = {.before = page.next, .most = most, .take = of_spec, .self = (char *)spec};
        kit_ok(catalog_runs_page(fx->catalog, &wish, fx->mem, &page, &error));
        for (size_t i = 0; i < page.n; i++)
            g_string_append_printf(text, "%s%d", i ? " " : "", (int)page.rows[i].id);
        g_string_append(text, page.next ? "|" : "");
    } while (page.next);
    return g_string_free(text, FALSE);
}

static void runs_come_in_pages_the_newest_first(void **state)
{
    struct fixture *fx = *state;
    static const struct {
        const char *spec;
        size_t most;
        const char *pages;
    } rows[] = {{NULL, 10, "5 4 3 2 1"}, {NULL, 5, "5 4 3 2 1"}, {NULL, 4, "5 4 3 2|1"},
                {NULL, 2, "5 4|3 2|1"},  {"fix", 2, "5 3|1"},    {"fix", 3, "5 3 1"},
                {"other", 1, "4|2"},     {"none", 2, ""},        {NULL, 0, ""}};
    for (int i = 0; i < 5; i++) {
        g_autofree char *target = g_strdup_printf("mem:a/%d", i);
        fixture_run_of(fx, i % 2 ? "other" : "fix", target, 1);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *found = pages(fx, rows[i].spec, rows[i].most);
        assert_string_equal(found, rows[i].pages);
    }
}

static void the_ledger_comes_in_pages(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    uint64_t before = 0, seen = 0, last = UINT64_MAX;
    for (int i = 0; i < 3; i++) {
        g_autofree char *target = g_strdup_printf("mem:a/%d", i);
        fixture_run_of(fx, "fix", target, 1);
    }
    struct ledger_entries page = {.n = 1};
    while (page.n > 0) {
        struct ledger_page wish = {.before = before, .most = 2};
        kit_ok(ledger_page(fx->catalog, &wish, fx->mem, &page, &error));
        for (size_t i = 0; i < page.n; i++) {
            assert_true(page.rows[i].number < last);
            last = before = page.rows[i].number;
            seen++;
        }
    }
    assert_int_equal(last, 1);
    kit_ok(ledger_page(fx->catalog, &(struct ledger_page){.most = 99}, fx->mem, &page, &error));
    assert_int_equal(page.n, seen);
    kit_ok(ledger_page(fx->catalog, &(struct ledger_page){.most = 99, .run = "fix.2"}, fx->mem, &page, &error));
    assert_in_range(page.n, 1, seen - 2);
}

static void a_partition_without_a_checkpoint_has_no_times(void **state)
{
    struct fixture *fx = *state;
    GError *error = NULL;
    struct run_row run = fixture_run(fx, 2);
    struct part_times times = {.newest_ms = 9};
    int64_t batch = 9;
    kit_ok(catalog_part_times(fx->catalog, run.id, 1, &times, &error));
    assert_int_equal(times.newest_ms, 0);
    kit_ok(catalog_batch_newest(fx->catalog, &batch, &error));
    assert_int_equal(batch, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(runs_come_in_pages_the_newest_first, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(the_ledger_comes_in_pages, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_partition_without_a_checkpoint_has_no_times, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
