#include <libfyaml.h>

#include "spec/yaml_node.h"

/* A walk over the events. `event` is the one in hand; `failed` means that a diag was added and nothing more is read. */
struct build {
    struct yaml *yaml;
    struct fy_parser *parser;
    struct fy_diag *diag;
    struct fy_event *event;
    GHashTable *anchors; /* name → complete node */
    struct slice text;   /* without the byte order mark */
    size_t at;           /* how far lines have been counted: events come in the order of the text */
    uint32_t line, line_begin;
    uint32_t made; /* nodes */
    bool failed;
};

enum { WORDS_BYTES = 200 };

static const char too_many[] = "more than 100000 nodes or 4 MiB of text, counting what aliases stand for";
static const char core_tag[] = "tag:yaml.org,2002:";

static bool fail(struct build *build, const struct yaml_node *at, const char *what)
{
    build->failed = true;
    return yaml_fail(build->yaml, at, "%s", what);
}

/* libfyaml counts columns in characters; we say them in bytes, as every other message does. */
static uint32_t column_in_bytes(struct slice text, uint32_t line, uint32_t column)
{
    const uint8_t *at = text.data, *end = text.data + text.len;
    for (uint32_t i = 1; i < line && at; i++) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    const uint8_t *begin = at;
    for (uint32_t i = 1; i < column && at && at < end; i++)
        for (at++; at < end && (*at & 0xC0) == 0x80; at++)
            ;
    return at ? (uint32_t)(at - begin) + 1 : column;
}

/* What libfyaml says is wrong: the first of its complaints, the others follow from it. */
static void fail_parse(struct build *build)
{
    build->failed = true;
    void *iterator = NULL;
    const struct fy_diag_error *found = fy_diag_errors_iterate(build->diag, &iterator);
    if (!found || found->line < 1 || found->column < 1) {
        diags_add(build->yaml->diags, build->yaml->file, 1, 1, "not YAML%s%s", found ? ": " : "",
                  found ? found->msg : "");
        return;
    }
    uint32_t line = (uint32_t)found->line;
    uint32_t column = column_in_bytes(build->text, line, (uint32_t)found->column);
    diags_add(build->yaml->diags, build->yaml->file, line, column, "not YAML: %s", found->msg);
}

/* false at the end of the stream, and when parsing failed (build->failed). */
static bool next_event(struct build *build)
{
    if (build->event)
        fy_parser_event_free(build->parser, build->event);
    build->event = build->failed ? NULL : fy_parser_parse(build->parser);
    if (!build->event && !build->failed && fy_parser_get_stream_error(build->parser))
        fail_parse(build);
    return build->event != NULL;
}

/* libfyaml's marks of quoted scalars and aliases stand behind the quote and the asterisk. */
static size_t lead(const struct fy_event *event)
{
    if (event->type == FYET_ALIAS)
        return 1;
    enum fy_scalar_style style =
        event->type == FYET_SCALAR && event->scalar.value ? fy_token_scalar_style(event->scalar.value) : FYSS_PLAIN;
    return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

/* An event without a mark (a value that is not there) has the place of the one before it. */
static void place(struct build *build, struct yaml_node *node)
{
    const struct fy_mark *mark = fy_event_start_mark(build->event);
    bool known = mark && mark->input_pos <= build->text.len;
    size_t offset = known ? mark->input_pos - lead(build->event) : build->at;
    for (; build->at < offset; build->at++)
        if (build->text.data[build->at] == '\n') {
            build->line++;
            build->line_begin = (uint32_t)build->at + 1;
        }
    node->line = build->line;
    node->column = (uint32_t)(build->at - build->line_begin) + 1;
}

static struct yaml_node *new_node(struct build *build, enum yaml_kind kind)
{
    struct yaml_node *node = arena_alloc0(build->yaml->mem, sizeof *node);
    g_assert(node); /* YAML_MEMORY holds YAML_NODES and their texts */
    build->made++;
    node->kind = kind;
    node->weight = 1;
    node->text = "";
    place(build, node);
    return node;
}

static struct slice access_token(struct fy_token *token)
{
    size_t len = 0;
    const char *text = token ? fy_token_get_text(token, &len) : NULL;
    return slice_of(text, text ? len : 0);
}

/* --- scalars: the core schema --------------------------------------------------------------------------------------
 */

static bool one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static size_t digits(const char *text, const char *allowed)
{
    return strspn(text, allowed);
}

static bool is_int(const char *text)
{
    if (strncmp(text, "0o", 2) == 0)
        return text[2] && !text[2 + digits(text + 2, "01234567")];
    if (strncmp(text, "0x", 2) == 0)
        return text[2] && !text[2 + digits(text + 2, "0123456789abcdefABCDEF")];
    text += *text == '-' || *text == '+';
    return *text && !text[digits(text, "0123456789")];
}

static bool is_float(const char *text)
{
    static const char *const named[] = {".inf",  ".Inf",  ".INF", "+.inf", "+.Inf", "+.INF", "-.inf",
                                        "-.Inf", "-.INF", ".nan", ".NaN",  ".NAN",  NULL};
    if (one_of(text, named))
        return true;
    text += *text == '-' || *text == '+';
    size_t whole = digits(text, "0123456789"), fraction = 0;
    text += whole;
    if (*text == '.') {
        fraction = digits(text + 1, "0123456789");
        text += 1 + fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (*text != 'e' && *text != 'E')
        return !*text;
    text += 1 + (text[1] == '-' || text[1] == '+');
    return *text && !text[digits(text, "0123456789")];
}

static enum yaml_kind plain_kind(const char *text)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE", NULL};
    if (one_of(text, nulls))
        return YAML_NULL;
    if (one_of(text, bools))
        return YAML_BOOL;
    return is_int(text) ? YAML_INT : is_float(text) ? YAML_FLOAT : YAML_TEXT;
}

static const struct {
    const char *name;
    enum yaml_kind kind;
} tag_rows[] = {
    {"null", YAML_NULL}, {"bool", YAML_BOOL}, {"int", YAML_INT}, {"float", YAML_FLOAT},
    {"str", YAML_TEXT},  {"seq", YAML_LIST},  {"map", YAML_MAP},
};

static bool tag_kind(struct slice tag, enum yaml_kind *ret)
{
    size_t prefix = strlen(core_tag);
    if (tag.len < prefix || memcmp(tag.data, core_tag, prefix) != 0)
        return false;
    struct slice name = slice_of(tag.data + prefix, tag.len - prefix);
    for (size_t i = 0; i < G_N_ELEMENTS(tag_rows); i++)
        if (slice_equal(name, slice_of_text(tag_rows[i].name))) {
            *ret = tag_rows[i].kind;
            return true;
        }
    return false;
}

/* What a tag makes of a node that would otherwise be of `node->kind`. */
static bool apply_tag(struct build *build, struct yaml_node *node, struct slice tag)
{
    if (tag.len == 0)
        return true;
    enum yaml_kind wanted;
    if (slice_equal(tag, slice_of_text("!")))
        wanted = node->kind == YAML_LIST || node->kind == YAML_MAP ? node->kind : YAML_TEXT;
    else if (!tag_kind(tag, &wanted))
        return fail(build, node,
                    "a tag that is not of YAML's core schema; only !!str, !!int, !!float, !!bool, !!null, "
                    "!!seq and !!map are known");
    bool scalar = node->kind != YAML_LIST && node->kind != YAML_MAP;
    enum yaml_kind bare = scalar ? plain_kind(node->text) : node->kind;
    if (wanted == bare || (scalar && wanted == YAML_TEXT) || (bare == YAML_INT && wanted == YAML_FLOAT)) {
        node->kind = wanted;
        return true;
    }
    return fail(build, node, "the tag and what it stands before do not fit");
}

static bool take_scalar(struct build *build, const struct yaml_node **ret)
{
    struct fy_token *token = build->event->scalar.value;
    struct yaml_node *node = new_node(build, YAML_TEXT);
    struct slice text = access_token(token);
    if (memchr(text.data ? (const void *)text.data : "", 0, text.len))
        return fail(build, node, "a text with a byte of zero in it");
    if (text.len && !g_utf8_validate_len((const char *)text.data, text.len, NULL))
        return fail(build, node, "a text whose escapes are not UTF-8");
    node->text = arena_text(build->yaml->mem, text);
    g_assert(node->text);
    node->n = text.len;
    node->text_weight = (uint32_t)text.len;
    if (!token || fy_token_scalar_style(token) == FYSS_PLAIN)
        node->kind = plain_kind(node->text);
    *ret = node;
    return apply_tag(build, node, access_token(build->event->scalar.tag));
}

/* --- collections ---------------------------------------------------------------------------------------------------
 */

static bool take_node(struct build *build, unsigned depth, const struct yaml_node **ret);

static bool grow_weight(struct build *build, struct yaml_node *node, const struct yaml_node *child)
{
    node->weight += child->weight; /* neither overflows: each was below its limit */
    node->text_weight += child->text_weight;
    if (node->weight > YAML_NODES || node->text_weight > YAML_TEXT_BYTES)
        return fail(build, child, too_many);
    return true;
}

static void *keep_array(struct build *build, const GArray *array)
{
    size_t len = (size_t)array->len * g_array_get_element_size((GArray *)(uintptr_t)array);
    struct slice kept;
    bool ok = arena_copy(build->yaml->mem, slice_of(array->data, len), &kept);
    g_assert(ok);
    return (void *)(uintptr_t)kept.data;
}

static bool take_list(struct build *build, unsigned depth, const struct yaml_node **ret)
{
    struct yaml_node *node = new_node(build, YAML_LIST);
    if (!apply_tag(build, node, access_token(build->event->sequence_start.tag)))
        return false;
    g_autoptr(GArray) items = g_array_new(FALSE, FALSE, sizeof(const struct yaml_node *));
    while (next_event(build) && build->event->type != FYET_SEQUENCE_END) {
        const struct yaml_node *item;
        if (!take_node(build, depth + 1, &item) || !grow_weight(build, node, item))
            return false;
        g_array_append_val(items, item);
    }
    node->n = items->len;
    node->items = keep_array(build, items);
    *ret = node;
    return !build->failed;
}

static bool take_key(struct build *build, const struct yaml_node **ret)
{
    if (build->event->type == FYET_SCALAR)
        return take_scalar(build, ret);
    const struct yaml_node *at = new_node(build, YAML_NULL);
    return fail(build, at, "a key must be a plain word or a text");
}

/* A key that was there already: both places are named, the first one counts, reading goes on. */
static bool is_duplicate(struct build *build, GHashTable *seen, const struct yaml_node *key)
{
    const struct yaml_node *first = g_hash_table_lookup(seen, key->text);
    if (first)
        yaml_diag(build->yaml, key, "the key '%s' was there already, at %" G_GUINT32_FORMAT ":%" G_GUINT32_FORMAT,
                  key->text, first->line, first->column);
    else
        g_hash_table_insert(seen, (void *)(uintptr_t)key->text, (void *)(uintptr_t)key);
    return first != NULL;
}

static bool take_map(struct build *build, unsigned depth, const struct yaml_node **ret)
{
    struct yaml_node *node = new_node(build, YAML_MAP);
    if (!apply_tag(build, node, access_token(build->event->mapping_start.tag)))
        return false;
    g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(struct yaml_pair));
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    while (next_event(build) && build->event->type != FYET_MAPPING_END) {
        struct yaml_pair pair;
        if (!take_key(build, &pair.key) || !next_event(build) || !take_node(build, depth + 1, &pair.value) ||
            !grow_weight(build, node, pair.key) || !grow_weight(build, node, pair.value))
            return false;
        if (!is_duplicate(build, seen, pair.key))
            g_array_append_val(pairs, pair);
    }
    node->n = pairs->len;
    node->pairs = keep_array(build, pairs);
    *ret = node;
    return !build->failed;
}

static bool take_alias(struct build *build, const struct yaml_node **ret)
{
    struct slice name = access_token(build->event->alias.anchor);
    g_autofree char *text = g_strndup((const char *)name.data, name.len);
    const struct yaml_node *node = g_hash_table_lookup(build->anchors, text);
    if (!node)
        return fail(build, new_node(build, YAML_NULL), "an alias of an anchor that is not complete before it");
    *ret = node;
    return true;
}

static bool take_untagged(struct build *build, unsigned depth, const struct yaml_node **ret)
{
    switch ((int)build->event->type) {
    case FYET_SCALAR:
        return take_scalar(build, ret);
    case FYET_ALIAS:
        return take_alias(build, ret);
    case FYET_SEQUENCE_START:
        return take_list(build, depth, ret);
    case FYET_MAPPING_START:
        return take_map(build, depth, ret);
    default:
        return fail(build, new_node(build, YAML_NULL), "not YAML: expected a value");
    }
}

static struct fy_token *anchor_of(const struct fy_event *event)
{
    switch ((int)event->type) {
    case FYET_SCALAR:
        return event->scalar.anchor;
    case FYET_SEQUENCE_START:
        return event->sequence_start.anchor;
    case FYET_MAPPING_START:
        return event->mapping_start.anchor;
    default:
        return NULL;
    }
}

static bool take_node(struct build *build, unsigned depth, const struct yaml_node **ret)
{
    if (depth > YAML_DEPTH)
        return fail(build, new_node(build, YAML_NULL), "nested deeper than 64 levels");
    if (build->made > YAML_NODES)
        return fail(build, new_node(build, YAML_NULL), too_many);
    struct slice anchor = access_token(anchor_of(build->event));
    g_autofree char *name = anchor.len ? g_strndup((const char *)anchor.data, anchor.len) : NULL;
    if (!take_untagged(build, depth, ret))
        return false;
    if (name)
        g_hash_table_replace(build->anchors, g_steal_pointer(&name), (void *)(uintptr_t)*ret);
    return true;
}

/* --- the stream ----------------------------------------------------------------------------------------------------
 */

static const struct yaml_node empty_file = {.kind = YAML_NULL, .line = 1, .column = 1, .weight = 1, .text = ""};

static bool take_stream(struct build *build)
{
    build->yaml->root = &empty_file;
    bool seen = false;
    while (next_event(build)) {
        if (build->event->type != FYET_DOCUMENT_START)
            continue;
        if (!next_event(build))
            break;
        if (seen)
            return fail(build, new_node(build, YAML_NULL), "a second document; one file holds one");
        seen = true;
        if (!take_node(build, 0, &build->yaml->root))
            return false;
    }
    return !build->failed;
}

static void drop_output(struct fy_diag *diag, void *user, const char *text, size_t len)
{
}

static struct fy_diag *collecting_diag(void)
{
    struct fy_diag_cfg config;
    fy_diag_cfg_default(&config);
    config.fp = NULL;
    config.output_fn = drop_output;
    config.level = FYET_ERROR;
    struct fy_diag *diag = fy_diag_create(&config);
    g_assert(diag);
    fy_diag_set_collect_errors(diag, true);
    return diag;
}

static bool parse(struct yaml *yaml)
{
    struct build build = {.yaml = yaml, .text = yaml_text(yaml), .line = 1};
    if (build.text.len >= 3 && memcmp(build.text.data, "\xEF\xBB\xBF", 3) == 0)
        build.text = slice_of(build.text.data + 3, build.text.len - 3);
    build.diag = collecting_diag();
    struct fy_parse_cfg config = {
        .diag = build.diag,
        .flags = FYPCF_QUIET | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
    };
    build.parser = fy_parser_create(&config);
    g_assert(build.parser);
    build.anchors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    fy_parser_set_string(build.parser, build.text.len ? (const char *)build.text.data : "", build.text.len);
    bool ok = take_stream(&build);
    if (build.event)
        fy_parser_event_free(build.parser, build.event);
    fy_parser_destroy(build.parser);
    fy_diag_destroy(build.diag);
    g_hash_table_unref(build.anchors);
    return ok;
}

/* A few words on one line that begin with a letter or a digit are one plain scalar, whatever the words are: no parser
 * has to be made for them. Nearly all defaults of the tables' rows are such. */
static bool is_words(struct slice text)
{
    if (text.len == 0 || text.len > WORDS_BYTES || !g_ascii_isalnum(text.data[0]) || text.data[text.len - 1] == ' ')
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!g_ascii_isalnum(text.data[i]) && (text.data[i] == 0 || !strchr(" .%-_", text.data[i])))
            return false;
    return true;
}

static bool take_words(struct yaml *yaml, struct slice text)
{
    struct yaml_node *node = arena_alloc0(yaml->mem, sizeof *node);
    g_assert(node);
    *node = (struct yaml_node){.line = 1, .column = 1, .weight = 1, .text_weight = (uint32_t)text.len, .n = text.len};
    node->text = arena_text(yaml->mem, text);
    g_assert(node->text);
    node->kind = plain_kind(node->text);
    yaml->root = node;
    return true;
}

bool yaml_build(struct yaml *yaml)
{
    struct slice text = yaml_text(yaml);
    return is_words(text) ? take_words(yaml, text) : parse(yaml);
}
