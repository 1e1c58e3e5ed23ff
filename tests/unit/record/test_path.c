#include "kit/kit.h"
#include "record/path.h"

static const char text[] =
    "{\"address\":{\"zip\":\"01067\",\"geo\":{\"lat\":51}},\"items\":[{\"price\":1},{\"price\":2},7],"
    "\"a.b\":{\"c\\\\d\":3},\"0\":{\"1\":4},\"empty\":{},\"list\":[],\"abcdefghi\":5,\"abcdefgh\":6,"
    "\"deep\":[[[8]]]}";

static void a_path_leads_where_its_names_say(void **state)
{
    static const struct {
        const char *path;
        int64_t value; /* 0: there is nothing */
    } rows[] = {
        {"address.geo.lat", 51},
        {"items.0.price", 1},
        {"items.1.price", 2},
        {"items.2", 7},
        {"a\\.b.c\\\\d", 3},
        {"0.1", 4},
        {"abcdefgh", 6},
        {"abcdefghi", 5},
        {"abcdefg", 0},
        {"deep.0.0.0", 8},
        {"deep.0.0.1", 0},
        {"items.3", 0},
        {"items.00", 0},
        {"items.x", 0},
        {"items.-1", 0},
        {"items.price", 0},
        {"items.2.price", 0},
        {"address.city", 0},
        {"a", 0},
        {"a.b", 0},
        {"empty.x", 0},
        {"list.0", 0},
        {"nothing", 0},
        {"0.01", 0},
        {"address.zip.0", 0},
        {"items.18446744073709551616", 0},
    };
    auto_(arena) mem = arena_new(1 << 20);
    GError *error = NULL;
    struct slice document = SLICE_EMPTY;
    kit_ok(document_from_json(slice_of_text(text), mem, &document, NULL, &error));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        auto_(path) path = NULL;
        bson_iter_t iter;
        kit_ok(path_parse(&path, rows[i].path, &error));
        assert_string_equal(path_text(path), rows[i].path);
        assert_int_equal(path_find(path, document, &iter), rows[i].value != 0);
        if (rows[i].value)
            assert_int_equal(bson_iter_int64(&iter), rows[i].value);
    }
}

static void the_iterator_goes_on_from_what_was_found(void **state)
{
    auto_(arena) mem = arena_new(1 << 20);
    auto_(path) path = NULL;
    GError *error = NULL;
    struct slice document = SLICE_EMPTY;
    bson_iter_t iter;
    kit_ok(document_from_json(slice_of_text(text), mem, &document, NULL, &error));
    kit_ok(path_parse(&path, "address.zip", &error));
    assert_true(path_find(path, document, &iter));
    assert_string_equal(bson_iter_utf8(&iter, NULL), "01067");
    assert_string_equal(bson_iter_key(&iter), "zip");
    assert_true(bson_iter_next(&iter));
    assert_string_equal(bson_iter_key(&iter), "geo");
    assert_false(bson_iter_next(&iter));
}

static void the_place_counts_in_an_array_not_the_name(void **state)
{
    bson_t *b = bson_new(), list;
    auto_(path) path = NULL;
    GError *error = NULL;
    bson_iter_t iter;
    BSON_APPEND_ARRAY_BEGIN(b, "l", &list);
    BSON_APPEND_INT64(&list, "7", 1);
    BSON_APPEND_INT64(&list, "0", 2);
    bson_append_array_end(b, &list);
    kit_ok(path_parse(&path, "l.0", &error));
    assert_true(path_find(path, slice_of(bson_get_data(b), b->len), &iter));
    assert_int_equal(bson_iter_int64(&iter), 1);
    bson_destroy(b);
}

static void bytes_that_are_no_document_hold_nothing(void **state)
{
    auto_(path) path = NULL;
    GError *error = NULL;
    bson_iter_t iter;
    kit_ok(path_parse(&path, "a", &error));
    assert_false(path_find(path, SLICE_EMPTY, &iter));
    assert_false(path_find(path,
                           slice_of("\x08\0\0\0\x12"
                                    "a\0\0",
                                    8),
                           &iter));
}

static void a_path_tells_its_names(void **state)
{
    auto_(path) path = NULL;
    GError *error = NULL;
    kit_ok(path_parse(&path, "a\\.b.c\\\\d.0", &error));
    assert_int_equal(path_count(path), 3);
    kit_equal_text(path_name(path, 0), "a.b");
    kit_equal_text(path_name(path, 1), "c\\d");
    kit_equal_text(path_name(path, 2), "0");
}

static void a_wrong_path_is_refused_where_it_is_wrong(void **state)
{
    static const char *const rows[][2] = {
        {"", "the path '' is wrong at byte 1: expected a name"},
        {".a", "at byte 1: expected a name"},
        {"a.", "at byte 3: expected a name"},
        {"a..b", "at byte 3: expected a name"},
        {"a\\", "at byte 2: expected '.' or '\\' after a backslash"},
        {"a\\nb", "at byte 2: expected '.' or '\\'"},
        {"a\xff", "not UTF-8"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct path *path = NULL;
        GError *error = NULL;
        kit_refused(path_parse(&path, rows[i][0], &error), SPEC, rows[i][1]);
        assert_null(path);
    }
    path_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_leads_where_its_names_say),
        cmocka_unit_test(the_iterator_goes_on_from_what_was_found),
        cmocka_unit_test(the_place_counts_in_an_array_not_the_name),
        cmocka_unit_test(bytes_that_are_no_document_hold_nothing),
        cmocka_unit_test(a_path_tells_its_names),
        cmocka_unit_test(a_wrong_path_is_refused_where_it_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
