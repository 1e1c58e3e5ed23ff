#include "serve/who.h"

#include <string.h>

#include "base/lock.h"

/* --- roles and rights --------------------------------------------------------------------------------------------- */

const char *right_word(enum right right)
{
    static const char *const WORDS[RIGHT_COUNT] = {
#define RIGHT(symbol, word, words) [RIGHT_##symbol] = word,
#include "serve/right_rows.h"
#undef RIGHT
    };
    return WORDS[right];
}

static const struct {
    const char *word;
    uint32_t rights;
} ROLES[ROLE_COUNT + 1] = {
#define ROLE(symbol, word, rights, words) [ROLE_##symbol] = {word, rights},
#include "serve/right_rows.h"
#undef ROLE
    [ROLE_COUNT] = {"none", 0},
};

const char *role_word(enum role role)
{
    return ROLES[role].word;
}

bool role_find(const char *word, enum role *ret, GError **error)
{
    g_autoptr(GString) all = g_string_new(NULL);
    for (int i = 0; i <= ROLE_COUNT; i++) {
        if (word && strcmp(ROLES[i].word, word) == 0) {
            *ret = (enum role)i;
            return true;
        }
        g_string_append_printf(all, "%s%s", i ? ", " : "", ROLES[i].word);
    }
    return error_set(error, SLUICE_ERROR_USAGE, "%s%s: one of %s was expected", word ? "" : "no role is named",
                     word ? word : "", all->str);
}

void who_done(struct who *who)
{
    g_free(who->name);
    g_free(who->only);
    g_free(who->groups);
    g_clear_pointer(&who->chain, g_ptr_array_unref);
    *who = (struct who){.role = ROLE_COUNT};
}

char *who_actor(const struct who *who)
{
    return g_strconcat(who->name, who->by_certificate ? "@certificate" : "@token", NULL);
}

bool who_may(const struct who *who, enum right right)
{
    return right == RIGHT_OPEN || (ROLES[who->role].rights & (UINT32_C(1) << right)) != 0;
}

bool who_sees(const struct who *who, const char *spec_name)
{
    g_auto(GStrv) patterns = who->only ? g_strsplit(who->only, " ", -1) : NULL;
    bool sees = patterns == NULL;
    for (size_t i = 0; patterns && patterns[i]; i++)
        sees |= *patterns[i] && g_pattern_match_simple(patterns[i], spec_name);
    return sees;
}

bool who_sees_run(const struct who *who, const char *run)
{
    const char *dot = run ? strrchr(run, '.') : NULL;
    g_autofree char *spec = dot ? g_strndup(run, (size_t)(dot - run)) : g_strdup(run);
    return !who->only || (spec && who_sees(who, spec));
}

/* --- tokens ------------------------------------------------------------------------------------------------------- */

struct tokens {
    const struct world *world;
    pthread_mutex_t lock; /* the list */
    struct arena *mem;    /* what `rows` lives in */
    struct token_row *rows;
    size_t n;
};

struct tokens *tokens_new(const struct world *world)
{
    struct tokens *tokens = g_new0(struct tokens, 1);
    tokens->world = world;
    tokens->mem = arena_new(1 << 20);
    pthread_mutex_init(&tokens->lock, NULL);
    return tokens;
}

void tokens_free(struct tokens *tokens)
{
    if (!tokens)
        return;
    pthread_mutex_destroy(&tokens->lock);
    arena_free(tokens->mem);
    g_free(tokens);
}

bool tokens_refresh(struct tokens *tokens, struct catalog *catalog, GError **error)
{
    struct arena *mem = arena_new(16 << 20);
    struct token_row *rows;
    size_t n;
    bool read = catalog_tokens(catalog, mem, &rows, &n, error);
    if (read) {
        auto_hold(&tokens->lock);
        struct arena *old = tokens->mem;
        tokens->mem = mem;
        tokens->rows = rows;
        tokens->n = n;
        mem = old;
    }
    arena_free(mem);
    return read;
}

static bool stands(const struct tokens *tokens, const struct token_row *row)
{
    return row->revoked_ms == 0 && (row->expires_ms == 0 || row->expires_ms > world_wall_ms(tokens->world));
}

bool tokens_any(struct tokens *tokens)
{
    auto_hold(&tokens->lock);
    for (size_t i = 0; i < tokens->n; i++)
        if (stands(tokens, &tokens->rows[i]))
            return true;
    return false;
}

static bool same(const uint8_t *a, const uint8_t *b)
{
    unsigned differ = 0;
    for (size_t i = 0; i < 32; i++)
        differ |= (unsigned)(a[i] ^ b[i]);
    return differ == 0;
}

static void take(const struct tokens *tokens, const struct token_row *row, struct who *io)
{
    g_free(io->name); /* of another one of its names, which does not stand */
    io->name = g_strdup(row->name);
    if (!stands(tokens, row) || !role_find(row->role, &io->role, NULL))
        return;
    io->token = row->id;
    io->only = g_strdup(row->only);
    io->groups = g_strdup(row->groups);
    io->expires_ms = row->expires_ms;
}

void tokens_look(struct tokens *tokens, const char *text, struct who *io)
{
    uint8_t digest[32];
    const struct token_row *found = NULL;
    access_digest(text, digest);
    auto_hold(&tokens->lock);
    for (size_t i = 0; i < tokens->n; i++)
        found = same(digest, tokens->rows[i].digest) ? &tokens->rows[i] : found;
    if (found)
        take(tokens, found, io);
}

/* A name is no secret. The newest token of it: one before it was revoked, or has expired. */
void tokens_look_certificate(struct tokens *tokens, const char *name, struct who *io)
{
    const struct token_row *found = NULL;
    auto_hold(&tokens->lock);
    for (size_t i = 0; i < tokens->n; i++)
        found = g_strcmp0(tokens->rows[i].certificate, name) == 0 ? &tokens->rows[i] : found;
    if (found)
        take(tokens, found, io);
}

bool tokens_stands(struct tokens *tokens, int64_t id)
{
    auto_hold(&tokens->lock);
    for (size_t i = 0; i < tokens->n; i++)
        if (tokens->rows[i].id == id)
            return stands(tokens, &tokens->rows[i]);
    return false;
}
