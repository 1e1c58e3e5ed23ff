/* The file of fixtures: reading it, and writing a line of it. */
#include "transform/fixture.h"

#include "base/diags.h"
#include "base/file.h"
#include "base/nearest.h"
#include "record/datetime.h"
#include "record/rewrite.h"

#define FILE_BYTES   (64u << 20)
#define MEMORY_BYTES (512u << 20)

/* One line while it is read; what is wrong goes to the diags. */
struct reading {
    struct fixtures *fixtures;
    struct diags *diags;
    struct fixture *into;
    size_t n_expected; /* of out, filtered, deleted, rejected */
    const bson_t *types;
};

static bool wrong(struct reading *reading, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool wrong(struct reading *reading, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    diags_add(reading->diags, reading->fixtures->path, (uint32_t)reading->into->line, 1, "%s", text);
    return false;
}

static bool no_room(struct reading *reading)
{
    return wrong(reading, "it does not fit into memory");
}

static bool expected(struct reading *reading, const char *key, const char *what)
{
    return wrong(reading, "'%s': %s was expected", key, what);
}

static bool take_text(struct reading *reading, const char *key, const bson_iter_t *at, const char **ret)
{
    if (!BSON_ITER_HOLDS_UTF8(at))
        return expected(reading, key, "a text");
    *ret = arena_text(reading->fixtures->mem, slice_of_text(bson_iter_utf8(at, NULL)));
    return *ret || no_room(reading);
}

static bool take_document(struct reading *reading, const char *key, const bson_iter_t *at, struct slice *ret)
{
    const uint8_t *bytes;
    uint32_t len;
    if (!BSON_ITER_HOLDS_DOCUMENT(at))
        return expected(reading, key, "an object");
    bson_iter_document(at, &len, &bytes);
    return arena_copy(reading->fixtures->mem, slice_of(bytes, len), ret) || no_room(reading);
}

static bool read_name(struct reading *reading, const bson_iter_t *at)
{
    return take_text(reading, "name", at, &reading->into->name);
}

static bool read_in(struct reading *reading, const bson_iter_t *at)
{
    return take_document(reading, "in", at, &reading->into->document);
}

static bool read_out(struct reading *reading, const bson_iter_t *at)
{
    g_autoptr(GArray) out = g_array_new(FALSE, TRUE, sizeof(struct slice));
    bson_iter_t items = *at;
    struct slice one;
    reading->into->list = BSON_ITER_HOLDS_ARRAY(at);
    if (reading->into->list && !bson_iter_recurse(at, &items))
        return expected(reading, "out", "a document or a list of documents");
    while (!reading->into->list || bson_iter_next(&items)) {
        if (!take_document(reading, "out", &items, &one))
            return false;
        g_array_append_val(out, one);
        if (!reading->into->list)
            break;
    }
    struct slice kept;
    if (out->len == 0)
        return expected(reading, "out", "a list of at least one document (nothing at all is `\"filtered\": true`)");
    if (!arena_copy(reading->fixtures->mem, slice_of(out->data, out->len * sizeof(struct slice)), &kept))
        return no_room(reading);
    reading->into->verdict = TRANSFORM_WANTED;
    reading->into->out = (const struct slice *)(const void *)kept.data;
    reading->into->n_out = out->len;
    return true;
}

static bool read_true(struct reading *reading, const char *key, const bson_iter_t *at, enum transform_verdict verdict)
{
    reading->into->verdict = verdict;
    return (BSON_ITER_HOLDS_BOOL(at) && bson_iter_bool(at)) || expected(reading, key, "true");
}

static bool read_filtered(struct reading *reading, const bson_iter_t *at)
{
    return read_true(reading, "filtered", at, TRANSFORM_FILTERED);
}

static bool read_deleted(struct reading *reading, const bson_iter_t *at)
{
    return read_true(reading, "deleted", at, TRANSFORM_DELETE);
}

static bool read_rejected(struct reading *reading, const bson_iter_t *at)
{
    reading->into->verdict = TRANSFORM_REJECTED;
    return take_text(reading, "rejected", at, &reading->into->reason);
}

static bool read_error(struct reading *reading, const bson_iter_t *at)
{
    const char *names[SLUICE_ERROR_COUNT];
    size_t n = 0;
    if (!take_text(reading, "error", at, &reading->into->error))
        return false;
    for (int i = 0; i < SLUICE_ERROR_COUNT; i++)
        if (error_row((enum error_code)i)->class == ERROR_RECORD)
            names[n++] = error_row((enum error_code)i)->name;
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], reading->into->error) == 0)
            return true;
    const char *near = nearest_word(reading->into->error, names, n);
    return wrong(reading, "'error': no record is refused with '%s'%s%s%s; `sluice explain error` lists them",
                 reading->into->error, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static bool read_types(struct reading *reading, const bson_iter_t *at)
{
    struct slice types;
    bson_t *view = arena_alloc(reading->fixtures->mem, sizeof *view);
    if (!take_document(reading, "types", at, &types))
        return false;
    if (!view || !document_view(types, view))
        return no_room(reading);
    reading->types = view;
    return true;
}

static bool read_key(struct reading *reading, const bson_iter_t *at)
{
    reading->into->has_key = key_shown(at, reading->fixtures->mem, &reading->into->key);
    return reading->into->has_key || expected(reading, "ctx.key", "a text, or {\"base64\": \"…\"},");
}

static bool read_run(struct reading *reading, const bson_iter_t *at)
{
    return take_text(reading, "ctx.run", at, &reading->into->run);
}

static bool read_spec(struct reading *reading, const bson_iter_t *at)
{
    return take_text(reading, "ctx.spec", at, &reading->into->spec);
}

static bool read_planned_at(struct reading *reading, const bson_iter_t *at)
{
    const char *text;
    int64_t us;
    if (!take_text(reading, "ctx.planned_at", at, &text))
        return false;
    if (!datetime_parse_us(slice_of_text(text), DATETIME_ZONE_REQUIRED, NULL, &us, NULL))
        return expected(reading, "ctx.planned_at", "a time such as 2026-07-10T12:00:00Z");
    reading->into->planned_at_ms = us / 1000;
    reading->into->has_planned_at = true;
    return true;
}

static bool read_fields(struct reading *reading, bson_iter_t *at, const char *prefix);

static bool read_ctx(struct reading *reading, const bson_iter_t *at)
{
    bson_iter_t fields;
    return BSON_ITER_HOLDS_DOCUMENT(at) && bson_iter_recurse(at, &fields) ? read_fields(reading, &fields, "ctx.")
                                                                          : expected(reading, "ctx", "an object");
}

/* What reads the rows of fixture_rows(). */
static const struct {
    const char *key;
    bool (*read)(struct reading *reading, const bson_iter_t *at);
    bool expects;
} READERS[] = {
    {"name", read_name, false},        {"in", read_in, false},          {"types", read_types, false},
    {"ctx", read_ctx, false},          {"ctx.key", read_key, false},    {"ctx.run", read_run, false},
    {"ctx.spec", read_spec, false},    {"out", read_out, true},         {"ctx.planned_at", read_planned_at, false},
    {"filtered", read_filtered, true}, {"deleted", read_deleted, true}, {"rejected", read_rejected, true},
    {"error", read_error, false},
};

static bool unknown(struct reading *reading, const char *key)
{
    const char *keys[G_N_ELEMENTS(READERS)];
    for (size_t i = 0; i < G_N_ELEMENTS(READERS); i++)
        keys[i] = READERS[i].key;
    const char *near = nearest_word(key, keys, G_N_ELEMENTS(keys));
    if (near)
        return wrong(reading, "unknown key '%s'; did you mean '%s'?", key, near);
    return wrong(reading, "unknown key '%s'; `sluice explain fixture` lists them", key);
}

static bool read_field(struct reading *reading, const char *key, const bson_iter_t *at)
{
    for (size_t i = 0; i < G_N_ELEMENTS(READERS); i++)
        if (strcmp(READERS[i].key, key) == 0) {
            reading->n_expected += READERS[i].expects;
            return READERS[i].read(reading, at);
        }
    return unknown(reading, key);
}

static bool read_fields(struct reading *reading, bson_iter_t *at, const char *prefix)
{
    bool ok = true;
    while (bson_iter_next(at)) {
        g_autofree char *key = g_strconcat(prefix, bson_iter_key(at), NULL);
        ok = read_field(reading, *prefix || !strchr(key, '.') ? key : "", at) && ok;
    }
    return ok;
}

/* --- types ---------------------------------------------------------------------------------------------------------
 */

struct typing {
    const bson_t *types;
    size_t found;
};

static bool type_value(void *self, const struct rewrite_value *value, bool *ret_done, GError **error)
{
    struct typing *typing = self;
    bson_iter_t at;
    if (!bson_iter_init_find(&at, typing->types, value->path) || !BSON_ITER_HOLDS_UTF8(&at))
        return true;
    typing->found++;
    *ret_done = true;
    return rewrite_as_type(value, bson_iter_utf8(&at, NULL), error);
}

static bool apply_types(struct reading *reading)
{
    struct typing typing = {.types = reading->types};
    struct rewrite rewrite = {.value = type_value, .self = &typing};
    g_autoptr(GError) error = NULL;
    if (!reading->types)
        return true;
    if (!document_rewrite(reading->into->document, &rewrite, reading->fixtures->mem, &reading->into->document, &error))
        return wrong(reading, "types: %s", error->message);
    return typing.found == bson_count_keys(reading->types) ||
           wrong(reading, "'types' names a path at which `in` has no value, or a type that is no text");
}

/* --- lines ---------------------------------------------------------------------------------------------------------
 */

static bool check_whole(struct reading *reading)
{
    const struct fixture *fixture = reading->into;
    if (!fixture->document.data)
        return wrong(reading, "'in', the record, is missing");
    if (reading->n_expected != 1)
        return wrong(reading, "%s of out, filtered, deleted, rejected was expected: what has to come of the record",
                     reading->n_expected ? "only one" : "one");
    if (fixture->error && fixture->verdict != TRANSFORM_REJECTED)
        return wrong(reading, "'error' goes with 'rejected'");
    return apply_types(reading);
}

static void read_line(struct reading *reading, struct slice text)
{
    g_autoptr(GError) error = NULL;
    struct fixture fixture = {.line = reading->into->line, .text = text};
    struct slice bytes;
    bson_iter_t at;
    bson_t view;
    size_t column = 0;
    *reading->into = fixture;
    reading->n_expected = 0;
    reading->types = NULL;
    if (!document_from_json(text, reading->fixtures->mem, &bytes, &column, &error))
        diags_add(reading->diags, reading->fixtures->path, (uint32_t)fixture.line, (uint32_t)column + 1, "%s",
                  error->message);
    else if (!document_view(bytes, &view) || !bson_iter_init(&at, &view))
        wrong(reading, "it cannot be read");
    else if (read_fields(reading, &at, ""))
        check_whole(reading);
}

static bool is_blank(struct slice text)
{
    size_t at = 0;
    while (at < text.len && g_ascii_isspace((char)text.data[at]))
        at++;
    return at == text.len;
}

static void read_lines(struct fixtures *fixtures, struct diags *diags)
{
    g_autoptr(GArray) found = g_array_new(FALSE, TRUE, sizeof(struct fixture));
    struct slice kept;
    uint64_t line = 0;
    for (size_t at = 0, len; at < fixtures->text.len; at += len + 1) {
        const uint8_t *begin = fixtures->text.data + at;
        const uint8_t *end = memchr(begin, '\n', fixtures->text.len - at);
        struct fixture fixture = {.line = ++line};
        struct reading reading = {.fixtures = fixtures, .diags = diags, .into = &fixture};
        len = end ? (size_t)(end - begin) : fixtures->text.len - at;
        if (is_blank(slice_of(begin, len)))
            continue;
        read_line(&reading, slice_of(begin, len));
        g_array_append_val(found, fixture);
    }
    if (!arena_copy(fixtures->mem, slice_of(found->data, found->len * sizeof(struct fixture)), &kept)) {
        diags_add(diags, fixtures->path, 0, 0, "it does not fit into memory");
        return;
    }
    fixtures->fixtures = (struct fixture *)(void *)(uintptr_t)kept.data;
    fixtures->n = found->len;
}

bool fixtures_read(struct fixtures **ret, const struct world *world, const char *path, GError **error)
{
    g_autoptr(GBytes) content = NULL;
    auto_(diags) diags = diags_new();
    gsize len;
    if (!file_read_all(world, path, FILE_BYTES, &content, error))
        return false;
    auto_(fixtures) fixtures = g_new0(struct fixtures, 1);
    const void *bytes = g_bytes_get_data(content, &len);
    fixtures->mem = arena_new(MEMORY_BYTES);
    fixtures->path = arena_text(fixtures->mem, slice_of_text(path));
    if (!fixtures->path || !arena_copy(fixtures->mem, slice_of(bytes, len), &fixtures->text))
        return error_set(error, SLUICE_ERROR_FIXTURES, "%s: it does not fit into memory", path);
    read_lines(fixtures, diags);
    if (!diags_settle(diags, SLUICE_ERROR_FIXTURES, error))
        return false;
    *ret = g_steal_pointer(&fixtures);
    return true;
}

void fixtures_free(struct fixtures *fixtures)
{
    if (!fixtures)
        return;
    arena_free(fixtures->mem);
    g_free(fixtures);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

struct writing {
    bson_t *types;
};

static bool note_type(void *self, const struct rewrite_value *value, bool *ret_done, GError **error)
{
    struct writing *writing = self;
    const char *type = rewrite_type_of(value->at);
    *ret_done = false;
    return !type || bson_append_utf8(writing->types, value->path, -1, type, -1) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "the types of the record do not fit into memory");
}

static bool put_bson(GString *into, const char *name, const bson_t *value, GError **error)
{
    g_string_append_printf(into, ",\"%s\":", name);
    return document_to_json(slice_of(bson_get_data(value), value->len), into, error);
}

static bool put_types(GString *into, struct slice document, GError **error)
{
    bson_t types = BSON_INITIALIZER;
    struct writing writing = {.types = &types};
    struct rewrite rewrite = {.value = note_type, .self = &writing};
    auto_(arena) mem = arena_new(2u * DOCUMENT_BYTES);
    struct slice same;
    bool ok = document_rewrite(document, &rewrite, mem, &same, error) &&
              (bson_empty(&types) || put_bson(into, "types", &types, error));
    bson_destroy(&types);
    return ok;
}

static bool put_ctx(GString *into, const struct fixture *fixture, GError **error)
{
    bson_t ctx = BSON_INITIALIZER;
    char time[DATETIME_TEXT];
    if (fixture->has_key)
        key_show(fixture->key, "key", &ctx);
    if (fixture->run)
        BSON_APPEND_UTF8(&ctx, "run", fixture->run);
    if (fixture->spec)
        BSON_APPEND_UTF8(&ctx, "spec", fixture->spec);
    if (fixture->has_planned_at)
        BSON_APPEND_UTF8(&ctx, "planned_at", datetime_text(fixture->planned_at_ms, time));
    bool ok = bson_empty(&ctx) || put_bson(into, "ctx", &ctx, error);
    bson_destroy(&ctx);
    return ok;
}

static bool put_out(GString *into, const struct fixture_result *result, GError **error)
{
    g_string_append(into, result->list ? ",\"out\":[" : ",\"out\":");
    for (size_t i = 0; i < result->n_out; i++) {
        g_string_append(into, i ? "," : "");
        if (!document_to_json(result->out[i], into, error))
            return false;
    }
    g_string_append(into, result->list ? "]" : "");
    return true;
}

/* A text as the value of a field, and the whole of an object that has nothing else. */
static bool put_texts(GString *into, const char *name, const char *text, GError **error)
{
    bson_t one = BSON_INITIALIZER;
    gsize at = into->len;
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    BSON_APPEND_UTF8(&one, name, valid);
    bool ok = document_to_json(slice_of(bson_get_data(&one), one.len), into, error);
    bson_destroy(&one);
    if (!ok)
        return false;
    into->str[at] = ','; /* its brace */
    g_string_truncate(into, into->len - 1);
    return true;
}

static bool put_expected(GString *into, const struct fixture_result *result, GError **error)
{
    switch (result->verdict) {
    case TRANSFORM_WANTED:
        return put_out(into, result, error);
    case TRANSFORM_FILTERED:
        g_string_append(into, ",\"filtered\":true");
        return true;
    case TRANSFORM_DELETE:
        g_string_append(into, ",\"deleted\":true");
        return true;
    case TRANSFORM_REJECTED:
        return put_texts(into, "rejected", result->reason.text, error) &&
               put_texts(into, "error", error_row(result->reason.code)->name, error);
    }
    return error_set(error, SLUICE_ERROR_INTERNAL, "a verdict of the transform that is none");
}

bool fixture_put(GString *into, const struct fixture *fixture, const struct fixture_result *result, GError **error)
{
    gsize begin = into->len;
    if (fixture->name && !put_texts(into, "name", fixture->name, error))
        return false;
    g_string_append(into, ",\"in\":");
    if (!document_to_json(fixture->document, into, error) || !put_types(into, fixture->document, error) ||
        !put_ctx(into, fixture, error) || !put_expected(into, result, error))
        return false;
    into->str[begin] = '{';
    g_string_append_c(into, '}');
    return true;
}
