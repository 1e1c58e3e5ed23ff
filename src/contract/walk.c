#include "contract/walk.h"

#include <inttypes.h>
#include <math.h>

#include "base/nearest.h"

/* A pattern that needs more is at fault itself. Counted by PCRE2's interpreter; its JIT compiler counts otherwise, and
 * a record must get the same verdict on every machine, so it is not used. */
enum { MATCH_STEPS = 250000, MATCH_DEPTH = 20000, MATCH_KIB = 16 << 10 };

enum { ROOM_TO_GROW = 128 };

/* An object or array on the way to where the walk is. */
struct frame {
    struct frame *parent;
    struct slice document;
    const uint8_t *copied;  /* up to where it has gone to the output; counts once it is open */
    const uint8_t *element; /* the element in hand, and where it ends */
    const uint8_t *behind;
    struct slice name; /* the element's */
    size_t at;         /* where its length stands in the output */
    bool open;
};

/* --- what is wrong --------------------------------------------------------------------------------------------------
 */

static void append_path(const struct frame *frame, GString *into)
{
    if (frame->parent) {
        append_path(frame->parent, into);
        g_string_append_c(into, '.');
    }
    g_string_append_len(into, (const char *)frame->name.data, (gssize)frame->name.len);
}

/* Begins a line; what is wrong with the element in hand is appended by the caller. */
static GString *refuse(struct walk *walk, const struct frame *frame)
{
    if (walk->refusal->len)
        g_string_append_c(walk->refusal, '\n');
    append_path(frame, walk->refusal);
    g_string_append(walk->refusal, ": ");
    return walk->refusal;
}

static void refuse_type(struct walk *walk, const struct frame *frame, const struct field *field,
                        const struct value *value, const struct conversion *conversion)
{
    if (conversion->no_room) {
        walk->no_room = true;
        return;
    }
    GString *line = refuse(walk, frame);
    if (conversion->whole) {
        g_string_append(line, conversion->why);
        return;
    }
    g_string_append_printf(line, "expected %s, found ", type_row(field->type)->article);
    value_describe(value, line);
    if (conversion->why[0])
        g_string_append_printf(line, "; %s", conversion->why);
}

static void refuse_unknown(struct walk *walk, const struct frame *frame, const struct fields *fields)
{
    g_autofree const char **words = g_new(const char *, fields->n);
    g_autofree char *name = g_strndup((const char *)frame->name.data, frame->name.len);
    for (size_t i = 0; i < fields->n; i++)
        words[i] = (const char *)fields->list[i]->name.data;
    const char *near = nearest_word(name, words, fields->n);
    GString *line = refuse(walk, frame);
    g_string_append(line, "the contract has no such field");
    if (near)
        g_string_append_printf(line, "; did you mean '%s'?", near);
}

/* --- the output -----------------------------------------------------------------------------------------------------
 */

static void put(struct walk *walk, const void *bytes, size_t len)
{
    if (walk->no_room || len == 0)
        return;
    if (walk->room - walk->len < len) {
        size_t room = (walk->room ? 2 * walk->room : walk->hint) + len;
        uint8_t *out = walk->out ? arena_grow(walk->mem, walk->out, walk->room, room) : arena_alloc(walk->mem, room);
        if (!out) {
            walk->no_room = true;
            return;
        }
        walk->out = out;
        walk->room = room;
    }
    memcpy(walk->out + walk->len, bytes, len);
    walk->len += len;
}

static void copy_up_to(struct walk *walk, struct frame *frame, const uint8_t *end)
{
    put(walk, frame->copied, (size_t)(end - frame->copied));
    frame->copied = end;
}

static size_t put_length(struct walk *walk)
{
    size_t at = walk->len;
    put(walk, "\0\0\0", 4);
    return at;
}

static void patch_length(struct walk *walk, size_t at)
{
    put(walk, "", 1);
    if (walk->no_room)
        return;
    uint32_t len = GUINT32_TO_LE((uint32_t)(walk->len - at));
    memcpy(walk->out + at, &len, sizeof len);
}

/* Before the first change in it: everything above it is copied up to where it begins. */
static void open_frame(struct walk *walk, struct frame *frame)
{
    if (frame->open)
        return;
    if (frame->parent) {
        open_frame(walk, frame->parent);
        copy_up_to(walk, frame->parent, frame->document.data);
        frame->parent->copied = frame->document.data + frame->document.len;
    }
    frame->at = put_length(walk);
    frame->copied = frame->document.data + 4;
    frame->open = true;
}

static void put_head(struct walk *walk, uint8_t type, struct slice name)
{
    put(walk, &type, 1);
    put(walk, name.data, name.len);
    put(walk, "", 1);
}

static void replace(struct walk *walk, struct frame *frame, const struct value *value)
{
    open_frame(walk, frame);
    copy_up_to(walk, frame, frame->element);
    put_head(walk, value->type, frame->name);
    put(walk, value->bytes.data, value->bytes.len);
    frame->copied = frame->behind;
}

static void drop(struct walk *walk, struct frame *frame)
{
    open_frame(walk, frame);
    copy_up_to(walk, frame, frame->element);
    frame->copied = frame->behind;
}

static void close_frame(struct walk *walk, struct frame *frame)
{
    if (!frame->open)
        return;
    copy_up_to(walk, frame, frame->document.data + frame->document.len - 1);
    patch_length(walk, frame->at);
}

/* --- absent fields --------------------------------------------------------------------------------------------------
 */

static void put_fallback(struct walk *walk, const struct field *field)
{
    put_head(walk, field->declared ? field->fallback.type : BSON_TYPE_DOCUMENT, field->name);
    if (field->declared) {
        put(walk, field->fallback.bytes.data, field->fallback.bytes.len);
        return;
    }
    size_t at = put_length(walk);
    for (size_t i = 0; i < field->fields->n; i++)
        if (field->fields->list[i]->has_fallback)
            put_fallback(walk, field->fields->list[i]);
    patch_length(walk, at);
}

/* A required field below an object that only paths name is required itself. */
static void refuse_absent(struct walk *walk, struct frame *above, const struct field *field)
{
    above->name = field->name;
    if (field->required) {
        g_string_append(refuse(walk, above), "required, and not there");
        return;
    }
    if (field->declared)
        return;
    struct frame below = {.parent = above};
    for (size_t i = 0; i < field->fields->n; i++)
        refuse_absent(walk, &below, field->fields->list[i]);
}

static void absent(struct walk *walk, struct frame *frame, const struct field *field)
{
    refuse_absent(walk, frame, field);
    if (!field->has_fallback)
        return;
    open_frame(walk, frame);
    copy_up_to(walk, frame, frame->document.data + frame->document.len - 1);
    put_fallback(walk, field);
}

static void check_absent(struct walk *walk, struct frame *frame, const struct fields *fields, const uint64_t *seen)
{
    for (size_t word = 0; word * 64 < fields->n; word++)
        for (uint64_t missing = fields->needed[word] & ~seen[word]; missing; missing &= missing - 1)
            absent(walk, frame, fields->list[word * 64 + (size_t)__builtin_ctzll(missing)]);
}

/* --- constraints ----------------------------------------------------------------------------------------------------
 */

static bool is_nan(const struct field *field, union bound bound)
{
    return field->type == FIELD_DOUBLE && isnan(bound.real);
}

static void check_bounds(struct walk *walk, const struct frame *frame, const struct field *field,
                         const struct value *value)
{
    union bound bound = value_bound(field->type, value);
    bool nan = is_nan(field, bound);
    bool below = field->has & FIELD_HAS_MIN && (nan || value_compare_bounds(field->type, bound, field->min) < 0);
    bool above = field->has & FIELD_HAS_MAX && (nan || value_compare_bounds(field->type, bound, field->max) > 0);
    if (!below && !above)
        return;
    GString *line = refuse(walk, frame);
    value_show(value, line);
    g_string_append_printf(line, below ? " is below the least, %s" : " is above the most, %s",
                           below ? field->min_text : field->max_text);
}

static void check_length(struct walk *walk, const struct frame *frame, const struct field *field, uint64_t length,
                         const char *what)
{
    if (length >= field->length_min && length <= field->length_max)
        return;
    GString *line = refuse(walk, frame);
    if (field->length_min == field->length_max)
        g_string_append_printf(line, "expected %" PRIu64 " %s, found %" PRIu64, field->length_min, what, length);
    else
        g_string_append_printf(line, "expected at %s %" PRIu64 " %s, found %" PRIu64,
                               length < field->length_min ? "least" : "most",
                               length < field->length_min ? field->length_min : field->length_max, what, length);
}

static void check_pattern(struct walk *walk, const struct frame *frame, const struct field *field,
                          const struct value *value)
{
    struct element element = value_element(value);
    struct slice text = element_string(&element);
    int found = pcre2_match(field->pattern, text.data, text.len, 0, PCRE2_NO_UTF_CHECK, walk->match, walk->limits);
    if (found >= 0)
        return;
    GString *line = refuse(walk, frame);
    value_show(value, line);
    if (found == PCRE2_ERROR_NOMATCH)
        g_string_append_printf(line, " does not match %s", field->pattern_text);
    else
        g_string_append_printf(line, " takes too many steps to match %s; write a pattern that tries less",
                               field->pattern_text);
}

static void check_one_of(struct walk *walk, const struct frame *frame, const struct field *field,
                         const struct value *value)
{
    size_t from = 0, to = field->n_one_of;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int order = value_compare(field->type, value, &field->one_of[middle]);
        if (order == 0)
            return;
        if (order < 0)
            to = middle;
        else
            from = middle + 1;
    }
    GString *line = refuse(walk, frame);
    value_show(value, line);
    g_string_append_printf(line, " is not one of %s", field->one_of_text);
    if (field->type != FIELD_STRING)
        return;
    struct element element = value_element(value);
    g_autofree char *typed = g_strndup((const char *)element_string(&element).data, element_string(&element).len);
    const char *near = nearest_word(typed, field->one_of_words, field->n_one_of);
    if (near && (strlen(typed) > 2 || g_ascii_strcasecmp(typed, near) == 0)) /* two letters are near to any two */
        g_string_append_printf(line, "; did you mean '%s'?", near);
}

static void check_constraints(struct walk *walk, const struct frame *frame, const struct field *field,
                              const struct value *value)
{
    if (field->has & (FIELD_HAS_MIN | FIELD_HAS_MAX))
        check_bounds(walk, frame, field, value);
    if (field->has & FIELD_HAS_LENGTH && field->type != FIELD_ARRAY)
        check_length(walk, frame, field, value_length(value), field->type == FIELD_BINARY ? "bytes" : "characters");
    if (field->has & FIELD_HAS_PATTERN)
        check_pattern(walk, frame, field, value);
    if (field->has & FIELD_HAS_ONE_OF)
        check_one_of(walk, frame, field, value);
}

/* --- the walk -------------------------------------------------------------------------------------------------------
 */

static void walk_object(struct walk *walk, const struct fields *fields, struct frame *frame);
static void walk_array(struct walk *walk, const struct field *field, struct frame *frame);

/* "" is how CSV writes that nothing is there; for a string it is a value like any other. */
static bool is_empty_text(const struct field *field, const struct value *value)
{
    return field->type != FIELD_STRING && value->type == BSON_TYPE_UTF8 && value->bytes.len == 5;
}

static void walk_empty(struct walk *walk, struct frame *frame, const struct field *field)
{
    static const struct value null = {.type = BSON_TYPE_NULL};
    if (field->nullable)
        replace(walk, frame, &null);
    else if (field->has_fallback && field->declared)
        replace(walk, frame, &field->fallback);
    else
        g_string_append_printf(refuse(walk, frame), "expected %s, found an empty text", type_row(field->type)->article);
}

static void walk_below(struct walk *walk, struct frame *above, const struct field *field, const struct value *value)
{
    struct frame frame = {.parent = above, .document = value->bytes};
    if (field->type == FIELD_OBJECT && field->fields)
        walk_object(walk, field->fields, &frame);
    if (field->type == FIELD_ARRAY && (field->items || field->has & FIELD_HAS_LENGTH))
        walk_array(walk, field, &frame);
}

static void walk_value(struct walk *walk, struct frame *frame, const struct field *field, const struct element *element)
{
    struct value value = {.type = element->type, .bytes = element->value}, made;
    struct conversion conversion;
    if (value.type == BSON_TYPE_NULL && field->nullable)
        return;
    if (is_empty_text(field, &value)) {
        walk_empty(walk, frame, field);
        return;
    }
    conversion.mem = walk->mem;
    conversion.whole = conversion.no_room = false;
    switch (value_convert(field, &value, &conversion, &made)) {
    case CONVERTED_REFUSED:
        refuse_type(walk, frame, field, &value, &conversion);
        return;
    case CONVERTED_MADE:
        replace(walk, frame, &made);
        value = made;
        break;
    case CONVERTED_SAME:
        break;
    }
    if (field->has)
        check_constraints(walk, frame, field, &value);
    if (field->type >= FIELD_OBJECT)
        walk_below(walk, frame, field, &value);
}

static int field_of(struct walk *walk, const struct fields *fields, size_t index, struct slice name)
{
    uint16_t *remembered = index < ORDER_LONGEST ? &walk->order[fields->id][index] : NULL;
    if (remembered && *remembered && slice_equal(fields->list[*remembered - 1]->name, name))
        return *remembered - 1;
    int found = fields_find(fields, name);
    if (remembered)
        *remembered = (uint16_t)(found + 1);
    return found;
}

static void walk_unknown(struct walk *walk, struct frame *frame, const struct fields *fields)
{
    if (walk->unknown == UNKNOWN_DROP)
        drop(walk, frame);
    if (walk->unknown == UNKNOWN_REJECT)
        refuse_unknown(walk, frame, fields);
}

/* The next element, in frame and *ret; false at the end and where the bytes are damaged. */
static bool next(struct walk *walk, struct frame *frame, struct elements *elements, struct element *ret)
{
    frame->element = elements->at;
    enum element_result result = element_next(elements, ret);
    walk->damaged |= result == ELEMENT_DAMAGED || result == ELEMENT_FOREIGN;
    frame->name = ret->name;
    frame->behind = elements->at;
    return result == ELEMENT_OK;
}

static void walk_object(struct walk *walk, const struct fields *fields, struct frame *frame)
{
    uint64_t seen[FIELDS_MOST / 64];
    struct elements elements;
    struct element element = {0};
    if (!elements_of(frame->document, &elements)) {
        walk->damaged = true;
        return;
    }
    memset(seen, 0, (fields->n + 63) / 64 * sizeof *seen);
    for (size_t index = 0; next(walk, frame, &elements, &element); index++) {
        int found = field_of(walk, fields, index, element.name);
        if (found < 0) {
            walk_unknown(walk, frame, fields);
            continue;
        }
        seen[found / 64] |= UINT64_C(1) << found % 64;
        walk_value(walk, frame, fields->list[found], &element);
    }
    check_absent(walk, frame, fields, seen);
    close_frame(walk, frame);
}

static void walk_array(struct walk *walk, const struct field *field, struct frame *frame)
{
    struct elements elements;
    struct element element = {0};
    uint64_t n = 0;
    if (!elements_of(frame->document, &elements)) {
        walk->damaged = true;
        return;
    }
    for (; next(walk, frame, &elements, &element); n++)
        if (field->items)
            walk_value(walk, frame, field->items, &element);
    close_frame(walk, frame);
    if (field->has & FIELD_HAS_LENGTH)
        check_length(walk, frame->parent, field, n, "items");
}

void walk_document(struct walk *walk, const struct fields *fields, struct slice document, struct arena *mem,
                   struct slice *ret)
{
    struct frame frame = {.document = document};
    walk->mem = mem;
    walk->out = NULL;
    walk->len = walk->room = 0;
    walk->hint = document.len + ROOM_TO_GROW;
    walk->no_room = walk->damaged = false;
    g_string_truncate(walk->refusal, 0);
    walk_object(walk, fields, &frame);
    *ret = frame.open && !walk->no_room && !walk->damaged ? slice_of(walk->out, walk->len) : document;
}

void walk_init(struct walk *walk, const struct contract *contract)
{
    *walk = (struct walk){.unknown = contract->unknown, .refusal = g_string_new(NULL)};
    walk->match = pcre2_match_data_create(1, NULL);
    walk->limits = pcre2_match_context_create(NULL);
    g_assert(walk->match && walk->limits);
    pcre2_set_match_limit(walk->limits, MATCH_STEPS);
    pcre2_set_depth_limit(walk->limits, MATCH_DEPTH);
    pcre2_set_heap_limit(walk->limits, MATCH_KIB);
    walk->order = g_malloc0_n(contract->n_fields_structs + 1, sizeof *walk->order);
}

void walk_done(struct walk *walk)
{
    g_string_free(walk->refusal, TRUE);
    pcre2_match_data_free(walk->match);
    pcre2_match_context_free(walk->limits);
    g_free(walk->order);
}
