/* audit: the ledger, and the record of one run. */
#include "audit/bundle.h"
#include "audit/export.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/units.h"
#include "cli/cli.h"
#include "view/audit.h"

#define PAGE 256

/* What its details say that nothing else of the line does: which limit was set, what was wished, by what a state came
 * about. NULL: nothing; the caller frees. */
static char *told_by(const json_t *details, const struct ledger_entry *entry)
{
    const char *key = json_string_value(json_object_get(details, "key"));
    const char *value = json_string_value(json_object_get(details, "value"));
    const char *wish = json_string_value(json_object_get(details, "wish"));
    const char *reason = json_string_value(json_object_get(details, "state_reason"));
    if (key && value)
        return g_strconcat(key, "=", value, NULL);
    if (wish)
        return g_strconcat(wish, value ? " " : NULL, value, NULL);
    return reason && g_strcmp0(reason, entry->reason) != 0 ? g_strdelimit(g_strdup(reason), "\n", ' ') : NULL;
}

static char *told(const struct ledger_entry *entry)
{
    json_t *details = entry->details ? json_loads(entry->details, 0, NULL) : NULL;
    char *words = told_by(details, entry);
    json_decref(details);
    return words;
}

static void entry_text(struct cli *cli, const struct ledger_entry *entry)
{
    char when[UNITS_TEXT], digest[HEX_TEXT(32)];
    g_autofree char *more = told(entry);
    fprintf(cli->out, "%5" G_GUINT64_FORMAT "  %s  %.12s  %-16s %-20s %s%s%s%s%s\n", entry->number,
            units_time(entry->at_ms, when), hex_text(entry->digest, 32, digest), entry->action,
            entry->run ? entry->run : "", entry->actor, entry->reason ? ": " : "", entry->reason ? entry->reason : "",
            more ? "; " : "", more ? more : "");
}

/* The number of the first entry to print: the newest --limit of them, or all. */
static bool first_entry(const struct cli *cli, struct catalog *catalog, uint64_t *ret, GError **error)
{
    uint64_t limit, last;
    uint8_t head[32];
    if (!cli_number(cli, OPTION_LIMIT, UINT64_MAX, &limit, error) || !ledger_head(catalog, &last, head, error))
        return false;
    *ret = limit < last ? last - limit + 1 : 1;
    return true;
}

static int audit_log(struct cli *cli, struct catalog *catalog, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct ledger_entries entries;
    uint64_t from;
    if (!first_entry(cli, catalog, &from, error))
        return -1;
    for (;; from += entries.n) {
        arena_reset(mem);
        if (!ledger_read(catalog, from, PAGE, mem, &entries, error))
            return -1;
        for (size_t i = 0; i < entries.n; i++)
            cli_has(cli, OPTION_JSON) ? print_json(cli, audit_entry_json(&entries.rows[i]))
                                      : entry_text(cli, &entries.rows[i]);
        if (entries.n < PAGE)
            return 0;
    }
}

static bool head_of(const struct cli *cli, uint8_t ret[32], GError **error)
{
    return hex_parse(slice_of_text(cli->values[OPTION_HEAD]), ret, 32) ||
           error_set(error, SLUICE_ERROR_USAGE, "--head: 64 hex digits were expected, as a run prints them");
}

static int chain_told(struct cli *cli, const struct audit_verdict *verdict)
{
    char text[HEX_TEXT(32)];
    const struct ledger_verdict *chain = &verdict->chain;
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, audit_verdict_json(verdict));
    else if (chain->ok)
        fprintf(cli->out, "the ledger is whole: %" G_GUINT64_FORMAT " entries, head %s\n", chain->entries,
                hex_text(verdict->head, 32, text));
    else
        fprintf(cli->out, "the ledger is broken at entry %" G_GUINT64_FORMAT ": %s\n", chain->number, chain->text);
    return chain->ok ? 0 : 4;
}

static int audit_verify(struct cli *cli, struct catalog *catalog, const uint8_t *head, GError **error)
{
    auto_(arena) mem = arena_new(64 << 20);
    struct audit_verdict verdict;
    return audit_look(catalog, head, mem, &verdict, error) ? chain_told(cli, &verdict) : -1;
}

/* --- the whole ledger in a file ----------------------------------------------------------------------------------- */

static int export_told(struct cli *cli, const struct audit_exported *made)
{
    char head[HEX_TEXT(32)];
    const char *path = cli->values[OPTION_OUT];
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:I, s:o}", "type", "ledger-export", "file", path, "entries",
                                  (json_int_t)made->entries, "head", shape_digest(made->head)));
    else
        fprintf(cli->out,
                "%s: %" G_GUINT64_FORMAT " entries, head %s\n`sluice audit verify --bundle %s` checks it, on any "
                "machine\n",
                path, made->entries, hex_text(made->head, 32, head), path);
    return 0;
}

static int audit_export(struct cli *cli, GError **error)
{
    auto_(catalog) catalog = NULL;
    struct audit_exported made;
    if (cli->n_args != 1 || !cli_has(cli, OPTION_OUT)) {
        error_set(error, SLUICE_ERROR_USAGE, "usage: sluice audit export -o FILE");
        return -1;
    }
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_EXISTING, error))
        return -1;
    struct audit_export wish = {.world = cli->world,
                                .catalog = catalog,
                                .path = cli->values[OPTION_OUT],
                                .act = {.actor = cli->actor, .reason = cli->values[OPTION_REASON]}};
    return audit_export_durable(&wish, &made, error) ? export_told(cli, &made) : -1;
}

static int verify_export(struct cli *cli, const uint8_t *head, GError **error)
{
    struct audit_export_verdict found;
    if (!audit_export_verify(cli->world, cli->values[OPTION_BUNDLE], head, &found, error))
        return -1;
    struct audit_verdict verdict = {.chain = found.chain};
    memcpy(verdict.head, found.head, sizeof verdict.head);
    return chain_told(cli, &verdict);
}

/* --- the record of one run ---------------------------------------------------------------------------------------- */

static int made_told(struct cli *cli, const struct bundle_made *made)
{
    char digest[HEX_TEXT(32)];
    const char *dir = cli->values[OPTION_OUT];
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:I, s:I, s:I, s:o}", "type", "bundle", "dir", dir, "files",
                                  (json_int_t)made->files, "first", (json_int_t)made->first, "last",
                                  (json_int_t)made->last, "manifest", shape_digest(made->manifest)));
    else
        fprintf(cli->out,
                "%s: %zu files, entries %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                " of the ledger; manifest %s\n`sluice audit verify --bundle %s` checks it, on any machine\n",
                dir, made->files, made->first, made->last, hex_text(made->manifest, 32, digest), dir);
    return 0;
}

static int audit_bundle(struct cli *cli, GError **error)
{
    auto_(catalog) catalog = NULL;
    struct bundle_made made;
    if (cli->n_args != 2 || !cli_has(cli, OPTION_OUT)) {
        error_set(error, SLUICE_ERROR_USAGE, "usage: sluice audit bundle RUN -o DIR");
        return -1;
    }
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_EXISTING, error))
        return -1;
    struct audit_bundle wish = {.world = cli->world,
                                .catalog = catalog,
                                .run = cli->args[1],
                                .dir = cli->values[OPTION_OUT],
                                .act = {.actor = cli->actor, .reason = cli->values[OPTION_REASON]}};
    return audit_bundle_make(&wish, &made, error) ? made_told(cli, &made) : -1;
}

static json_t *checks_json(const struct bundle_verdict *verdict)
{
    json_t *list = json_array();
    for (guint i = 0; i < verdict->checks->len; i++) {
        const struct bundle_check *check = &g_array_index(verdict->checks, struct bundle_check, i);
        json_array_append_new(list, json_pack("{s:s, s:b, s:o}", "check", check->name, "ok", check->ok, "message",
                                              shape_text(check->words)));
    }
    return list;
}

static void verdict_told(struct cli *cli, const struct bundle_verdict *verdict)
{
    char digest[HEX_TEXT(32)];
    if (cli_has(cli, OPTION_JSON)) {
        print_json(cli, json_pack("{s:s, s:b, s:o, s:o, s:o}", "type", "bundle", "ok", verdict->ok, "run",
                                  shape_text(verdict->run), "manifest", shape_digest(verdict->manifest), "checks",
                                  checks_json(verdict)));
        return;
    }
    for (guint i = 0; i < verdict->checks->len; i++) {
        const struct bundle_check *check = &g_array_index(verdict->checks, struct bundle_check, i);
        fprintf(cli->out, "%-4s  %-10s %s\n", check->ok ? "ok" : "fail", check->name, check->words);
    }
    fprintf(cli->out, "%s %s; manifest %s\n", verdict->run, verdict->ok ? "holds" : "does not hold",
            hex_text(verdict->manifest, 32, digest));
}

static int verify_bundle(struct cli *cli, const uint8_t *head, GError **error)
{
    struct bundle_verdict verdict;
    if (!audit_bundle_verify(cli->world, cli->values[OPTION_BUNDLE], head, &verdict, error))
        return -1;
    verdict_told(cli, &verdict);
    int status = verdict.ok ? 0 : 4;
    bundle_verdict_done(&verdict);
    return status;
}

/* A folder with a manifest is of one run, a file the whole ledger. */
static int verify_record(struct cli *cli, const uint8_t *head, GError **error)
{
    g_autofree char *manifest = g_build_filename(cli->values[OPTION_BUNDLE], "manifest.json", NULL);
    struct world_stat stat;
    bool is_file =
        !file_exists(cli->world, manifest) && file_stat_path(cli->world, cli->values[OPTION_BUNDLE], &stat, NULL);
    return is_file ? verify_export(cli, head, error) : verify_bundle(cli, head, error);
}

static int of_the_home(struct cli *cli, const uint8_t *head, GError **error)
{
    auto_(catalog) catalog = NULL;
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error))
        return -1;
    return strcmp(cli->args[0], "log") == 0 ? audit_log(cli, catalog, error) : audit_verify(cli, catalog, head, error);
}

int command_audit(struct cli *cli, GError **error)
{
    uint8_t head[32];
    const char *what = cli->args[0];
    bool given = cli_has(cli, OPTION_HEAD);
    if (strcmp(what, "bundle") == 0)
        return audit_bundle(cli, error);
    if (strcmp(what, "export") == 0)
        return audit_export(cli, error);
    if (cli->n_args > 1 || (strcmp(what, "log") != 0 && strcmp(what, "verify") != 0)) {
        error_set(error, SLUICE_ERROR_USAGE,
                  "usage: sluice audit log, sluice audit verify [--head HEX] [--bundle DIR|FILE], sluice audit export "
                  "-o FILE, "
                  "or sluice audit bundle RUN -o DIR");
        return -1;
    }
    if (given && !head_of(cli, head, error))
        return -1;
    if (cli_has(cli, OPTION_BUNDLE))
        return verify_record(cli, given ? head : NULL, error);
    return of_the_home(cli, given ? head : NULL, error);
}
