#include "spec/params.h"

#include <string.h>

#include "base/int.h"
#include "base/nearest.h"
#include "base/units.h"
#include "record/datetime.h"
#include "record/decimal.h"
#include "spec/moment.h"
#include "spec/spec_rows.h"

enum { VALUE_LONGEST = 4096, NAME_LONGEST = 63, DATE_LEN = sizeof "2026-07-10" - 1 };

static const int64_t us_of_day = INT64_C(86400000000);

/* --- the types: a value in its one form, NULL where it is none -----------------------------------------------------
 */

static char *as_string(const char *text)
{
    return g_strdup(text);
}

static char *as_integer(const char *text)
{
    int64_t value;
    return int_parse_i64(slice_of_text(text), &value) ? g_strdup_printf("%" G_GINT64_FORMAT, value) : NULL;
}

static char *as_decimal(const char *text)
{
    bson_decimal128_t value;
    char shown[DECIMAL_TEXT];
    return decimal_parse(slice_of_text(text), &value, NULL) ? g_strdup(decimal_text(&value, shown)) : NULL;
}

/* In milliseconds of UTC; what is finer is none. */
static char *as_datetime(const char *text)
{
    int64_t us;
    char shown[DATETIME_TEXT];
    if (!moment_parse_us(text, &us, NULL) || us % 1000 != 0)
        return NULL;
    return g_strdup(datetime_text(us / 1000, shown));
}

static char *as_date(const char *text)
{
    int64_t us;
    if (!moment_parse_us(text, &us, NULL) || us % us_of_day != 0)
        return NULL;
    g_autofree char *whole = as_datetime(text);
    return whole && strlen(whole) > DATE_LEN ? g_strndup(whole, DATE_LEN) : NULL;
}

static char *as_duration(const char *text)
{
    int64_t ms;
    return units_parse_duration_ms(text, &ms, NULL) ? g_strdup(text) : NULL;
}

static char *as_boolean(const char *text)
{
    bool is = strcmp(text, "true") == 0;
    return is || strcmp(text, "false") == 0 ? g_strdup(text) : NULL;
}

static const struct {
    char *(*form)(const char *text);
    const char *expected;
    enum yaml_kind kind; /* of a scalar that is the parameter and nothing else */
} types[] = {
    [PARAM_STRING] = {as_string, "a text", YAML_TEXT},
    [PARAM_INTEGER] = {as_integer, "a whole number such as 42", YAML_INT},
    [PARAM_DECIMAL] = {as_decimal, "a number such as 1.19", YAML_FLOAT},
    [PARAM_DATE] = {as_date, "a date such as 2026-07-10", YAML_TEXT},
    [PARAM_DATETIME] = {as_datetime, "a time such as 2026-07-10T12:00:00Z, in milliseconds at most", YAML_TEXT},
    [PARAM_DURATION] = {as_duration, "a duration such as 30m or 2d", YAML_TEXT},
    [PARAM_BOOLEAN] = {as_boolean, "true or false", YAML_BOOL},
};

/* --- ${name} in a text ---------------------------------------------------------------------------------------------
 */

static size_t name_length(const char *at)
{
    return g_ascii_isalpha(*at) ? strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") : 0;
}

/* The next ${name} from `at` on; *ret_len is the name's. NULL: there is none. */
static const char *next_param(const char *at, size_t *ret_len)
{
    while ((at = strstr(at, "${"))) {
        *ret_len = name_length(at + 2);
        if (*ret_len && at[2 + *ret_len] == '}')
            return at;
        at += 2;
    }
    return NULL;
}

/* What stands for a name; NULL: it is unknown, and stays as it is. */
typedef const char *value_for(void *self, const char *name);

/* false where a name is unknown. */
static bool put_values(const char *text, value_for *value, void *self, GString *into)
{
    bool all = true;
    size_t len;
    for (const char *at = next_param(text, &len); at; at = next_param(text, &len)) {
        g_autofree char *name = g_strndup(at + 2, len);
        const char *found = value(self, name);
        g_string_append_len(into, text, at - text);
        if (found)
            g_string_append(into, found);
        else
            g_string_append_len(into, at, (gssize)len + 3);
        all &= found != NULL;
        text = at + len + 3;
    }
    g_string_append(into, text);
    return all;
}

/* --- what is declared ----------------------------------------------------------------------------------------------
 */

enum entry_state { ENTRY_NEW, ENTRY_BUSY, ENTRY_DONE, ENTRY_FAILED };

struct entry {
    struct param_wish wish;
    const struct yaml_node *key; /* the name, where it is declared */
    const char *name, *given;    /* given: on the command line; NULL: it is not */
    char *value;
    enum entry_state state;
};

struct declared {
    struct yaml *yaml;
    struct entry *entries;
    size_t n;
    const struct yaml_node *at; /* what a default is being read of */
    struct entry *by;
};

static struct entry *find_entry(const struct declared *declared, const char *name)
{
    for (size_t i = 0; i < declared->n; i++)
        if (strcmp(declared->entries[i].name, name) == 0)
            return &declared->entries[i];
    return NULL;
}

static bool unknown_param(const struct declared *declared, const struct yaml_node *at, const char *what,
                          const char *name)
{
    g_autofree const char **words = g_new(const char *, declared->n + 1);
    g_autoptr(GString) list = g_string_new(NULL);
    for (size_t i = 0; i < declared->n; i++) {
        words[i] = declared->entries[i].name;
        g_string_append_printf(list, "%s%s", i ? ", " : "; known are ", words[i]);
    }
    const char *near = nearest_word(name, words, declared->n);
    if (near)
        return yaml_fail(declared->yaml, at, "%sthere is no param '%s'; did you mean '%s'?", what, name, near);
    return yaml_fail(declared->yaml, at, "%sthere is no param '%s'%s", what, name,
                     declared->n ? list->str : "; this file declares none (`params: { NAME: { type: string } }`)");
}

static bool resolve(struct declared *declared, struct entry *entry);

/* Of a name in another one's default. */
static const char *value_of_entry(void *self, const char *name)
{
    struct declared *declared = self;
    struct entry *entry = find_entry(declared, name);
    const struct yaml_node *at = declared->at;
    struct entry *by = declared->by;
    if (!entry) {
        unknown_param(declared, at, "", name);
        return NULL;
    }
    if (entry->state == ENTRY_BUSY) {
        yaml_diag(declared->yaml, at,
                  "the params '%s' and '%s' are made of each other: one of them needs a value of its own", by->name,
                  name);
        return NULL;
    }
    bool known = resolve(declared, entry);
    declared->at = at;
    declared->by = by;
    return known ? entry->value : NULL;
}

static bool take_value(struct declared *declared, struct entry *entry, const char *text, const struct yaml_node *at)
{
    size_t len = strlen(text);
    bool sound = len <= VALUE_LONGEST && g_utf8_validate(text, (gssize)len, NULL) && !strstr(text, "${");
    entry->value = sound ? types[entry->wish.type].form(text) : NULL;
    if (entry->value)
        return true;
    g_autofree char *shown = g_utf8_make_valid(text, (gssize)MIN(len, 80));
    const char *expected = !sound ? "at most 4096 bytes of UTF-8, without ${…}" : types[entry->wish.type].expected;
    return yaml_fail(declared->yaml, at, "%s%s=%s: expected %s", entry->given ? "--param " : "default of ", entry->name,
                     shown, expected);
}

static bool take_fallback(struct declared *declared, struct entry *entry)
{
    const struct yaml_node *at = entry->wish.fallback;
    if (!at)
        return yaml_fail(declared->yaml, entry->key, "the param '%s' has no default: give it with --param %s=…",
                         entry->name, entry->name);
    if (at->kind == YAML_LIST || at->kind == YAML_MAP || at->kind == YAML_NULL)
        return yaml_expected(declared->yaml, at, types[entry->wish.type].expected);
    g_autoptr(GString) text = g_string_new(NULL);
    declared->at = at;
    declared->by = entry;
    return put_values(at->text, value_of_entry, declared, text) && take_value(declared, entry, text->str, at);
}

static bool resolve(struct declared *declared, struct entry *entry)
{
    if (entry->state == ENTRY_DONE || entry->state == ENTRY_FAILED)
        return entry->state == ENTRY_DONE;
    entry->state = ENTRY_BUSY;
    bool ok = entry->given ? take_value(declared, entry, entry->given, entry->key) : take_fallback(declared, entry);
    entry->state = ok ? ENTRY_DONE : ENTRY_FAILED;
    return ok;
}

/* --- from the file and the command line ----------------------------------------------------------------------------
 */

static bool read_entry(struct rows_reader *reader, const struct yaml_pair *pair, struct entry *ret)
{
    size_t len = name_length(pair->key->text);
    ret->key = pair->key;
    ret->name = pair->key->text;
    if (len == 0 || pair->key->text[len] || len > NAME_LONGEST)
        return yaml_fail(reader->yaml, pair->key,
                         "expected the name of a param: a letter, then letters, digits, '_' and '-', at most 63");
    return rows_read_map(reader, "params.*", pair->value, &ret->wish);
}

static bool read_entries(struct rows_reader *reader, const struct yaml_node *map, struct declared *declared)
{
    bool ok = true;
    if (map->kind != YAML_MAP)
        return yaml_expected(reader->yaml, map, "a map of params such as { day: { type: date, default: 2026-07-10 } }");
    declared->entries = arena_alloc0(reader->mem, (map->n + 1) * sizeof *declared->entries);
    g_assert(declared->entries);
    declared->n = map->n;
    for (size_t i = 0; i < map->n; i++)
        if (!read_entry(reader, &map->pairs[i], &declared->entries[i])) {
            declared->entries[i].state = ENTRY_FAILED;
            ok = false;
        }
    return ok;
}

/* NAME=VALUE; the last one of a name counts. */
static bool take_given(struct declared *declared, const char *given, const struct yaml_node *at)
{
    const char *equals = strchr(given, '=');
    if (!equals || equals == given)
        return yaml_fail(declared->yaml, at, "--param %s: NAME=VALUE was expected", given);
    g_autofree char *name = g_strndup(given, (size_t)(equals - given));
    struct entry *entry = find_entry(declared, name);
    if (!entry)
        return unknown_param(declared, at, "--param: ", name);
    entry->given = equals + 1;
    return true;
}

/* Failed ones are there too, so that no use of them is called unknown. */
static void keep_entries(struct rows_reader *reader, const struct declared *declared, struct spec *spec)
{
    struct spec_param *params = arena_alloc0(reader->mem, (declared->n + 1) * sizeof *params);
    g_assert(params);
    for (size_t i = 0; i < declared->n; i++) {
        struct entry *entry = &declared->entries[i];
        params[i] = (struct spec_param){.type = entry->wish.type, .given = entry->given != NULL};
        params[i].name = arena_text(reader->mem, slice_of_text(entry->name));
        params[i].value = entry->value ? arena_text(reader->mem, slice_of_text(entry->value)) : NULL;
        params[i].line = entry->wish.fallback ? entry->wish.fallback->line : 0;
        g_clear_pointer(&entry->value, g_free);
    }
    spec->params = params;
    spec->n_params = declared->n;
}

bool params_read(struct rows_reader *reader, struct spec *spec, const char *const *given)
{
    const struct yaml_node *root = yaml_root(reader->yaml), *map = yaml_find(root, "params");
    struct declared declared = {.yaml = reader->yaml};
    bool ok = !map || read_entries(reader, map, &declared);
    for (size_t i = 0; given && given[i]; i++)
        ok &= take_given(&declared, given[i], map ? map : root);
    for (size_t i = 0; i < declared.n; i++)
        ok &= resolve(&declared, &declared.entries[i]);
    keep_entries(reader, &declared, spec);
    return ok;
}

/* --- into the tree -------------------------------------------------------------------------------------------------
 */

struct putting {
    struct yaml *yaml;
    const struct spec *spec;
    struct arena *mem;
    const struct yaml_node *at;
    size_t bytes; /* of the texts made */
    bool free;    /* a text in which ${…} may be anything */
};

static const struct spec_param *find_param(const struct spec *spec, const char *name)
{
    for (size_t i = 0; i < spec->n_params; i++)
        if (strcmp(spec->params[i].name, name) == 0)
            return &spec->params[i];
    return NULL;
}

static const char *value_of_param(void *self, const char *name)
{
    struct putting *putting = self;
    const struct spec *spec = putting->spec;
    const struct spec_param *param = find_param(spec, name);
    if (param || putting->free)
        return param ? param->value : NULL;
    struct declared declared = {.yaml = putting->yaml, .n = spec->n_params};
    declared.entries = g_new0(struct entry, spec->n_params + 1);
    for (size_t i = 0; i < spec->n_params; i++)
        declared.entries[i].name = spec->params[i].name;
    unknown_param(&declared, putting->at, "", name);
    g_free(declared.entries);
    return NULL;
}

/* The kind of a text that is one parameter and nothing else. */
static enum yaml_kind kind_of(const struct putting *putting, const char *text)
{
    size_t len;
    if (next_param(text, &len) != text || text[len + 3])
        return YAML_TEXT;
    g_autofree char *name = g_strndup(text + 2, len);
    const struct spec_param *param = find_param(putting->spec, name);
    return param ? types[param->type].kind : YAML_TEXT;
}

static struct yaml_node *copy_of(struct putting *putting, const struct yaml_node *node)
{
    struct yaml_node *copy = arena_alloc(putting->mem, sizeof *copy);
    g_assert(copy); /* a file has YAML_NODES at most */
    *copy = *node;
    return copy;
}

static const struct yaml_node *put_scalar(struct putting *putting, const struct yaml_node *node)
{
    size_t len;
    if (!next_param(node->text, &len))
        return node;
    g_autoptr(GString) text = g_string_new(NULL);
    struct yaml_node *copy = copy_of(putting, node);
    putting->at = node;
    bool all = put_values(node->text, value_of_param, putting, text) || putting->free;
    putting->bytes += text->len;
    if (putting->bytes > YAML_TEXT_BYTES)
        all = yaml_fail(putting->yaml, node, "more than 4 MiB of text with the values of params in it");
    copy->broken = !all;
    if (!all)
        return copy;
    copy->text = arena_text(putting->mem, slice_of(text->str, text->len));
    g_assert(copy->text);
    copy->n = text->len;
    copy->kind = kind_of(putting, node->text);
    return copy;
}

static const struct yaml_node *put_node(struct putting *putting, const struct yaml_node *node);

static const struct yaml_node *put_list(struct putting *putting, const struct yaml_node *node)
{
    const struct yaml_node **items = arena_alloc(putting->mem, (node->n + 1) * sizeof(struct yaml_node *));
    struct yaml_node *copy = copy_of(putting, node);
    g_assert(items);
    for (size_t i = 0; i < node->n; i++) {
        items[i] = put_node(putting, node->items[i]);
        copy->broken |= items[i]->broken && items[i]->kind != YAML_MAP;
    }
    copy->items = items;
    return copy;
}

static const struct yaml_node *put_map(struct putting *putting, const struct yaml_node *node)
{
    struct yaml_pair *pairs = arena_alloc(putting->mem, (node->n + 1) * sizeof *pairs);
    struct yaml_node *copy = copy_of(putting, node);
    g_assert(pairs);
    for (size_t i = 0; i < node->n; i++)
        pairs[i] = (struct yaml_pair){node->pairs[i].key, put_node(putting, node->pairs[i].value)};
    copy->pairs = pairs;
    return copy;
}

static const struct yaml_node *put_node(struct putting *putting, const struct yaml_node *node)
{
    if (node->kind == YAML_LIST)
        return put_list(putting, node);
    return node->kind == YAML_MAP ? put_map(putting, node) : put_scalar(putting, node);
}

static bool is_one_of(const char *key, const char *const *keys)
{
    for (; *keys; keys++)
        if (strcmp(key, *keys) == 0)
            return true;
    return false;
}

const struct yaml_node *params_put(struct yaml *yaml, const struct spec *spec, struct arena *mem)
{
    static const char *const FIXED[] = {"sluice", "name", "params", NULL}, *const FREE[] = {"reason", "owner", NULL};
    const struct yaml_node *root = yaml_root(yaml);
    struct putting putting = {.yaml = yaml, .spec = spec, .mem = mem};
    if (root->kind != YAML_MAP)
        return root;
    struct yaml_node *copy = copy_of(&putting, root);
    struct yaml_pair *pairs = arena_alloc(mem, (root->n + 1) * sizeof *pairs);
    g_assert(pairs);
    for (size_t i = 0; i < root->n; i++) {
        pairs[i] = root->pairs[i];
        putting.free = is_one_of(pairs[i].key->text, FREE);
        if (!is_one_of(pairs[i].key->text, FIXED))
            pairs[i].value = put_node(&putting, pairs[i].value);
    }
    copy->pairs = pairs;
    return copy;
}
