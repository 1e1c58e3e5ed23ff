#include "contract/read.h"
#include "spec/schema_forms.h"

static bool store_node(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    *(const struct yaml_node **)row_field(row, into) = node;
    return true;
}

#define ANY_FIELD     "{\"$ref\": \"#/properties/fields/additionalProperties\"}"
#define LENGTH        "{\"type\": \"integer\", \"minimum\": 0, \"maximum\": 4294967295}"
#define SOME_OF(more) "{\"type\": \"array\", \"minItems\": 1" more "}"
#define FIELD_NAMES   "{\"maxLength\": 1024, \"pattern\": \"^" SCHEMA_PATH_NAMES "$\"}"

/* Read in a second look, when it is known of which type the field is. */
static const struct row_form form_literal = {.read = store_node, .schema = "{}"};
static const struct row_form form_literals = {.read = store_node, .schema = SOME_OF("")};
static const struct row_form form_unique = {
    .read = store_node,
    .schema = SOME_OF(", \"uniqueItems\": true, \"items\": " SCHEMA_PATTERN(SCHEMA_PATH_NAMES)),
};
static const struct row_form form_pattern = {
    .read = store_node,
    .schema = "{\"type\": \"string\", \"minLength\": 1, \"maxLength\": 4096}",
};
static const struct row_form form_plain_text = {.read = store_node, .schema = SCHEMA_TEXT};
static const struct row_form form_length = {
    .read = store_node,
    .schema = "{\"anyOf\": [" LENGTH ", {\"type\": \"object\", \"properties\": {\"min\": " LENGTH ", \"max\": " LENGTH
              "}, \"additionalProperties\": false}]}",
};
static const struct row_form form_formats = {
    .read = store_node,
    .schema = "{\"anyOf\": [" SCHEMA_TEXT ", " SOME_OF(", \"maxItems\": 16, \"items\": " SCHEMA_TEXT) "]}",
};
static const struct row_form form_items = {.read = store_node, .schema = ANY_FIELD};
static const struct row_form form_inner = {
    .read = store_node,
    .schema = "{\"type\": \"object\", \"minProperties\": 1, \"propertyNames\": " FIELD_NAMES
              ", \"additionalProperties\": " ANY_FIELD "}",
};
static const struct row_form form_fields = {
    .read = store_node,
    .schema_beside = "{\"minProperties\": 1, \"propertyNames\": " FIELD_NAMES "}",
};
static const struct row_form form_rules = {.read = store_node};

static const struct row_word types[] = {
    {"string", FIELD_STRING, NULL},
    {"bool", FIELD_BOOL, NULL},
    {"int", FIELD_INT, NULL},
    {"double", FIELD_DOUBLE, NULL},
    {"decimal", FIELD_DECIMAL, NULL},
    {"datetime", FIELD_DATETIME, NULL},
    {"binary", FIELD_BINARY, NULL},
    {"uuid", FIELD_UUID, NULL},
    {"object", FIELD_OBJECT, NULL},
    {"array", FIELD_ARRAY, NULL},
    {NULL},
};

static const struct row_word unknowns[] = {
    {"keep", UNKNOWN_KEEP, NULL}, {"drop", UNKNOWN_DROP, NULL}, {"reject", UNKNOWN_REJECT, NULL}, {NULL}};

#define AT(member)        .offset = offsetof(struct contract_wish, member)
#define IN_FIELD(member)  .offset = offsetof(struct field_wish, member)
#define IN_LENGTH(member) .offset = offsetof(struct length_wish, member)
#define IN_RULE(member)   .offset = offsetof(struct rule_wish, member)

/* clang-format off */
static const struct spec_row rows[] = {
    {.key = "contract", .form = "1", .required = true, .kind = &form_one,
     .words = "the version of the contract's own form", .example = "1"},
    {.key = "name", .form = "name", .required = true, .kind = &form_name, AT(name),
     .words = "what the contract is called", .example = "customer"},
    {.key = "version", .form = "count", .fallback = "1", .kind = &form_count, AT(version), .min = 1, .max = INT64_MAX,
     .words = "its own version, for people", .example = "3"},
    {.key = "fields", .form = "map of fields, by path", .required = true, .kind = &form_fields, AT(fields),
     .words = "what a record holds", .example = "{ username: { type: string, required: true } }"},
    {.key = "fields.*", .form = "map", .kind = &form_map,
     .words = "a field; a dotted path leads into objects: `address.zip`", .example = "{ type: string }"},
    {.key = "fields.*.type", .form = "string | bool | int | double | decimal | datetime | binary | uuid | object | array",
     .required = true, .kind = &form_choice, .choices = types, IN_FIELD(type),
     .words = "what its value becomes, without loss, or the record is refused", .example = "string"},
    {.key = "fields.*.required", .form = "true | false", .fallback = "false", .kind = &form_bool, IN_FIELD(required),
     .words = "whether it must be there", .example = "true"},
    {.key = "fields.*.nullable", .form = "true | false", .fallback = "false", .kind = &form_bool, IN_FIELD(nullable),
     .words = "whether null is allowed", .example = "true"},
    {.key = "fields.*.default", .form = "value", .kind = &form_literal, IN_FIELD(fallback),
     .words = "its value where it is not there; never in place of a null", .example = "bronze"},
    {.key = "fields.*.one_of", .form = "list of values", .kind = &form_literals, IN_FIELD(one_of),
     .words = "the only values it may have; of strings, `ISO 4217`, `ISO 3166` and `tz database` stand for all codes of that table", .example = "[bronze, silver, gold]"},
    {.key = "fields.*.pattern", .form = "regular expression", .kind = &form_pattern, IN_FIELD(pattern),
     .words = "what a string must match somewhere; ^ and $ bind it to its ends", .example = "\"^[a-z0-9_]+$\""},
    {.key = "fields.*.min", .form = "value", .kind = &form_literal, IN_FIELD(min),
     .words = "the least number or datetime it may be", .example = "0"},
    {.key = "fields.*.max", .form = "value", .kind = &form_literal, IN_FIELD(max),
     .words = "the greatest", .example = "100"},
    {.key = "fields.*.length", .form = "count | { min: count, max: count }", .kind = &form_length, IN_FIELD(length),
     .words = "characters of a string, bytes of binary, items of an array", .example = "5"},
    {.key = "fields.*.length.min", .form = "count", .fallback = "0", .kind = &form_count, IN_LENGTH(min), .max = UINT32_MAX,
     .words = "at least so many", .example = "1"},
    {.key = "fields.*.length.max", .form = "count", .fallback = "4294967295", .kind = &form_count, IN_LENGTH(max),
     .max = UINT32_MAX, .words = "at most so many", .example = "80"},
    {.key = "fields.*.zone", .form = "required | UTC | Europe/Berlin …", .fallback = "required", .decided = true,
     .kind = &form_plain_text, IN_FIELD(zone),
     .words = "how a time without a zone is taken", .example = "UTC"},
    {.key = "fields.*.format", .form = "text, or a list of texts", .fallback = "RFC 3339", .decided = true,
     .kind = &form_formats, IN_FIELD(format),
     .words = "how datetimes are written besides: %Y %m %b %B %d %e %H %M %S %f %z %%", .example = "\"%b %d %Y\""},
    {.key = "fields.*.items", .form = "map: a field", .kind = &form_items, IN_FIELD(items),
     .words = "what stands in an array", .example = "{ type: string }"},
    {.key = "fields.*.fields", .form = "map of fields", .kind = &form_inner, IN_FIELD(fields),
     .words = "what stands in an object", .example = "{ zip: { type: string } }"},
    {.key = "unknown", .form = "keep | drop | reject", .fallback = "keep", .kind = &form_choice, .choices = unknowns,
     AT(unknown), .words = "what becomes of a field that the contract does not name", .example = "reject"},
    {.key = "unique", .form = "list of paths", .kind = &form_unique, AT(unique),
     .words = "fields of which no two records have the same value", .example = "[username]"},
    {.key = "rules", .form = "list of maps", .kind = &form_rules, AT(rules),
     .words = "what must hold between fields", .example = "[{ name: paid, expr: doc.paid <= doc.owed }]"},
    {.key = "rules[].name", .form = "name", .required = true, .kind = &form_name, IN_RULE(name),
     .words = "what the rule is called in a refusal", .example = "gold-has-balance"},
    {.key = "rules[].when", .form = "Lua expression", .kind = &form_plain_text, IN_RULE(when),
     .words = "for which records it must hold; the record is `doc`", .example = "\"doc.tier == 'gold'\""},
    {.key = "rules[].expr", .form = "Lua expression", .required = true, .kind = &form_plain_text, IN_RULE(expr),
     .words = "what must be true", .example = "\"doc.balance ~= nil\""},
};
/* clang-format on */

struct rows contract_table(void)
{
    return (struct rows){.row = rows, .n = G_N_ELEMENTS(rows)};
}

const struct spec_row *contract_rows(size_t *ret_n)
{
    *ret_n = G_N_ELEMENTS(rows);
    return rows;
}

char *contract_schema_json(void)
{
    return rows_schema_json(contract_table(), "sluice contract");
}
