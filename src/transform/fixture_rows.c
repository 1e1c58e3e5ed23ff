#include "spec/schema_forms.h"
#include "transform/fixture.h"

static const struct row_form form_document = {.schema = "{\"type\": \"object\"}"};
static const struct row_form form_documents = {
    .schema = "{\"anyOf\": [{\"type\": \"object\"}, {\"type\": \"array\", \"minItems\": 1, \"items\": {\"type\": "
              "\"object\"}}]}"};
static const struct row_form form_line = {.schema = "{\"type\": \"string\"}"};
static const struct row_form form_true = {.schema = "{\"const\": true}"};
static const struct row_form form_key = {
    .schema = "{\"anyOf\": [{\"type\": \"string\"}, {\"type\": \"object\", \"properties\": {\"base64\": {\"type\": "
              "\"string\"}}, \"required\": [\"base64\"], \"additionalProperties\": false}]}"};
static const struct row_form form_types = {
    .schema = "{\"type\": \"object\", \"additionalProperties\": {\"enum\": [\"datetime\", \"double\", \"decimal\", "
              "\"binary\", \"uuid\"]}}"};

/* clang-format off */
static const struct spec_row ROWS[] = {
    {.key = "name", .form = "text", .kind = &form_line,
     .words = "what it shows; messages name it", .example = "\"a cut tier is made whole\""},
    {.key = "in", .form = "document", .required = true, .kind = &form_document,
     .words = "the record as the source gives it, before `where` and transform", .example = "{\"username\":\"ann\",\"tier\":\"gol\"}"},
    {.key = "types", .form = "map of path to type", .kind = &form_types,
     .words = "values of `in` that are of a type that JSON does not tell: datetime, double, decimal, binary, uuid",
     .example = "{\"updated_at\":\"datetime\"}"},
    {.key = "ctx", .form = "map", .kind = &form_map,
     .words = "what `ctx` tells the transform", .example = "{\"key\":\"customer:ann\"}"},
    {.key = "ctx.key", .form = "text", .fallback = "made of `in` by source.key, else empty", .decided = true, .kind = &form_key,
     .words = "the source's key; {\"base64\": …} where it is not UTF-8", .example = "\"customer:ann\""},
    {.key = "ctx.run", .form = "text", .fallback = "NAME.1", .decided = true, .kind = &form_line,
     .words = "the name of the run", .example = "\"fix.3\""},
    {.key = "ctx.spec", .form = "text", .fallback = "the spec's name", .decided = true, .kind = &form_line,
     .words = "the name of the spec", .example = "\"fix\""},
    {.key = "ctx.planned_at", .form = "time", .fallback = "2000-01-01T00:00:00Z", .decided = true, .kind = &form_line,
     .words = "the plan's time", .example = "\"2026-07-10T12:00:00Z\""},
    {.key = "out", .form = "document | list of documents", .kind = &form_documents,
     .words = "what is wanted: transform and contract give exactly this", .example = "{\"username\":\"ann\",\"tier\":\"gold\"}"},
    {.key = "filtered", .form = "true", .kind = &form_true,
     .words = "nothing is wanted: `where` is false, or the transform gives nothing", .example = "true"},
    {.key = "deleted", .form = "true", .kind = &form_true,
     .words = "the transform gives ctx.delete()", .example = "true"},
    {.key = "rejected", .form = "text", .kind = &form_line,
     .words = "the record is refused, and this is the reason or a part of it; empty: whatever the reason", .example = "\"tier: 'brass' is not one of\""},
    {.key = "error", .form = "name of an error", .fallback = "any", .decided = true, .kind = &form_line,
     .words = "with `rejected`: contract-says, rejected (ctx.reject), lua (the script failed), …", .example = "\"contract-says\""},
};
/* clang-format on */

const struct spec_row *fixture_rows(size_t *ret_n)
{
    *ret_n = G_N_ELEMENTS(ROWS);
    return ROWS;
}

char *fixture_schema_json(void)
{
    static const struct rows TABLE = {
        .row = ROWS,
        .n = G_N_ELEMENTS(ROWS),
        .schema_beside = "{\"oneOf\": [{\"required\": [\"out\"]}, {\"required\": [\"filtered\"]}, {\"required\": "
                         "[\"deleted\"]}, {\"required\": [\"rejected\"]}], \"dependentRequired\": {\"error\": "
                         "[\"rejected\"]}}"};
    return rows_schema_json(TABLE, "sluice fixture");
}
