/* Tokens, errands, kept answers. */
#include "catalog/access.h"

#include <sodium.h>

#include "base/hex.h"
#include "catalog/inside.h"

#define TOKEN_PREFIX "sluice_"

/* --- tokens ------------------------------------------------------------------------------------------------------- */

void access_digest(const char *text, uint8_t ret[32])
{
    crypto_generichash(ret, 32, (const uint8_t *)text, strlen(text), NULL, 0);
}

char *access_token(const struct world *world)
{
    uint8_t random[32];
    char hex[HEX_TEXT(sizeof random)];
    world_random(world, random, sizeof random);
    return g_strconcat(TOKEN_PREFIX, hex_text(random, sizeof random, hex), NULL);
}

static void token_columns(struct query *query, struct arena *mem, struct token_row *ret)
{
    ret->id = query_i64(query);
    ret->name = query_text(query, mem);
    ret->role = query_text(query, mem);
    ret->only = query_text(query, mem);
    ret->groups = query_text(query, mem);
    ret->author = query_text(query, mem);
    query_fixed(query, ret->digest, sizeof ret->digest);
    ret->made_ms = query_i64(query);
    ret->expires_ms = query_i64(query);
    ret->revoked_ms = query_i64(query);
    ret->certificate = query_text(query, mem);
}

bool catalog_tokens(struct catalog *catalog, struct arena *mem, struct token_row **ret, size_t *ret_n, GError **error)
{
    bool row, ok;
    struct rows tokens = {.size = sizeof(struct token_row)};
    auto_(query) query = query_of(catalog->db, SQL_TOKENS);
    while ((ok = query_row(query, &row, error)) && row) {
        struct token_row *token = rows_add(&tokens, mem, error);
        if (!token)
            return false;
        token_columns(query, mem, token);
        if (!query_ok(query, error))
            return false;
    }
    *ret = tokens.at;
    *ret_n = tokens.n;
    return ok;
}

static bool note_token(struct catalog *catalog, const char *action, const struct token_row *token,
                       const struct act *act, GError **error)
{
    json_t *object = json_pack("{s:o, s:o, s:o, s:o, s:I, s:s*}", "token", ledger_json_text(token->name), "role",
                               ledger_json_text(token->role), "only", ledger_json_text(token->only), "groups",
                               ledger_json_text(token->groups), "expires_ms", (json_int_t)token->expires_ms,
                               "certificate", token->certificate);
    char *details = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    struct ledger_entry entry = {.actor = act->actor, .action = action, .reason = act->reason, .details = details};
    bool ok = ledger_add(catalog, &entry, error);
    free(details);
    json_decref(object);
    return ok;
}

/* One of the name, or (NULL: none) of the certificate. */
static bool token_stands(struct catalog *catalog, const char *name, const char *certificate, struct arena *mem,
                         struct token_row *ret, GError **error)
{
    struct token_row *tokens;
    size_t n;
    int64_t now_ms = world_wall_ms(catalog->world);
    *ret = (struct token_row){0};
    if (!catalog_tokens(catalog, mem, &tokens, &n, error))
        return false;
    for (size_t i = 0; i < n; i++)
        if ((strcmp(tokens[i].name, name) == 0 ||
             (certificate && g_strcmp0(tokens[i].certificate, certificate) == 0)) &&
            tokens[i].revoked_ms == 0 && (tokens[i].expires_ms == 0 || tokens[i].expires_ms > now_ms))
            *ret = tokens[i];
    return true;
}

static bool token_insert(struct catalog *catalog, const struct token_row *token, GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_TOKEN_NEW);
    query_put_text(query, token->name);
    query_put_text(query, token->role);
    query_put_text(query, token->only);
    query_put_text(query, token->groups);
    query_put_text(query, token->author);
    query_put_bytes(query, slice_of(token->digest, sizeof token->digest));
    query_put_i64(query, token->made_ms);
    query_put_i64(query, token->expires_ms);
    query_put_text(query, token->certificate);
    return query_run(query, error);
}

static bool token_add(struct catalog *catalog, const struct token_row *token, const struct act *act, GError **error)
{
    struct token_row stands;
    auto_(arena) mem = arena_new(16 << 20);
    if (!token_stands(catalog, token->name, token->certificate, mem, &stands, error))
        return false;
    if (stands.id)
        return error_set(
            error, SLUICE_ERROR_REFUSED, "there is a token of %s already, made by %s; `sluice token revoke %s` first",
            strcmp(stands.name, token->name) == 0 ? token->name : token->certificate, stands.author, stands.name);
    return token_insert(catalog, token, error) && note_token(catalog, "token-created", token, act, error);
}

bool catalog_token_add(struct catalog *catalog, const struct token_row *token, const struct act *act, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, token_add(catalog, token, act, error), error);
}

static bool token_revoke(struct catalog *catalog, const char *name, const struct act *act, GError **error)
{
    struct token_row stands;
    auto_(arena) mem = arena_new(16 << 20);
    if (!token_stands(catalog, name, NULL, mem, &stands, error))
        return false;
    if (!stands.id)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "there is no token of %s that stands; `sluice token list`",
                         name);
    auto_(query) query = query_of(catalog->db, SQL_TOKEN_REVOKE);
    query_put_i64(query, stands.id);
    query_put_i64(query, world_wall_ms(catalog->world));
    return query_run(query, error) && note_token(catalog, "token-revoked", &stands, act, error);
}

bool catalog_token_revoke(struct catalog *catalog, const char *name, const struct act *act, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, token_revoke(catalog, name, act, error), error);
}

/* --- errands ------------------------------------------------------------------------------------------------------ */

bool catalog_errand_add(struct catalog *catalog, const struct errand *errand, uint8_t ret_id[ERRAND_BYTES],
                        GError **error)
{
    auto_(query) query = query_of(catalog->db, SQL_ERRAND_NEW);
    world_random(catalog->world, ret_id, ERRAND_BYTES);
    query_put_bytes(query, slice_of(ret_id, ERRAND_BYTES));
    query_put_i64(query, world_wall_ms(catalog->world));
    query_put_text(query, errand->command);
    query_put_text(query, errand->run);
    query_put_text(query, errand->actor);
    query_put_text(query, errand->user);
    query_put_text(query, errand->groups);
    return query_run(query, error);
}

static bool errand_take(struct catalog *catalog, struct slice id, struct arena *mem, struct errand *ret, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_ERRAND);
    auto_(query) taken = query_of(catalog->db, SQL_ERRAND_TAKEN);
    query_put_bytes(query, id);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED,
                         "nobody has sent this process, or somebody else was faster: ask the server again");
    ret->command = query_text(query, mem);
    ret->run = query_text(query, mem);
    ret->actor = query_text(query, mem);
    ret->user = query_text(query, mem);
    ret->groups = query_text(query, mem);
    query_put_bytes(taken, id);
    query_put_i64(taken, world_wall_ms(catalog->world));
    return query_ok(query, error) && query_run(taken, error);
}

bool catalog_errand_take(struct catalog *catalog, const uint8_t id[ERRAND_BYTES], struct arena *mem, struct errand *ret,
                         GError **error)
{
    return db_begin(catalog->db, error) &&
           db_end(catalog->db, errand_take(catalog, slice_of(id, ERRAND_BYTES), mem, ret, error), error);
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

bool catalog_answer(struct catalog *catalog, struct arena *mem, struct kept_answer *io, GError **error)
{
    bool row;
    auto_(query) query = query_of(catalog->db, SQL_ANSWER);
    io->status = 0;
    query_put_i64(query, io->token);
    query_put_text(query, io->key);
    query_put_i64(query, world_wall_ms(catalog->world) - KEPT_ANSWER_MS);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return true;
    query_fixed(query, io->request, sizeof io->request);
    io->status = query_u32(query);
    io->body = query_text(query, mem);
    return query_ok(query, error);
}

static bool answer_put(struct catalog *catalog, const struct kept_answer *answer, GError **error)
{
    int64_t now_ms = world_wall_ms(catalog->world);
    auto_(query) old = query_of(catalog->db, SQL_ANSWERS_OLD);
    query_put_i64(old, now_ms - KEPT_ANSWER_MS);
    if (!query_run(old, error))
        return false;
    auto_(query) query = query_of(catalog->db, SQL_ANSWER_PUT);
    query_put_i64(query, answer->token);
    query_put_text(query, answer->key);
    query_put_bytes(query, slice_of(answer->request, sizeof answer->request));
    query_put_i64(query, now_ms);
    query_put_i64(query, answer->status);
    query_put_text(query, answer->body);
    return query_run(query, error);
}

bool catalog_answer_put(struct catalog *catalog, const struct kept_answer *answer, GError **error)
{
    return db_begin(catalog->db, error) && db_end(catalog->db, answer_put(catalog, answer, error), error);
}
