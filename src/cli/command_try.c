/* try: records the whole way, and what would become of them. */
#include <unistd.h>

#include "base/units.h"
#include "cli/cli.h"
#include "cli/harvest.h"
#include "record/datetime.h"
#include "record/diff.h"
#include "run/try.h"

#define TRY_BYTES (256u << 20)

struct show {
    struct cli *cli;
    const struct plan *plan;
    struct arena *mem; /* of one record */
    GArray *changes;   /* of struct diff_change */
    bool colour;
    struct harvest *harvest; /* NULL: no fixtures are made */
};

enum colour { COLOUR_OLD, COLOUR_NEW, COLOUR_BAD, COLOUR_FAINT, COLOUR_HEAD };

static const char *paint(const struct show *show, enum colour colour)
{
    static const char *const CODES[] = {[COLOUR_OLD] = "\033[31m",
                                        [COLOUR_NEW] = "\033[32m",
                                        [COLOUR_BAD] = "\033[1;31m",
                                        [COLOUR_FAINT] = "\033[2m",
                                        [COLOUR_HEAD] = "\033[1m"};
    return show->colour ? CODES[colour] : "";
}

static const char *plain(const struct show *show)
{
    return show->colour ? "\033[0m" : "";
}

/* What stands in the target now, or, where nothing does, what the source gives: what the run would change. */
static struct slice before_of(const struct try_record *record, const struct try_item *item)
{
    return item->live.len ? item->live : record->document;
}

static bool find_changes(struct show *show, const struct try_record *record, const struct try_item *item,
                         GError **error)
{
    g_array_set_size(show->changes, 0);
    arena_reset(show->mem);
    return diff_documents(before_of(record, item), item->wanted, show->mem, show->changes, error);
}

/* --- in words
 * ---------------------------------------------------------------------------------------------------------- */

static void put_bytes(FILE *out, struct slice bytes)
{
    g_autofree char *shown = g_utf8_make_valid((const char *)bytes.data, (gssize)bytes.len);
    fputs(shown, out);
}

static const char *version_text(struct version version, char into[DATETIME_TEXT])
{
    if (version.kind == VERSION_TIME)
        return datetime_text(version.value / 1000, into);
    if (version.kind == VERSION_NONE)
        return "none";
    g_snprintf(into, DATETIME_TEXT, "%" G_GINT64_FORMAT, version.value);
    return into;
}

/* By what it was decided, where the target holds something. */
static void put_policy(const struct show *show, const struct try_item *item)
{
    char live[DATETIME_TEXT], wanted[DATETIME_TEXT];
    FILE *out = show->cli->out;
    if (!item->live.len || show->plan->same_dataset)
        return;
    fprintf(out, "  %s%s: there is a live record", paint(show, COLOUR_FAINT), try_policy(show->plan));
    if (item->live_version.kind != VERSION_NONE || item->wanted_version.kind != VERSION_NONE)
        fprintf(out, ", version %s; this one has %s", version_text(item->live_version, live),
                version_text(item->wanted_version, wanted));
    fprintf(out, "%s\n", plain(show));
}

static void put_expiry(const struct show *show, const struct try_item *item)
{
    char live[UNITS_TEXT], wanted[UNITS_TEXT];
    int64_t before = item->live_expires_at_ms, after = item->wanted_expires_at_ms;
    if (item->wanted.len && before != after)
        fprintf(show->cli->out, "  (expires) %s -> %s\n", before ? units_time(before, live) : "never",
                after ? units_time(after, wanted) : "never");
}

static void value_text(const struct show *show, enum colour colour, const char *value, const char *type)
{
    fprintf(show->cli->out, "%s%s%s%s%s%s", paint(show, colour), value ? value : "(none)", plain(show),
            type ? " (" : "", type ? type : "", type ? ")" : "");
}

/* The types only where the values look the same. */
static void change_text(const struct show *show, const struct diff_change *change)
{
    bool alike = g_strcmp0(change->before, change->after) == 0;
    fprintf(show->cli->out, "  %s  ", change->path);
    value_text(show, COLOUR_OLD, change->before, alike ? change->before_type : NULL);
    fputs(" -> ", show->cli->out);
    value_text(show, COLOUR_NEW, change->after, alike ? change->after_type : NULL);
    fputc('\n', show->cli->out);
}

static bool item_text(struct show *show, const struct try_record *record, const struct try_item *item, GError **error)
{
    FILE *out = show->cli->out;
    if (record->n_items > 1 || !slice_equal(item->key, record->key)) {
        fputs("  -> ", out);
        put_bytes(out, item->key);
        fprintf(out, "  %s\n", outcome_row(item->outcome)->word);
    }
    put_policy(show, item);
    if (!item->wanted.len)
        return true; /* deleted: the head says it */
    if (!find_changes(show, record, item, error))
        return false;
    for (guint i = 0; i < show->changes->len; i++)
        change_text(show, &g_array_index(show->changes, struct diff_change, i));
    put_expiry(show, item);
    return true;
}

/* NULL: there is no contract, or the record did not come to it. */
static const char *contract_verdict(const struct plan *plan, const struct try_record *record)
{
    if (!recipe_contract(plan->recipe))
        return NULL;
    if (record->outcome == OUTCOME_REJECTED)
        return record->fault.code == SLUICE_ERROR_CONTRACT_SAYS ? "refuses" : NULL;
    for (size_t i = 0; i < record->n_items; i++)
        if (record->items[i].wanted.len)
            return "passes";
    return NULL;
}

static void put_contract(const struct show *show, const struct try_record *record)
{
    const struct contract *contract = recipe_contract(show->plan->recipe);
    const char *verdict = contract_verdict(show->plan, record);
    if (verdict)
        fprintf(show->cli->out, "  contract %s %" G_GUINT64_FORMAT " %s\n", contract_name(contract),
                contract_version(contract), verdict);
}

static void put_place(FILE *out, const struct origin *at)
{
    if (at->file)
        fprintf(out, "  %s:%" G_GUINT64_FORMAT, at->file, at->line);
}

static bool record_text(struct show *show, const struct try_record *record, GError **error)
{
    FILE *out = show->cli->out;
    bool bad = record->outcome == OUTCOME_REJECTED;
    fputs(paint(show, COLOUR_HEAD), out);
    put_bytes(out, record->key.len ? record->key : slice_of_text("(no key)"));
    fprintf(out, "%s  would be %s%s%s", plain(show), bad ? paint(show, COLOUR_BAD) : "",
            outcome_row(record->outcome)->word, bad ? plain(show) : "");
    put_place(out, &record->at);
    fputc('\n', out);
    put_contract(show, record);
    if (bad)
        fprintf(out, "  %s: %s\n", error_row(record->fault.code)->name, record->fault.text);
    for (size_t i = 0; i < record->n_items && !bad; i++)
        if (!item_text(show, record, &record->items[i], error))
            return false;
    return true;
}

/* --- as JSON
 * ----------------------------------------------------------------------------------------------------------- */

/* A document's own text keeps its numbers; jansson's would not. */
static void put_document(GString *line, const char *name, struct slice document)
{
    g_string_append_printf(line, ",\"%s\":", name);
    if (document.len == 0 || !document_to_json(document, line, NULL))
        g_string_append(line, "null");
}

static void put_time(GString *line, const char *name, int64_t ms)
{
    shape_put(line, name, ms ? shape_time(ms) : json_null());
}

/* Without its article. */
static json_t *type_json(const char *type)
{
    return type ? json_string(strchr(type, ' ') ? strchr(type, ' ') + 1 : type) : json_null();
}

static void put_change(GString *line, const struct diff_change *change)
{
    g_string_append(line, g_str_has_suffix(line->str, "[") ? "{" : ",{");
    shape_put(line, "field", json_string(change->path));
    g_string_append_printf(line, ",\"before\":%s,\"after\":%s", change->before ? change->before : "null",
                           change->after ? change->after : "null");
    shape_put(line, "before_type", type_json(change->before_type));
    shape_put(line, "after_type", type_json(change->after_type));
    g_string_append_c(line, '}');
}

static bool put_item(struct show *show, GString *line, const struct try_record *record, const struct try_item *item,
                     GError **error)
{
    g_string_append(line, g_str_has_suffix(line->str, "[") ? "{" : ",{");
    shape_put(line, "key", shape_key(item->key));
    shape_put(line, "outcome", json_string(outcome_row(item->outcome)->word));
    put_document(line, "live", item->live);
    put_document(line, "wanted", item->wanted);
    put_time(line, "live_expires_at", item->live_expires_at_ms);
    put_time(line, "wanted_expires_at", item->wanted_expires_at_ms);
    g_string_append(line, ",\"changes\":[");
    if (item->wanted.len && !find_changes(show, record, item, error))
        return false;
    for (guint i = 0; i < show->changes->len && item->wanted.len; i++)
        put_change(line, &g_array_index(show->changes, struct diff_change, i));
    g_string_append(line, "]}");
    return true;
}

static void put_origin(GString *line, const struct origin *at)
{
    if (!at->file)
        return;
    shape_put(line, "file", shape_text(at->file));
    shape_put(line, "line", json_integer((json_int_t)at->line));
}

static bool record_json(struct show *show, const struct try_record *record, GError **error)
{
    g_autoptr(GString) line = g_string_new("{");
    bool bad = record->outcome == OUTCOME_REJECTED;
    shape_put(line, "type", json_string("tried"));
    shape_put(line, "key", record->key.len ? shape_key(record->key) : json_null());
    shape_put(line, "outcome", json_string(outcome_row(record->outcome)->word));
    shape_put(line, "error", bad ? json_string(error_row(record->fault.code)->name) : json_null());
    shape_put(line, "reason", bad ? shape_text(record->fault.text) : json_null());
    shape_put(line, "contract", shape_text(contract_verdict(show->plan, record)));
    put_origin(line, &record->at);
    put_document(line, "source", record->document);
    g_string_append(line, ",\"items\":[");
    for (size_t i = 0; i < record->n_items && !bad; i++)
        if (!put_item(show, line, record, &record->items[i], error))
            return false;
    fprintf(show->cli->out, "%s]}\n", line->str);
    return true;
}

/* --- the end
 * ----------------------------------------------------------------------------------------------------------- */

static void end_text(struct show *show, const struct try_result *result)
{
    bool named = cli_has(show->cli, OPTION_KEY) || cli_has(show->cli, OPTION_KEYS_FROM);
    const char *sep = "", *where = named ? "" : result->spread ? " from all over it" : " from its beginning";
    fprintf(show->cli->out, "%" G_GUINT64_FORMAT " of %s#%s%s: ", result->tally.of[OUTCOME_READ],
            show->plan->spec->source.store, show->plan->spec->source.dataset, where);
    for (int i = 0; i < OUTCOME_COUNT; i++) {
        if (outcome_row((enum outcome)i)->kind != OUTCOME_KIND_LISTED || !result->tally.of[i])
            continue;
        fprintf(show->cli->out, "%s%" G_GUINT64_FORMAT " %s", sep, result->tally.of[i],
                outcome_row((enum outcome)i)->word);
        sep = ", ";
    }
    fprintf(show->cli->out, "%s; nothing was written\n", *sep ? "" : "no record");
    if (result->lacking)
        fprintf(show->cli->out, "%" G_GUINT64_FORMAT " of the keys are not in the source any more\n", result->lacking);
    if (result->older_states)
        fprintf(show->cli->out, "the newest state of a key; its older ones are left out (duplicates: newest)\n");
}

static json_t *end_json(const struct show *show, const struct try_result *result, int status)
{
    json_t *records = json_object();
    for (int i = 0; i < OUTCOME_COUNT; i++)
        if (outcome_row((enum outcome)i)->kind == OUTCOME_KIND_LISTED || i == OUTCOME_READ)
            json_object_set_new(records, outcome_row((enum outcome)i)->word,
                                json_integer((json_int_t)result->tally.of[i]));
    return json_pack("{s:s, s:i, s:s, s:b, s:b, s:b, s:o}", "type", "end", "exit", status, "policy",
                     try_policy(show->plan), "spread", result->spread, "older_states", result->older_states,
                     "target_present", show->plan->target != NULL, "records", records);
}

static bool show_record(void *self, const struct try_record *record, GError **error)
{
    struct show *show = self;
    if (show->harvest && !harvest_record(show->harvest, record, error))
        return false;
    return cli_has(show->cli, OPTION_JSON) ? record_json(show, record, error) : record_text(show, record, error);
}

static bool which(const struct cli *cli, GError **error)
{
    int n = cli_has(cli, OPTION_KEY) + cli_has(cli, OPTION_KEYS_FROM);
    bool sampled = cli_has(cli, OPTION_SAMPLE);
    if (n > 1 || (n == 0 && !sampled) || (cli_has(cli, OPTION_KEY) && sampled))
        return error_set(
            error, SLUICE_ERROR_USAGE,
            "which records? Either --key K, or --sample N, or --keys-from RUN (of which --sample N takes the "
            "first N)");
    if (cli_has(cli, OPTION_KEY) && !*cli->values[OPTION_KEY])
        return error_set(error, SLUICE_ERROR_USAGE, "--key: a key was expected; no record has an empty one");
    return !cli_has(cli, OPTION_MASK) || cli_has(cli, OPTION_OUT) ||
           error_set(error, SLUICE_ERROR_USAGE, "--mask masks fixtures: name their file with -o FILE");
}

/* `keys` owns the array that the wish borrows; what the keys point to is in `mem`. */
static bool read_wish(struct cli *cli, struct try_wish *ret, GArray *keys, struct arena *mem, GError **error)
{
    if (!which(cli, error) || !cli_number(cli, OPTION_SAMPLE, HARVEST_DEFAULT, &ret->sample, error))
        return false;
    if (ret->sample == 0 || ret->sample > TRY_SAMPLE_MAX)
        return error_set(error, SLUICE_ERROR_USAGE, "--sample: a number from 1 to %d was expected, not '%s'",
                         TRY_SAMPLE_MAX, cli->values[OPTION_SAMPLE]);
    if (cli_has(cli, OPTION_KEY)) {
        struct slice key = slice_of_text(cli->values[OPTION_KEY]);
        g_array_append_val(keys, key);
    } else if (cli_has(cli, OPTION_KEYS_FROM) && !harvest_keys(cli, ret->sample, keys, mem, error))
        return false;
    ret->may_lack = cli_has(cli, OPTION_KEYS_FROM);
    ret->keys = keys->len ? (const struct slice *)(const void *)keys->data : NULL;
    ret->n_keys = keys->len;
    return true;
}

bool cli_plan_look(struct cli *cli, struct plan **ret, GError **error)
{
    struct plan_config config = {.world = cli->world, .registry = cli->registry, .home = cli->home};
    auto_(spec) spec = NULL;
    if (!cli_spec_read(cli, cli->args[0], &spec, error) || !plan_look(ret, &config, spec, error))
        return false;
    spec = NULL; /* taken over */
    return true;
}

static int try_wished(struct cli *cli, struct plan *plan, struct show *show, struct try_wish *wish, GError **error)
{
    struct try_result result;
    wish->self = show;
    if (!try_records(plan, cli->world, cli->signals, wish, &result, error) ||
        (show->harvest && !harvest_write(show->harvest, error)))
        return -1;
    int status = result.tally.of[OUTCOME_REJECTED] ? 8 : 0;
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, end_json(show, &result, status));
    else if (!cli_has(cli, OPTION_QUIET))
        end_text(show, &result);
    if (show->harvest)
        harvest_tell(show->harvest);
    return status;
}

int command_try(struct cli *cli, GError **error)
{
    auto_(plan) plan = NULL;
    auto_(arena) mem = arena_new(TRY_BYTES);
    auto_(arena) kept = arena_new(TRY_BYTES);
    g_autoptr(GArray) changes = g_array_new(FALSE, FALSE, sizeof(struct diff_change));
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct slice));
    struct try_wish wish = {.each = show_record};
    if (!read_wish(cli, &wish, keys, kept, error) || !cli_plan_look(cli, &plan, error))
        return -1;
    struct show show = {.cli = cli, .plan = plan, .mem = mem, .changes = changes};
    show.colour = isatty(STDOUT_FILENO) && cli->terminal && !cli_has(cli, OPTION_NO_COLOR);
    if (cli_has(cli, OPTION_OUT) && !harvest_new(&show.harvest, cli, plan, error))
        return -1;
    int status = try_wished(cli, plan, &show, &wish, error);
    harvest_free(show.harvest);
    return status;
}
