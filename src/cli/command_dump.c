/* dump: a file of the home as lines of JSON, whatever it is. */
#include "base/file.h"
#include "cli/cli.h"
#include "listing/dump.h"
#include "listing/seen.h"
#include "quarantine/quarantine.h"
#include "undo/undo.h"
#include "verify/dump.h"
#include "verify/lines.h"

#define MAGIC_BYTES 8

/* Files say by their first bytes what they are. */
static const struct format {
    const char *magic, *words;
    bool (*dump)(const struct world *world, const char *path, const struct document_lines *into, GError **error);
} FORMATS[] = {
    {"SLUNDO1\n", "a segment of an undo log", undo_dump_segment},
    {"SLCHAIN1", "the chains of a rollback", undo_dump_chains},
    {"SLLIST1\n", "a listing", listing_dump},
    {"SLSKIP1\n", "a skip list", listing_dump},
    {"SLSEEN1\n", "what a verification saw, for a repair", seen_dump},
    {"SLSAMP1\n", "a verifier's sample", sample_dump},
    {"SLOWNR1\n", "owners of keys", owners_dump},
    {"SLSKTC1\n", "a sketch of what a gate found", sketch_dump},
    {"SLPROF1\n", "a profile that a gate kept", past_dump},
    {"SLPROG1\n", "the progress of a verification", progress_dump},
    {"{\"quaran", "a quarantine, or notes", quarantine_dump},
    {"{\"sealed", "a report that is sealed", report_dump},
    {"{\"key\":", "a report", report_dump},
};

/* Of a verification that found nothing: no byte says what it is. */
static const struct format NOTHING = {"", "a report of nothing", report_dump};

static bool print_line(void *self, const char *text, GError **error)
{
    struct cli *cli = self;
    if (fprintf(cli->out, "%s\n", text) >= 0)
        return true;
    return error_set(error, SLUICE_ERROR_CANCELLED, "nobody reads what is printed");
}

static void unknown(const char *path, GError **error)
{
    g_autoptr(GString) all = g_string_new(NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(FORMATS); i++)
        g_string_append_printf(all, "%s%s", i ? ", " : "", FORMATS[i].words);
    error_set(error, SLUICE_ERROR_CORRUPT,
              "%s: its first %d bytes name no format that is known here (%s): it is another file, or damaged at "
              "offset 0",
              path, MAGIC_BYTES, all->str);
}

static const struct format *find_format(struct cli *cli, const char *path, GError **error)
{
    auto_(file) file = NULL;
    char magic[MAGIC_BYTES] = {0};
    size_t n;
    if (!file_open(&file, cli->world, path, FILE_READ, error) || !file_read_at(file, 0, magic, sizeof magic, &n, error))
        return NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(FORMATS); i++)
        if (n == sizeof magic && memcmp(magic, FORMATS[i].magic, strlen(FORMATS[i].magic)) == 0)
            return &FORMATS[i];
    if (n == 0 && g_str_has_suffix(path, ".ndjson"))
        return &NOTHING;
    unknown(path, error);
    return NULL;
}

int command_dump(struct cli *cli, GError **error)
{
    const struct format *format = find_format(cli, cli->args[0], error);
    struct document_lines into = {.line = print_line, .self = cli};
    GError *failed = NULL;
    if (!format)
        return -1;
    if (format->dump(cli->world, cli->args[0], &into, &failed))
        return 0;
    if (!error_is(failed, SLUICE_ERROR_CANCELLED)) {
        g_propagate_error(error, failed);
        return -1;
    }
    g_error_free(failed);
    return 0; /* whether a reader has had enough or a disk is full, the end of the program tells */
}
