#include "base/hours.h"
#include "base/int.h"
#include "base/units.h"
#include "spec/moment.h"
#include "spec/schema_forms.h"
#include "spec/spec_rows.h"

/* SCHEME:…, as RFC 3986 writes schemes; which of them there are, the drivers know. */
static bool has_scheme(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+.-");
    return len > 0 && g_ascii_islower(text[0]) && text[len] == ':' && text[len + 1];
}

/* The colon that ends the user's name, not one within ${…}; `end` where there is none. */
static const char *name_end(const char *at, const char *end)
{
    while (at < end && *at != ':') {
        bool secret = strncmp(at, "${", 2) == 0;
        at += secret ? strcspn(at, "}") : 1;
    }
    return MIN(at, end);
}

/* user:password@ with a password that is written out. The message does not repeat it. */
static bool holds_password(const char *uri)
{
    const char *place = strstr(uri, "://");
    if (!place)
        return false;
    place += strlen("://");
    const char *at = g_strrstr_len(place, (gssize)strcspn(place, "/?"), "@");
    const char *colon = at ? name_end(place, at) : NULL;
    return at && colon + 1 < at && strncmp(colon + 1, "${", 2) != 0;
}

static bool read_store(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    const char *text, *why;
    if (!yaml_get_text(reader->yaml, node, &text))
        return false;
    if (!has_scheme(text))
        return yaml_expected(reader->yaml, node,
                             "the URI of a store, such as file:archive or rocksdb:data (`sluice stores` lists them)");
    if (!spec_secret_check(text, &why))
        return yaml_fail(reader->yaml, node, "%s", why);
    if (holds_password(text))
        return yaml_fail(reader->yaml, node,
                         "a password stands in it, and a spec is kept, copied and shown: write ${env:NAME} or "
                         "${file:PATH} in its place");
    return form_words.read(reader, row, node, into);
}

static bool read_hours(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    bool ok = form_texts.read(reader, row, node, into);
    const char ***texts = row_field(row, into);
    if (ok && node->n == 0)
        return yaml_expected(reader->yaml, node, "at least one window such as Mon-Fri 22:00-06:00 Europe/Berlin");
    for (size_t i = 0; ok && i < node->n; i++) {
        g_autoptr(GError) error = NULL;
        struct hours *hours = NULL;
        if (hours_parse(&hours, *texts + i, 1, &error))
            hours_free(hours);
        else
            yaml_diag(reader->yaml, node->items[i], "%s", error->message);
        ok = !error;
    }
    return ok;
}

/* A name is what the other file says of itself; that it is another one is found when all is read. */
static bool read_after(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    const char **names = NULL;
    if (node->kind != YAML_LIST || node->n == 0)
        return yaml_expected(reader->yaml, node, "a list of names of specs such as [load-customers]");
    names = arena_alloc0(reader->mem, (node->n + 1) * sizeof(char *));
    g_assert(names);
    bool ok = true;
    for (size_t i = 0; i < node->n; i++) {
        const struct spec_row one = {.key = row->key};
        ok &= form_name.read(reader, &one, node->items[i], &names[i]);
        for (size_t k = 0; ok && k < i; k++)
            if (strcmp(names[k], names[i]) == 0)
                ok = yaml_fail(reader->yaml, node->items[i], "the name '%s' stands in it twice", names[i]);
    }
    const char ***field = row_field(row, into);
    *field = names;
    *(size_t *)(void *)(field + 1) = node->n;
    return ok;
}

static bool read_expires_after(struct rows_reader *reader, const struct yaml_node *node, struct spec_target *target)
{
    g_autoptr(GError) error = NULL;
    int64_t ms;
    const char *text = forms_quantity(reader, node, "keep, never, a duration such as 30d, or { from: path }");
    if (!text)
        return false;
    if (!units_parse_duration_ms(text, &ms, &error) || ms <= 0)
        return yaml_expected(reader->yaml, node, "keep, never, a duration such as 30d, or { from: path }");
    target->expires = EXPIRES_AFTER;
    target->expires_after_ms = ms;
    return true;
}

static bool read_expires(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                         void *into)
{
    struct spec_target *target = row_field(row, into);
    if (node->kind == YAML_MAP) {
        target->expires = EXPIRES_FROM;
        if (node->n == 0)
            return yaml_expected(reader->yaml, node, "{ from: path }");
        return rows_read_map(reader, row->key, node, into);
    }
    bool word = node->kind == YAML_TEXT;
    if (word && (strcmp(node->text, "keep") == 0 || strcmp(node->text, "never") == 0)) {
        target->expires = node->text[0] == 'k' ? EXPIRES_KEEP : EXPIRES_NONE;
        return true;
    }
    return read_expires_after(reader, node, target);
}

/* Whether the scope is an amount, and not a share. */
static bool amount_of(const struct spec_stage *stage)
{
    return stage->scope_partitions || stage->scope_records || stage->scope_keys;
}

static bool refuse_scope(struct rows_reader *reader, const struct yaml_node *node)
{
    return yaml_expected(reader->yaml, node, "a share such as 25%, '5 partitions', '1000 records' or { keys: FILE }");
}

/* `5 partitions`, `1 record`. */
static bool read_amount(const char *text, struct spec_stage *stage)
{
    const char *blank = strchr(text, ' ');
    uint64_t n;
    if (!blank || !int_parse_u64(slice_of(text, (size_t)(blank - text)), &n) || n == 0)
        return false;
    const char *unit = blank + strspn(blank, " ");
    bool partitions = g_str_equal(unit, "partitions") || g_str_equal(unit, "partition");
    bool records = g_str_equal(unit, "records") || g_str_equal(unit, "record");
    stage->scope_share = 1;
    *(partitions ? &stage->scope_partitions : &stage->scope_records) = n;
    return partitions || records;
}

static bool read_scope(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    g_autoptr(GError) error = NULL;
    struct spec_stage *stage = into;
    if (node->kind == YAML_MAP) {
        stage->scope_share = 1;
        return rows_read_map(reader, row->key, node, into);
    }
    if (node->kind != YAML_TEXT)
        return refuse_scope(reader, node);
    if (units_parse_share(node->text, &stage->scope_share, &error))
        return (stage->scope_share > 0 && stage->scope_share <= 1) || refuse_scope(reader, node);
    return read_amount(node->text, stage) || refuse_scope(reader, node);
}

static bool read_verify(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                        void *into)
{
    if (node->kind == YAML_MAP)
        return rows_read_map(reader, row->key, node, into);
    if (node->kind != YAML_TEXT || strcmp(node->text, "full") != 0)
        return yaml_expected(reader->yaml, node, "full, or { confidence: 99.9%, below: 0.01% }");
    return true;
}

static bool read_sure(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    double share;
    const struct spec_row into_share = {.key = row->key};
    if (!form_share.read(reader, &into_share, node, &share))
        return false;
    *(double *)row_field(row, into) = share;
    return (share > 0 && share < 1) ||
           yaml_expected(reader->yaml, node, "a share above 0% and below 100%: no sample is surer than that");
}

static bool read_bytes(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    static const char EXPECTED[] = "an amount of bytes above zero, such as 20GiB or 500MB";
    uint64_t *bytes = row_field(row, into);
    const char *text = forms_quantity(reader, node, EXPECTED);
    if (!text)
        return false;
    return (units_parse_bytes(text, bytes, NULL) && *bytes > 0) || yaml_expected(reader->yaml, node, EXPECTED);
}

static bool read_length(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                        void *into)
{
    return form_duration.read(reader, row, node, into) &&
           (*(int64_t *)row_field(row, into) > 0 ||
            yaml_expected(reader->yaml, node, "a duration above zero, such as 30s or 6h"));
}

/* How far two stages reach can be compared before the plan where both are said in the same unit. */
static bool reaches_further(const struct spec_stage *stage, const struct spec_stage *before)
{
    if (stage->scope_partitions && before->scope_partitions)
        return stage->scope_partitions > before->scope_partitions;
    if (stage->scope_records && before->scope_records)
        return stage->scope_records > before->scope_records;
    return stage->scope_share > before->scope_share || amount_of(stage) || amount_of(before);
}

/* Each stage names itself once, and reaches further than the one before it. */
static bool check_order(struct rows_reader *reader, const struct spec *spec, const struct yaml_node *list)
{
    bool ok = true;
    for (size_t i = 0; i < spec->n_stages; i++)
        for (size_t j = 0; j < i; j++)
            if (g_strcmp0(spec->stages[i].name, spec->stages[j].name) == 0)
                ok = yaml_fail(reader->yaml, list->items[i], "a stage '%s' was there already, on %s",
                               spec->stages[i].name, yaml_place(reader->yaml, list->items[j]));
    for (size_t i = 1; i < spec->n_stages; i++)
        if (!reaches_further(&spec->stages[i], &spec->stages[i - 1]))
            ok = yaml_fail(reader->yaml, list->items[i],
                           "the stage '%s' reaches no further than '%s' before it: scopes are cumulative, and grow",
                           spec->stages[i].name, spec->stages[i - 1].name);
    return ok;
}

/* What a run leaves unwritten nobody would miss until it is too late. */
static bool check_whole(struct rows_reader *reader, const struct spec *spec, const struct yaml_node *list)
{
    const struct spec_stage *last = &spec->stages[spec->n_stages - 1];
    const struct yaml_node *item = list->items[spec->n_stages - 1];
    if (last->scope_share >= 1 && !amount_of(last))
        return true;
    return yaml_fail(reader->yaml, yaml_find(item, "scope"),
                     "the last stage '%s' does not reach 100%%: what lies beyond it would never be written",
                     last->name);
}

static bool read_stages(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                        void *into)
{
    struct spec *spec = into;
    if (node->kind != YAML_LIST || node->n == 0)
        return yaml_expected(reader->yaml, node, "a list of stages such as [{ name: full, scope: 100% }]");
    spec->stages = arena_alloc0(reader->mem, node->n * sizeof *spec->stages);
    g_assert(spec->stages);
    spec->n_stages = node->n;
    spec->stages_given = true;
    bool ok = true;
    for (size_t i = 0; i < node->n; i++) {
        spec->stages[i].order = i == 0 ? ORDER_RISKIEST : ORDER_LISTED;
        ok &= rows_read_map(reader, "stages[]", node->items[i], &spec->stages[i]);
    }
    return ok && check_order(reader, spec, node) && check_whole(reader, spec, node);
}

/* --- params and ranges ---------------------------------------------------------------------------------------------
 */

/* They are there already: spec/params.h. */
static bool read_params(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                        void *into)
{
    return true;
}

static bool read_node(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    *(const struct yaml_node **)row_field(row, into) = node;
    return true;
}

static bool read_moment(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                        void *into)
{
    g_autoptr(GError) error = NULL;
    const char *text = forms_quantity(reader, node, "a time such as 2026-07-10");
    return text &&
           (moment_parse_us(text, row_field(row, into), &error) || yaml_fail(reader->yaml, node, "%s", error->message));
}

#define UNTIL_FORM "a time such as 2026-07-10T12:00:00Z, or a duration such as 7d from when the run is planned"

static bool read_until(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    struct spec_until *until = row_field(row, into);
    const char *text = forms_quantity(reader, node, UNTIL_FORM);
    int64_t us = 0, ms = 0;
    if (!text)
        return false;
    bool after = units_parse_duration_ms(text, &ms, NULL) && ms > 0;
    *until = (struct spec_until){.after_ms = after ? ms : 0};
    if (after)
        return true;
    if (!moment_parse_us(text, &us, NULL) || us < 1000)
        return yaml_expected(reader->yaml, node, UNTIL_FORM);
    until->at_ms = us / 1000;
    return true;
}

static bool read_range(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    struct spec_range *range = row_field(row, into);
    *range = (struct spec_range){.from_us = INT64_MIN, .to_us = INT64_MAX};
    if (!rows_read_map(reader, row->key, node, range))
        return false;
    const struct yaml_node *from = yaml_find(node, "from"), *to = yaml_find(node, "to");
    if (!from && !to)
        return yaml_fail(reader->yaml, node, "a range needs 'from', 'to' or both");
    return range->from_us < range->to_us ||
           yaml_fail(reader->yaml, to, "'to: %s' is not after 'from: %s' on %s: no record lies between them", to->text,
                     from->text, yaml_place(reader->yaml, from));
}

const struct row_form form_params = {
    .read = read_params,
    .schema_beside = "{\"propertyNames\": " SCHEMA_PATTERN("[A-Za-z][A-Za-z0-9_-]{0,62}") "}",
};
const struct row_form form_node = {.read = read_node, .schema = "{\"type\": [\"string\", \"number\", \"boolean\"]}"};
const struct row_form form_range = {
    .read = read_range, .schema_beside = "{\"anyOf\": [{\"required\": [\"from\"]}, {\"required\": [\"to\"]}]}"};
const struct row_form form_until = {.read = read_until, .schema = "{\"anyOf\": [" SCHEMA_AFTER ", " SCHEMA_MOMENT "]}"};
const struct row_form form_moment = {.read = read_moment, .schema = SCHEMA_MOMENT};
const struct row_form form_store = {.read = read_store,
                                    .schema = "{\"type\": \"string\", \"pattern\": \"^[a-z][a-z0-9+.-]*:.\"}"};
const struct row_form form_expires = {
    .read = read_expires,
    .schema = "{\"anyOf\": [{\"enum\": [\"keep\", \"never\"]}, " SCHEMA_AFTER
              ", {\"type\": \"object\", \"properties\": {\"from\": " SCHEMA_PATH
              "}, \"required\": [\"from\"], \"additionalProperties\": false}]}",
};
const struct row_form form_after = {
    .read = read_after,
    .schema = "{\"type\": \"array\", \"minItems\": 1, \"uniqueItems\": true, \"items\": " SCHEMA_PATTERN(
        "[a-z0-9][a-z0-9-]{0,62}") "}",
};
const struct row_form form_hours = {.read = read_hours, .schema = SCHEMA_HOURS};
const struct row_form form_scope = {.read = read_scope, .schema = SCHEMA_SCOPE};
const struct row_form form_verify = {
    .read = read_verify,
    .schema = "{\"anyOf\": [{\"const\": \"full\"}, {\"type\": \"object\", \"properties\": {\"confidence\": " SCHEMA_SURE
              ", \"below\": " SCHEMA_SURE ", \"each\": " SCHEMA_SURE
              "}, \"required\": [\"confidence\", \"below\"], \"additionalProperties\": false}]}",
};
const struct row_form form_sure = {.read = read_sure, .schema = SCHEMA_SURE};
const struct row_form form_bytes = {.read = read_bytes, .schema = SCHEMA_BYTES};
const struct row_form form_length = {.read = read_length, .schema = SCHEMA_AFTER};
const struct row_form form_stages = {.read = read_stages};
