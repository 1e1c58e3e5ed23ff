/* The options of one field: of the right type, and not against each other. */
#include <inttypes.h>

#include "base/int.h"
#include "contract/read.h"
#include "contract/walk.h"
#include "record/decimal.h"

enum { PATTERN_LONGEST = 4096, WORDS_SHOWN = 24, FORMATS_MOST = 16 };
#define CODES_MOST 65536u

/* --- literals -------------------------------------------------------------------------------------------------------
 */

/* Numbers as the core schema has them, kept exactly: an int64 where it is a whole one that fits, else a decimal. */
static bool append_number(struct reading *reading, const struct yaml_node *node, const char *key, bson_t *into)
{
    const char *text = node->text + (node->text[0] == '+');
    bool radix = node->kind == YAML_INT && strpbrk(text, "xo");
    bson_decimal128_t decimal;
    int64_t whole;
    if (radix ? yaml_get_i64(reading->yaml, node, &whole)
              : node->kind == YAML_INT && int_parse_i64(slice_of_text(text), &whole))
        return bson_append_int64(into, key, -1, whole);
    if (radix)
        return false;
    if (!decimal_parse(slice_of_text(text), &decimal, NULL))
        return yaml_fail(reading->yaml, node, "expected a number as JSON writes it, of at most 34 digits, found %s",
                         node->text);
    return bson_append_decimal128(into, key, -1, &decimal);
}

static bool append_node(struct reading *reading, const struct yaml_node *node, const char *key, bson_t *into);

static bool append_below(struct reading *reading, const struct yaml_node *node, const char *key, bson_t *into)
{
    bson_t below;
    bool list = node->kind == YAML_LIST, ok = true;
    if (list)
        bson_append_array_begin(into, key, -1, &below);
    else
        bson_append_document_begin(into, key, -1, &below);
    for (size_t i = 0; i < node->n; i++) {
        char index[16];
        g_snprintf(index, sizeof index, "%zu", i);
        ok &= append_node(reading, list ? node->items[i] : node->pairs[i].value,
                          list ? index : node->pairs[i].key->text, &below);
    }
    return (list ? bson_append_array_end(into, &below) : bson_append_document_end(into, &below)) && ok;
}

static bool append_node(struct reading *reading, const struct yaml_node *node, const char *key, bson_t *into)
{
    bool truth;
    switch (node->kind) {
    case YAML_NULL:
        return bson_append_null(into, key, -1);
    case YAML_BOOL:
        return yaml_get_bool(reading->yaml, node, &truth) && bson_append_bool(into, key, -1, truth);
    case YAML_INT:
    case YAML_FLOAT:
        return append_number(reading, node, key, into);
    case YAML_TEXT:
        return bson_append_utf8(into, key, -1, node->text, (int)node->n);
    case YAML_LIST:
    case YAML_MAP:
        return append_below(reading, node, key, into);
    }
    return false;
}

/* The node as the value that JSON would make of it. */
static bool read_value(struct reading *reading, const struct yaml_node *node, struct value *ret)
{
    bson_t document = BSON_INITIALIZER;
    struct slice kept;
    struct elements elements;
    struct element element;
    bool ok = append_node(reading, node, "v", &document);
    if (ok) {
        ok = arena_copy(reading->contract->mem, slice_of(bson_get_data(&document), document.len), &kept) &&
             elements_of(kept, &elements) && element_next(&elements, &element) == ELEMENT_OK;
        g_assert(ok); /* aliases stand for no more than YAML_NODES nodes; the arena holds them */
        *ret = (struct value){.type = element.type, .bytes = element.value};
    }
    bson_destroy(&document);
    return ok;
}

static bool is_bare(const struct yaml_node *node)
{
    return node->kind == YAML_INT || node->kind == YAML_FLOAT || node->kind == YAML_BOOL;
}

static bool refuse_literal(struct reading *reading, const struct field *field, const struct yaml_node *node,
                           const struct value *value, const struct conversion *conversion)
{
    g_autoptr(GString) found = g_string_new(NULL);
    if (conversion->whole)
        return yaml_fail(reading->yaml, node, "%s", conversion->why);
    value_describe(value, found);
    bool quotes = field->type == FIELD_STRING && is_bare(node);
    return yaml_fail(reading->yaml, node, "expected %s, found %s%s%s%s", type_row(field->type)->article, found->str,
                     conversion->why[0] ? "; " : "", conversion->why,
                     quotes ? "; put it in quotes if it is meant as text" : "");
}

bool read_literal(struct reading *reading, const struct field *field, const struct yaml_node *node, struct value *ret)
{
    struct conversion conversion = {.mem = reading->contract->mem};
    struct value value, made;
    struct slice kept;
    if (!read_value(reading, node, &value))
        return false;
    switch (value_convert(field, &value, &conversion, &made)) {
    case CONVERTED_REFUSED:
        return refuse_literal(reading, field, node, &value, &conversion);
    case CONVERTED_SAME:
        *ret = value;
        return true;
    case CONVERTED_MADE:
        break;
    }
    bool ok = arena_copy(reading->contract->mem, made.bytes, &kept);
    g_assert(ok);
    *ret = (struct value){.type = made.type, .bytes = kept};
    return true;
}

/* The walk that records go is what a default has to pass. */
void read_fallback(struct reading *reading, struct field *field, const struct yaml_node *node)
{
    struct value value;
    struct slice document;
    struct elements elements;
    struct element element;
    struct walk walk;
    struct fields alone = {
        .list = &field, .n = 1, .table = (uint16_t[]){1, 1}, .slots = 2, .id = reading->contract->n_fields_structs};
    if (!read_value(reading, node, &value))
        return;
    fields_settle_below(field);
    walk_init(&walk, reading->contract);
    walk_document(&walk, &alone, value_wrap(reading->contract->mem, field->name, &value), reading->contract->mem,
                  &document);
    g_assert(!walk.damaged);
    if (walk.no_room || document.len > DOCUMENT_BYTES) {
        yaml_diag(reading->yaml, node, "the default is too large, with the defaults that stand in it");
    } else if (walk.refusal->len) {
        yaml_diag(reading->yaml, node, "the default is refused by the field itself: %s", walk.refusal->str);
    } else if (elements_of(document, &elements) && element_next(&elements, &element) == ELEMENT_OK) {
        field->fallback = (struct value){.type = element.type, .bytes = element.value};
        field->has_fallback = true;
    }
    walk_done(&walk);
}

/* --- options --------------------------------------------------------------------------------------------------------
 */

static void refuse_misplaced(struct reading *reading, const struct field *field, const struct field_wish *wish)
{
    const struct {
        const struct yaml_node *node;
        const char *name;
        unsigned option;
    } rows[] = {
        {wish->one_of, "one_of", OPTION_ONE_OF}, {wish->pattern, "pattern", OPTION_PATTERN},
        {wish->min, "min", OPTION_BOUNDS},       {wish->max, "max", OPTION_BOUNDS},
        {wish->length, "length", OPTION_LENGTH}, {wish->zone, "zone", OPTION_TIME},
        {wish->format, "format", OPTION_TIME},   {wish->items, "items", OPTION_ITEMS},
        {wish->fields, "fields", OPTION_FIELDS},
    };
    const struct type_row *type = type_row(field->type);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].node && !(type->options & rows[i].option))
            yaml_diag(reading->yaml, rows[i].node, "'%s' is not for %s ('%s')", rows[i].name, type->article,
                      field->path);
}

static void read_pattern(struct reading *reading, struct field *field, const struct yaml_node *node)
{
    const char *text;
    int code;
    size_t at;
    uint8_t message[128];
    if (!yaml_get_text(reading->yaml, node, &text))
        return;
    if (strlen(text) > PATTERN_LONGEST) {
        yaml_diag(reading->yaml, node, "a pattern of more than %d bytes", PATTERN_LONGEST);
        return;
    }
    /* `$` is the very end: a line feed there would be a character that nobody sees. */
    uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
    field->pattern = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, options, &code, &at, NULL);
    if (!field->pattern) {
        pcre2_get_error_message(code, message, sizeof message);
        yaml_diag(reading->yaml, node, "the pattern does not compile, at its byte %zu: %s", at + 1,
                  (const char *)message);
        return;
    }
    g_ptr_array_add(reading->contract->patterns, field->pattern);
    field->pattern_text = reading_keep(reading, text);
    field->has |= FIELD_HAS_PATTERN;
}

static void read_zone(struct reading *reading, struct field *field, const struct yaml_node *node)
{
    const char *text;
    int64_t us;
    if (!node || !yaml_get_text(reading->yaml, node, &text))
        return;
    if (strcmp(text, "required") == 0)
        return;
    field->zone = strcmp(text, "UTC") == 0 ? DATETIME_ZONE_UTC : DATETIME_ZONE_NAMED;
    field->zone_name = reading_keep(reading, text);
    if (!datetime_parse_us(slice_of_text("2000-01-01T12:00:00"), field->zone, field->zone_name, &us, NULL))
        yaml_diag(reading->yaml, node,
                  "expected required, UTC or the name of a time zone such as Europe/Berlin, found "
                  "'%s'",
                  text);
}

static bool check_format(struct reading *reading, const struct field *field, const struct yaml_node *node,
                         const char *text)
{
    bool has_zone = false;
    const char *fault = dates_format_fault(text, &has_zone);
    if (fault)
        return yaml_fail(reading->yaml, node, "the format '%s' is wrong: %s", text, fault);
    if (!has_zone && field->zone == DATETIME_ZONE_REQUIRED)
        return yaml_fail(reading->yaml, node,
                         "the format '%s' has no zone (%%z), so 'zone' must say how it is taken, "
                         "such as zone: UTC",
                         text);
    return true;
}

static void read_formats(struct reading *reading, struct field *field, const struct yaml_node *node)
{
    bool list = node->kind == YAML_LIST;
    size_t n = list ? node->n : 1;
    const char **formats = reading_take(reading, FORMATS_MOST * sizeof *formats);
    if (n == 0 || n > FORMATS_MOST) {
        yaml_diag(reading->yaml, node, "expected 1 to %d formats, found %zu", FORMATS_MOST, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct yaml_node *item = list ? node->items[i] : node;
        const char *text;
        if (yaml_get_text(reading->yaml, item, &text) && check_format(reading, field, item, text))
            formats[field->n_formats++] = reading_keep(reading, text);
    }
    field->formats = formats;
}

static void read_bounds(struct reading *reading, struct field *field, const struct field_wish *wish)
{
    struct value value;
    if (wish->min && read_literal(reading, field, wish->min, &value)) {
        field->min = value_bound(field->type, &value);
        field->min_text = reading_keep(reading, wish->min->text);
        field->has |= FIELD_HAS_MIN;
    }
    if (wish->max && read_literal(reading, field, wish->max, &value)) {
        field->max = value_bound(field->type, &value);
        field->max_text = reading_keep(reading, wish->max->text);
        field->has |= FIELD_HAS_MAX;
    }
    bool both = field->has & FIELD_HAS_MIN && field->has & FIELD_HAS_MAX;
    if (both && value_compare_bounds(field->type, field->min, field->max) > 0)
        yaml_diag(reading->yaml, wish->min, "'min: %s' is above 'max: %s' on %s", field->min_text, field->max_text,
                  yaml_place(reading->yaml, wish->max));
}

static void read_length(struct reading *reading, struct field *field, const struct yaml_node *node)
{
    struct length_wish wish = {0};
    bool ok = node->kind == YAML_MAP ? rows_read_map(&reading->rows, "fields.*.length", node, &wish)
                                     : yaml_get_u64(reading->yaml, node, 0, UINT32_MAX, &wish.min);
    if (node->kind != YAML_MAP)
        wish.max = wish.min;
    if (!ok)
        return;
    if (wish.min > wish.max)
        yaml_diag(reading->yaml, node, "the least length, %" PRIu64 ", is above the greatest, %" PRIu64, wish.min,
                  wish.max);
    field->length_min = wish.min;
    field->length_max = wish.max;
    field->has |= FIELD_HAS_LENGTH;
}

static int compare_values(const void *left, const void *right, void *field)
{
    return value_compare(((const struct field *)field)->type, left, right);
}

/* Of a string: the table that it names, or NULL. */
static const char *const *codes_of(const struct field *field, const struct yaml_node *node)
{
    return field->type == FIELD_STRING && node->kind == YAML_TEXT ? references_codes(node->text) : NULL;
}

static struct value code_value(struct reading *reading, const char *code)
{
    size_t len = strlen(code) + 1;
    uint32_t head = GUINT32_TO_LE((uint32_t)len);
    uint8_t *bytes = reading_take(reading, sizeof head + len);
    memcpy(bytes, &head, sizeof head);
    memcpy(bytes + sizeof head, code, len);
    return (struct value){.type = BSON_TYPE_UTF8, .bytes = slice_of(bytes, sizeof head + len)};
}

/* One item of the list: a value, or all that a table has. */
static bool read_item(struct reading *reading, struct field *field, const struct yaml_node *node)
{
    const char *const *codes = codes_of(field, node);
    for (size_t i = 0; codes && codes[i]; i++)
        field->one_of[field->n_one_of++] = code_value(reading, codes[i]);
    if (codes)
        return true;
    if (!read_literal(reading, field, node, &field->one_of[field->n_one_of]))
        return false;
    field->n_one_of++;
    return true;
}

/* The words for messages, in the order of the file. */
static void keep_words(struct reading *reading, struct field *field)
{
    const char **words = reading_take(reading, (field->n_one_of + 1) * sizeof *words);
    for (size_t i = 0; field->type == FIELD_STRING && i < field->n_one_of; i++) {
        struct element element = value_element(&field->one_of[i]);
        words[i] = (const char *)element_string(&element).data;
    }
    field->one_of_words = words;
}

/* Appends what a message shows of the item, which begins with this value: a table has its name there. */
static void show_item(const struct field *field, const struct yaml_node *node, const struct value *value, GString *into)
{
    struct element element = value_element(value);
    g_string_append(into, into->len ? ", " : "");
    if (codes_of(field, node))
        g_string_append(into, node->text);
    else if (field->type == FIELD_STRING)
        g_string_append(into, (const char *)element_string(&element).data);
    else
        value_show(value, into);
}

/* A few bytes of a contract ask for many codes: they are bounded. */
static bool count_values(struct reading *reading, const struct field *field, const struct yaml_node *list, size_t *ret)
{
    *ret = list->n;
    for (size_t i = 0; i < list->n; i++)
        for (const char *const *codes = codes_of(field, list->items[i]); codes && *codes; codes++) {
            ++*ret;
            if (++reading->n_codes > CODES_MOST)
                return yaml_fail(reading->yaml, list->items[i], "more than %u codes of reference tables in a contract",
                                 CODES_MOST);
        }
    return true;
}

static bool read_items(struct reading *reading, struct field *field, const struct yaml_node *list)
{
    g_autoptr(GString) shown = g_string_new(NULL);
    size_t n;
    bool ok = count_values(reading, field, list, &n);
    if (!ok)
        return false;
    field->one_of = reading_take(reading, n * sizeof *field->one_of);
    for (size_t i = 0; i < list->n; i++) {
        const struct value *first = &field->one_of[field->n_one_of];
        ok &= read_item(reading, field, list->items[i]);
        if (ok && i < WORDS_SHOWN)
            show_item(field, list->items[i], first, shown);
    }
    g_string_append(shown, list->n > WORDS_SHOWN ? ", …" : "");
    field->one_of_text = reading_keep(reading, shown->str);
    return ok;
}

static void read_one_of(struct reading *reading, struct field *field, const struct yaml_node *node)
{
    if (node->kind != YAML_LIST || node->n == 0) {
        yaml_expected(reading->yaml, node, "a list of values");
        return;
    }
    if (!read_items(reading, field, node))
        return;
    keep_words(reading, field);
    g_qsort_with_data(field->one_of, (int)field->n_one_of, sizeof *field->one_of, compare_values, field);
    for (size_t i = 1; i < field->n_one_of; i++)
        if (value_compare(field->type, &field->one_of[i - 1], &field->one_of[i]) == 0) {
            g_autoptr(GString) shown = g_string_new(NULL);
            value_show(&field->one_of[i], shown);
            yaml_diag(reading->yaml, node, "%s stands twice in 'one_of'", shown->str);
        }
    field->has |= FIELD_HAS_ONE_OF;
}

/* Each value of one_of has to pass the other options, else it could never be had. */
static void check_one_of(struct reading *reading, const struct field *field, const struct yaml_node *node)
{
    struct field others = *field;
    struct field *list = &others;
    struct fields alone = {
        .list = &list, .n = 1, .table = (uint16_t[]){1, 1}, .slots = 2, .id = reading->contract->n_fields_structs};
    struct walk walk;
    others.has &= ~(unsigned)FIELD_HAS_ONE_OF;
    walk_init(&walk, reading->contract);
    for (size_t i = 0; i < field->n_one_of && others.has; i++) {
        struct slice document;
        walk_document(&walk, &alone, value_wrap(reading->contract->mem, field->name, &field->one_of[i]),
                      reading->contract->mem, &document);
        if (walk.refusal->len)
            yaml_diag(reading->yaml, node, "a value of 'one_of' is refused by the field itself: %s", walk.refusal->str);
    }
    walk_done(&walk);
}

void read_options(struct reading *reading, struct field *field, const struct field_wish *wish)
{
    unsigned options = type_row(field->type)->options;
    size_t faults = diags_count(reading->diags);
    refuse_misplaced(reading, field, wish);
    if (wish->required && wish->fallback)
        yaml_diag(reading->yaml, wish->fallback,
                  "'%s' is required and has a default: where a default is given, it is "
                  "never missing",
                  field->path);
    if (wish->pattern && options & OPTION_PATTERN)
        read_pattern(reading, field, wish->pattern);
    if (options & OPTION_TIME)
        read_zone(reading, field, wish->zone);
    if (wish->format && options & OPTION_TIME)
        read_formats(reading, field, wish->format);
    if (options & OPTION_BOUNDS)
        read_bounds(reading, field, wish);
    if (wish->length && options & OPTION_LENGTH)
        read_length(reading, field, wish->length);
    if (wish->one_of && options & OPTION_ONE_OF)
        read_one_of(reading, field, wish->one_of);
    if (wish->one_of && diags_count(reading->diags) == faults)
        check_one_of(reading, field, wish->one_of);
}
