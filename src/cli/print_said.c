/* What a run was asked to do beside its spec's own words: params, and what of `only` and of stages' keys is not there.
 */
#include "cli/cli.h"

enum { SHOWN = 10 };

static void put_params(FILE *out, const json_t *params)
{
    const char *name, *head = "params";
    json_t *value;
    json_object_foreach((json_t *)params, name, value)
    {
        fprintf(out, "  %-11s %s=%s\n", head, name, json_string_value(value));
        head = "";
    }
}

static void put_after(FILE *out, const json_t *names)
{
    json_t *name;
    size_t i;
    json_array_foreach((json_t *)names, i, name)
        fprintf(out, "%s%s", i ? ", " : "  after       ", json_string_value(name));
    if (json_array_size(names))
        fputc('\n', out);
}

static const char *plural_of(const char *by)
{
    return strcmp(by, "key_range") == 0 ? "range" : by;
}

static void put_match(FILE *out, const char *head, const json_t *match)
{
    const char *by, *list = json_string_value(json_object_get(match, "list"));
    json_int_t given, matched, unmatched;
    json_t *examples, *one;
    size_t i;
    if (json_unpack((json_t *)match, "{s:s, s:I, s:I, s:I, s:o}", "by", &by, "given", &given, "matched", &matched,
                    "unmatched", &unmatched, "examples", &examples) != 0)
        return;
    fprintf(out, "  %-11s %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " %s", head, matched, given,
            plural_of(by));
    if (unmatched > 0)
        fprintf(out, "; %" JSON_INTEGER_FORMAT " match nothing:", unmatched);
    json_array_foreach(examples, i, one)
    {
        if (i == SHOWN)
            break;
        g_autofree char *text = json_dumps(one, JSON_ENCODE_ANY | JSON_COMPACT);
        fprintf(out, "%s %s", i ? "," : "", text);
    }
    fprintf(out, "%s", unmatched > SHOWN ? ", …" : "");
    if (list)
        fprintf(out, " (all of them: %s)", list);
    fputc('\n', out);
}

void print_said(FILE *out, const json_t *said)
{
    const char *stage;
    json_t *match;
    put_params(out, json_object_get(said, "params"));
    put_after(out, json_object_get(said, "after"));
    put_match(out, "only", json_object_get(said, "only"));
    json_object_foreach(json_object_get(said, "scopes"), stage, match)
    {
        g_autofree char *head = g_strdup_printf("stage %s", stage);
        put_match(out, head, match);
    }
}

void print_said_unkept(const struct cli *cli, json_t *said)
{
    json_t *only = json_object_get(said, "only");
    if (only && strcmp(cli->command->name, "plan") == 0 && !cli_has(cli, OPTION_OUT))
        json_object_set_new(only, "list", json_null());
}

json_t *print_said_of(struct cli *cli, const struct run_row *run)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(256 << 20);
    json_t *said = NULL;
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, NULL) ||
        !plan_said_read(catalog, run, mem, &said, NULL))
        return json_object();
    return said;
}
