/* Who may ask over the network, and what was done for them: tokens, errands, answers by their idempotency keys.
 *
 * Of a token the catalog keeps the digest, never the text. */
#pragma once

#include "catalog/catalog.h"

/* --- tokens ------------------------------------------------------------------------------------------------------ */

#define ACCESS_CERTIFICATE_LONGEST 200 /* bytes of its name */
struct token_row {
    int64_t id;
    const char *name;        /* who acts with it: stands in the ledger as NAME@token */
    const char *role;        /* a word of serve/right_rows.h */
    const char *only;        /* names of specs with *, a blank between; NULL: all */
    const char *groups;      /* that the person counts as being in, a blank between; NULL: none */
    const char *author;      /* who made it */
    const char *certificate; /* a name of the client certificate that is it; NULL: it is a secret text */
    uint8_t digest[32];      /* of a certificate: of a text that nobody was told */
    int64_t made_ms, expires_ms, revoked_ms; /* 0: never, not */
};

/* BLAKE2b-256 of a token's text: it is as random as a key, so that one pass is enough. */
void access_digest(const char *text, uint8_t ret[32]);
/* A new one: `sluice_` and 64 hex digits; the caller frees, and shows it once. */
char *access_token(const struct world *world);

/* With its ledger entry (`token-created`), in one transaction. REFUSED where one of this name, or of
 * this certificate, stands. */
bool catalog_token_add(struct catalog *catalog, const struct token_row *token, const struct act *act, GError **error);
/* All of them, the revoked too, oldest first. */
bool catalog_tokens(struct catalog *catalog, struct arena *mem, struct token_row **ret, size_t *ret_n, GError **error);
/* With its ledger entry (`token-revoked`). NOT_FOUND where none of this name stands. */
bool catalog_token_revoke(struct catalog *catalog, const char *name, const struct act *act, GError **error);

/* --- errands: a command that the server starts for somebody, in a process of its own ---------------------------- */

/* That process acts as who asked. It says the errand's id, which is random and good once: so nobody who cannot write
 * the catalog acts in somebody else's name. */
struct errand {
    const char *command, *run; /* it is good for this alone */
    const char *actor;         /* as the ledger will have it */
    const char *user, *groups; /* whose rights are looked at; groups with a blank between, NULL: none */
};
#define ERRAND_BYTES 16
bool catalog_errand_add(struct catalog *catalog, const struct errand *errand, uint8_t ret_id[ERRAND_BYTES],
                        GError **error);
/* NOT_PERMITTED where there is none, or where it was taken before. */
bool catalog_errand_take(struct catalog *catalog, const uint8_t id[ERRAND_BYTES], struct arena *mem, struct errand *ret,
                         GError **error);

/* --- answers: an action that is asked for again with the same key is done once ------------------------------------ */

struct kept_answer {
    int64_t token; /* its id; 0: nobody's */
    const char *key;
    uint8_t request[32]; /* digest of what was asked */
    uint32_t status;     /* 0: there is none */
    const char *body;
};
#define KEPT_ANSWER_MS (INT64_C(24) * 3600 * 1000)
/* io->token and key are given; io->status 0: nothing is kept. */
bool catalog_answer(struct catalog *catalog, struct arena *mem, struct kept_answer *io, GError **error);
/* Keeps it, and forgets those that are older than a day. */
bool catalog_answer_put(struct catalog *catalog, const struct kept_answer *answer, GError **error);
