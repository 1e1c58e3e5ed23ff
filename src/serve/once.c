/* Actions that may be asked for twice and are done once. */
#include <string.h>

#include "serve/acts.h"

#define KEY_LONGEST 64

static const char KEY_LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

static bool is_key(const char *key)
{
    size_t len = strlen(key);
    return len > 0 && len <= KEY_LONGEST && strspn(key, KEY_LETTERS) == len;
}

/* All that makes it the same request. */
static void digest_of(const struct request *request, uint8_t ret[32])
{
    g_autofree char *all = g_strconcat(request->method, " ", request->path, "\n", request->body->str, NULL);
    access_digest(all, ret);
}

/* True: nobody is at work on it, and now we are. */
static bool enter(struct server *server, const char *mark)
{
    auto_hold(&server->once_lock);
    return g_hash_table_add(server->at_work, g_strdup(mark));
}

static void leave(struct server *server, const char *mark)
{
    auto_hold(&server->once_lock);
    g_hash_table_remove(server->at_work, mark);
}

static void conflict(struct request *request, const char *message)
{
    answer_fault(&request->answer, &(struct answer_fault){409, 7, "refused", message});
}

static void answer_kept(struct request *request, const struct kept_answer *kept, const uint8_t digest[32])
{
    if (memcmp(kept->request, digest, 32) != 0) {
        conflict(request, "Idempotency-Key: it was used for another request; take another key");
        return;
    }
    request->answer.status = kept->status;
    request->answer.type = "application/json";
    request->answer.body = g_bytes_new(kept->body, strlen(kept->body));
    request->answer.replayed = true;
}

/* An answer that says that it could not be done now is not kept: the next time may be better. Nor is an archive: it is
 * made anew, and the ledger says that it was given out again. */
static bool keep(struct request *request, struct kept_answer *answer, GError **error)
{
    auto_(catalog) catalog = NULL;
    gsize len;
    const char *body = g_bytes_get_data(request->answer.body, &len);
    g_autofree char *text = g_strndup(body, len);
    answer->status = request->answer.status;
    answer->body = text;
    if (answer->status >= 500 || strcmp(request->answer.type, "application/json") != 0)
        return true;
    return catalog_open(&catalog, request->server->config.world, request->server->config.home, CATALOG_EXISTING,
                        error) &&
           catalog_answer_put(catalog, answer, error);
}

static bool under_key(struct request *request, struct desk *desk, struct kept_answer *io,
                      void (*perform)(struct request *, struct desk *), GError **error)
{
    uint8_t digest[32];
    digest_of(request, digest);
    if (!catalog_answer(desk->catalog, desk->mem, io, error))
        return false;
    if (io->status) {
        answer_kept(request, io, digest);
        return true;
    }
    perform(request, desk);
    memcpy(io->request, digest, sizeof digest);
    g_autoptr(GError) unkept = NULL; /* it is done: an answer that cannot be kept is given all the same */
    keep(request, io, &unkept);
    return true;
}

bool once(struct request *request, struct desk *desk, void (*perform)(struct request *, struct desk *), GError **error)
{
    const char *key = request_header(request, "Idempotency-Key");
    if (!key) {
        perform(request, desk);
        return true;
    }
    if (!is_key(key))
        return error_set(error, SLUICE_ERROR_USAGE,
                         "Idempotency-Key: 1 to 64 of letters, digits, '-', '_' and '.' were expected");
    g_autofree char *mark = g_strdup_printf("%" G_GINT64_FORMAT " %s", request->who.token, key);
    struct kept_answer answer = {.token = request->who.token, .key = key};
    if (!enter(request->server, mark)) {
        conflict(request, "Idempotency-Key: the same request is at work; ask again in a moment");
        return true;
    }
    bool done = under_key(request, desk, &answer, perform, error);
    leave(request->server, mark);
    return done;
}
