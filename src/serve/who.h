/* Who asks, and what they may: roles and rights (right_rows.h), tokens by their digests. */
#pragma once

#include "base/world.h"
#include "catalog/access.h"

enum right {
#define RIGHT(symbol, word, words) RIGHT_##symbol,
#include "serve/right_rows.h"
#undef RIGHT
    RIGHT_COUNT
};
#define RIGHT_BIT(symbol) (UINT32_C(1) << RIGHT_##symbol)
const char *right_word(enum right right);

enum role {
#define ROLE(symbol, word, rights, words) ROLE_##symbol,
#include "serve/right_rows.h"
#undef ROLE
    ROLE_COUNT /* none */
};
const char *role_word(enum role role); /* ROLE_COUNT: "none" */
/* USAGE names the roles. "none" is ROLE_COUNT. */
bool role_find(const char *word, enum role *ret, GError **error);

/* Whoever a request comes from. Its texts are its own. */
struct who {
    int64_t token;       /* its id; 0: none that stands was shown */
    enum role role;      /* ROLE_COUNT: may do nothing */
    bool shown;          /* a token was shown, whether it stands or not */
    bool by_header;      /* … in a header that no other page can make a browser send */
    bool by_certificate; /* what was shown is one */
    char *name;          /* NULL: nobody known */
    char *only;          /* names of specs with *, a blank between; NULL: all */
    char *groups;        /* NULL */
    int64_t expires_ms;  /* 0: never */
    GPtrArray *chain;    /* by_certificate, where lists of revoked ones are kept: GBytes, the own one first; NULL */
};
void who_done(struct who *who);
/* As the ledger has it: NAME@token, NAME@certificate; the caller frees. */
char *who_actor(const struct who *who);
bool who_may(const struct who *who, enum right right);
bool who_sees(const struct who *who, const char *spec_name);
/* The same of NAME.N. */
bool who_sees_run(const struct who *who, const char *run);

/* The tokens that stand, as they were when somebody looked last. Its lock guards the list; rank: a leaf. */
struct tokens;
struct tokens *tokens_new(const struct world *world);
void tokens_free(struct tokens *tokens);
AUTO_DEFINE(tokens, tokens_free)
bool tokens_refresh(struct tokens *tokens, struct catalog *catalog, GError **error);
bool tokens_any(struct tokens *tokens);
/* Whose token the text is: io->token stays 0 where it is nobody's, has expired or was revoked; in io->name then is who
 * it was, where that is known. Every token is compared, in the same time whichever it is. */
void tokens_look(struct tokens *tokens, const char *text, struct who *io);
/* The same of a name of a certificate that is trusted. */
void tokens_look_certificate(struct tokens *tokens, const char *name, struct who *io);
/* Whether the token still stands. */
bool tokens_stands(struct tokens *tokens, int64_t id);
