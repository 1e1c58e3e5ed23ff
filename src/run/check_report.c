/* What becomes of a report. */
#include <sodium.h>

#include "base/file.h"
#include "run/check.h"

#define LINES_BYTES (64u << 10)

bool check_wants_report(const struct run_config *config, struct verify_result *io, bool *ret, GError **error)
{
    *ret = !config->keep_report || config->keep_report(config->keep_self, io);
    if (*ret)
        return true;
    bool ok = file_unlink(config->world, io->report_path, error) && file_unlink(config->world, io->page_path, error);
    g_clear_pointer(&io->report_path, g_free);
    g_clear_pointer(&io->page_path, g_free);
    return ok;
}

/* The lines of the report. */
static bool digest_lines(crypto_generichash_state *state, const struct world *world, const char *path, GError **error)
{
    auto_(file) file = NULL;
    uint64_t at = 0;
    size_t got = LINES_BYTES;
    g_autofree uint8_t *bytes = g_malloc(LINES_BYTES);
    if (!file_open(&file, world, path, FILE_READ, error))
        return false;
    for (; got == LINES_BYTES; at += got) {
        if (!file_read_at(file, at, bytes, LINES_BYTES, &got, error))
            return false;
        crypto_generichash_update(state, bytes, got);
    }
    return true;
}

bool check_keep_report(struct hold *hold, uint32_t stage, const struct verify_result *result, uint8_t ret_digest[32],
                       GError **error)
{
    crypto_generichash_state state;
    struct report_row report = {.run = hold->run.id,
                                .at_ms = world_wall_ms(hold->config->world),
                                .stage = stage,
                                .verdict = result->pass ? "pass" : "fail",
                                .path = result->report_path,
                                .summary = slice_of_text(result->json)};
    if (stage == UINT32_MAX) /* no move follows that would say it */
        report.act = hold->config->act;
    crypto_generichash_init(&state, NULL, 0, 32);
    crypto_generichash_update(&state, report.summary.data, report.summary.len);
    if (!digest_lines(&state, hold->config->world, result->report_path, error))
        return false;
    crypto_generichash_final(&state, ret_digest, 32);
    return catalog_report_add(hold->catalog, &report, error);
}
