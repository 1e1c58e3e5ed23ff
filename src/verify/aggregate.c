#include "verify/aggregate.h"

#include "base/extsort.h"
#include "base/file.h"
#include "verify/rules.h"

#define SORT_BYTES (8u << 20)
#define VALUE      "is"

/* --- values
 * ------------------------------------------------------------------------------------------------------------ */

/* A document whose one field is the value: what is digested and shown. */
struct slice aggregate_value(const bson_iter_t *value, struct arena *mem)
{
    bson_t one = BSON_INITIALIZER;
    struct slice bytes = SLICE_EMPTY;
    bson_append_iter(&one, VALUE, -1, value);
    if (!arena_copy(mem, slice_of(bson_get_data(&one), one.len), &bytes))
        bytes = SLICE_EMPTY;
    bson_destroy(&one);
    return bytes;
}

/* What stands between {"is": and }. */
char *aggregate_value_text(struct slice document)
{
    g_autoptr(GString) text = g_string_new(NULL);
    size_t around = strlen("{\"" VALUE "\":");
    if (document.len == 0 || !document_to_json(document, text, NULL))
        return g_strdup("nothing");
    return g_strndup(text->str + around, text->len - around - 1);
}

/* The one field of such a document; an empty one was too large for the memory of a batch. */
static bool value_in(struct slice document, bson_iter_t *ret)
{
    bson_t view;
    return document.len > 0 && document_view(document, &view) && bson_iter_init(ret, &view) && bson_iter_next(ret);
}

/* The text of a text, else that of its JSON: what a datetime is written as. */
char *aggregate_bare_text(struct slice document)
{
    bson_iter_t iter;
    if (value_in(document, &iter) && BSON_ITER_HOLDS_UTF8(&iter))
        return g_strdup(bson_iter_utf8(&iter, NULL));
    char *text = aggregate_value_text(document);
    size_t len = strlen(text);
    if (len < 2 || text[0] != '"')
        return text;
    memmove(text, text + 1, len - 2);
    text[len - 2] = '\0';
    return text;
}

/* Numbers, and texts that are one: what a store of texts makes of numbers. */
static bool number_of(const bson_iter_t *value, bson_decimal128_t *ret)
{
    switch ((int)bson_iter_type(value)) {
    case BSON_TYPE_INT32:
    case BSON_TYPE_INT64:
        decimal_from_i64(bson_iter_as_int64(value), ret);
        return true;
    case BSON_TYPE_DECIMAL128:
        bson_iter_decimal128(value, ret);
        return decimal_is_finite(ret);
    case BSON_TYPE_DOUBLE:
        return decimal_from_double(bson_iter_double(value), ret);
    case BSON_TYPE_UTF8:
        return decimal_parse(slice_of_text(bson_iter_utf8(value, NULL)), ret, NULL);
    default:
        return false;
    }
}

bool aggregate_number_of(struct slice value, bson_decimal128_t *ret)
{
    bson_iter_t iter;
    return value_in(value, &iter) && !BSON_ITER_HOLDS_UTF8(&iter) && number_of(&iter, ret);
}

bool aggregate_number_at(const struct path *path, struct slice document, bson_decimal128_t *ret)
{
    bson_iter_t value;
    return document.len && path_find(path, document, &value) && number_of(&value, ret);
}

/* --- one ---------------------------------------------------------------------------------------------------------- */

bool aggregate_init(struct aggregate *io, const struct verify_input *input, GError **error)
{
    struct extsort_shape shape = {.item_len = 16, .key_len = 16, .memory_bytes = SORT_BYTES};
    g_autofree char *folder = g_path_get_dirname(input->report_path);
    io->text = g_string_new(NULL);
    decimal_from_i64(0, &io->number);
    return io->what != AGGREGATE_DISTINCT || (file_make_dirs(input->world, folder, error) &&
                                              extsort_new(&io->values, input->world, folder, &shape, error));
}

void aggregate_done(struct aggregate *aggregate)
{
    g_string_free(aggregate->text, TRUE);
    extsort_free(aggregate->values);
    g_free(aggregate->fault);
}

static void fail_with(struct aggregate *aggregate, const char *what, struct slice key)
{
    g_autofree char *shown = rule_key_text(key);
    if (!aggregate->fault)
        aggregate->fault = g_strdup_printf("%s in the record '%s'", what, shown);
}

static bool is_further(const struct aggregate *aggregate, int order)
{
    return aggregate->count == 0 || (aggregate->what == AGGREGATE_MIN ? order < 0 : order > 0);
}

static void add_number(struct aggregate *aggregate, const bson_iter_t *value, struct slice key)
{
    g_autoptr(GError) failed = NULL;
    bson_decimal128_t number;
    if (!number_of(value, &number))
        fail_with(aggregate, "no number", key);
    else if (aggregate->what != AGGREGATE_SUM)
        aggregate->number =
            is_further(aggregate, decimal_compare(&number, &aggregate->number)) ? number : aggregate->number;
    else if (!decimal_compute(DECIMAL_ADD, &aggregate->number, &number, &aggregate->number, &failed))
        fail_with(aggregate, failed->message, key);
}

static void add_text(struct aggregate *aggregate, struct slice value)
{
    g_autofree char *text = aggregate_bare_text(value);
    if (is_further(aggregate, strcmp(text, aggregate->text->str)))
        g_string_assign(aggregate->text, text);
}

static bool add_distinct(struct aggregate *aggregate, struct slice value, GError **error)
{
    struct digest digest;
    uint8_t item[16];
    if (!digest_canonical(value, 0, &digest, error))
        return false;
    digest_put(digest, item);
    return extsort_add(aggregate->values, item, error);
}

bool aggregate_add(struct aggregate *aggregate, const struct whole_record *record, struct arena *mem, GError **error)
{
    bson_iter_t value;
    bool ok = true;
    if (aggregate->path && record->unread) {
        fail_with(aggregate, record->unread, record->record->key);
        return true;
    }
    if (aggregate->path && (!path_find(aggregate->path, record->document, &value) || BSON_ITER_HOLDS_NULL(&value)))
        return true;
    if (aggregate->what == AGGREGATE_DISTINCT)
        ok = add_distinct(aggregate, aggregate_value(&value, mem), error);
    else if (aggregate->path && aggregate->by_text)
        add_text(aggregate, aggregate_value(&value, mem));
    else if (aggregate->path)
        add_number(aggregate, &value, record->record->key);
    aggregate->count++;
    return ok;
}

static bool count_distinct(struct aggregate *aggregate, GError **error)
{
    uint8_t last[16];
    const uint8_t *item;
    uint64_t n = 0;
    bool ok = extsort_finish(aggregate->values, error);
    while (ok && (ok = extsort_next(aggregate->values, &item, error)) && item) {
        n += n == 0 || memcmp(last, item, sizeof last) != 0;
        memcpy(last, item, sizeof last);
    }
    decimal_from_i64((int64_t)MIN(n, (uint64_t)INT64_MAX), &aggregate->number);
    return ok;
}

bool aggregate_end(struct aggregate *aggregate, GError **error)
{
    if (aggregate->what == AGGREGATE_COUNT)
        decimal_from_i64((int64_t)aggregate->count, &aggregate->number);
    return aggregate->what != AGGREGATE_DISTINCT || count_distinct(aggregate, error);
}
