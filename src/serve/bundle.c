/* What is on record of a run, as an archive. */
#include "audit/bundle.h"
#include "serve/acts.h"

#define ARCHIVE_MOST (256u << 20)

/* It holds what the ledger has of other runs too, for a chain has no gaps. */
bool act_bundle(struct act_call *call, GError **error)
{
    auto_(catalog) catalog = NULL;
    struct answer *answer = &call->request->answer;
    if (call->request->who.only)
        return act_refuse(call->request, "this token is for some specs, and the ledger is of all runs", error);
    if (!catalog_open(&catalog, call->config.world, call->config.home, CATALOG_EXISTING, error))
        return false;
    GString *archive = g_string_new(NULL);
    struct bundle_made made;
    struct audit_bundle wish = {.world = call->config.world,
                                .catalog = catalog,
                                .run = call->run.name,
                                .dir = call->run.name,
                                .archive = archive,
                                .archive_most = ARCHIVE_MOST,
                                .act = call->config.act};
    bool ok = audit_bundle_make(&wish, &made, error);
    GBytes *bytes = g_string_free_to_bytes(archive);
    if (!ok) {
        g_bytes_unref(bytes);
        return false;
    }
    answer->status = 200;
    answer->type = "application/x-tar";
    answer->body = bytes;
    answer->download = "record.tar";
    return true;
}
