#include "kit/kit.h"
#include "view/lines.h"

/* What is gone and what came, in order: `-2 b`, `+2 c`. */
static void put(void *self, const struct line_change *change)
{
    g_string_append_printf(self, "%c%" G_GSIZE_FORMAT " %s;", change->added ? '+' : '-', change->number, change->text);
}

static void what_stands_in_one_text_only_is_told_with_its_line(void **state)
{
    static const struct {
        const char *a, *b, *told;
    } CASES[] = {
        {"", "", ""},
        {"a\nb\n", "a\nb\n", ""},
        {"a\nb\n", "a\nb", ""},
        {"a\nb\nc\n", "a\nc\n", "-2 b;"},
        {"a\nc\n", "a\nb\nc\n", "+2 b;"},
        {"a\nb\nc\n", "a\nx\nc\n", "-2 b;+2 x;"},
        {"a\nb\nc\nd\n", "b\nd\ne\n", "-1 a;-3 c;+3 e;"},
        {"a\na\na\n", "a\na\n", "-3 a;"},
        {"a\n\nb\n", "a\nb\n", "-2 ;"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autoptr(GString) told = g_string_new(NULL);
        lines_compare(slice_of_text(CASES[i].a), slice_of_text(CASES[i].b), put, told);
        assert_string_equal(told->str, CASES[i].told);
    }
    g_autoptr(GString) told = g_string_new(NULL);
    lines_compare(SLICE_EMPTY, slice_of_text("one\n"), put,
                  told); /* one of them is not there: a contract that only one has */
    assert_string_equal(told->str, "+1 one;");
}

struct counted {
    size_t gone, come;
};

static void count(void *self, const struct line_change *change)
{
    struct counted *counted = self;
    *(change->added ? &counted->come : &counted->gone) += 1;
}

static void texts_too_large_for_a_table_are_told_as_gone_and_come(void **state)
{
    g_autoptr(GString) a = g_string_new(NULL), b = g_string_new(NULL);
    struct counted counted = {0};
    for (int i = 0; i < 5000; i++) {
        g_string_append_printf(a, "a%d\n", i);
        g_string_append_printf(b, "b%d\n", i);
    }
    lines_compare(slice_of_text(a->str), slice_of_text(b->str), count, &counted);
    assert_int_equal(counted.gone, 5000);
    assert_int_equal(counted.come, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_in_one_text_only_is_told_with_its_line),
        cmocka_unit_test(texts_too_large_for_a_table_are_told_as_gone_and_come),
    };
    return cmocka_run_group_tests_name("cli/lines", tests, NULL, NULL);
}
