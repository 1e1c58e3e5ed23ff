/* token: who may ask a server of this home. */
#include "base/units.h"
#include "catalog/access.h"
#include "cli/cli.h"
#include "serve/who.h"
#include "view/shape.h"

#define NAME_LONGEST 64

static const char NAME_LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

/* It stands in the ledger with an @ behind it, and in lists with blanks between. */
static bool is_name(const char *name, GError **error)
{
    size_t len = strlen(name);
    return (len > 0 && len <= NAME_LONGEST && strspn(name, NAME_LETTERS) == len) ||
           error_set(error, SLUICE_ERROR_USAGE, "'%s': 1 to %d letters, digits, '-', '_' and '.' were expected", name,
                     NAME_LONGEST);
}

/* With commas between, each a name or, where `more` allows it, a name with *; with blanks between in *ret. */
static bool words_of(const char *text, const char *more, char **ret, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text ? text : "", ",", -1);
    g_autofree char *letters = g_strconcat(NAME_LETTERS, more, NULL);
    for (size_t i = 0; words[i]; i++)
        if (!*words[i] || words[i][strspn(words[i], letters)])
            return error_set(error, SLUICE_ERROR_USAGE, "'%s': names with commas between were expected", text);
    *ret = text ? g_strjoinv(" ", words) : NULL;
    return true;
}

static bool expiry_of(struct cli *cli, struct token_row *io, GError **error)
{
    int64_t lasts_ms;
    io->made_ms = world_wall_ms(cli->world);
    if (!cli_has(cli, OPTION_EXPIRES))
        return true;
    if (!units_parse_duration_ms(cli->values[OPTION_EXPIRES], &lasts_ms, error))
        return error_add(error, "--expires");
    io->expires_ms = io->made_ms + lasts_ms;
    return lasts_ms > 0 || error_set(error, SLUICE_ERROR_USAGE, "--expires: some time was expected, such as 30d");
}

/* `text` NULL: it is a certificate. */
static void tell(struct cli *cli, const struct token_row *token, const char *text)
{
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "type", "token", "name", token->name, "role",
                                  token->role, "token", shape_text(text), "certificate", shape_text(token->certificate),
                                  "expires_at", token->expires_ms ? shape_time(token->expires_ms) : json_null()));
    else if (text)
        fprintf(cli->out, "%s\n", text);
    if (cli_has(cli, OPTION_JSON) || cli_has(cli, OPTION_QUIET))
        return;
    if (text)
        fprintf(cli->err, "this is the only time that it is shown\n");
    else
        fprintf(cli->err, "whoever shows the certificate of %s is %s\n", token->certificate, token->name);
}

static bool add(struct cli *cli, struct token_row *token, GError **error)
{
    auto_(catalog) catalog = NULL;
    g_autofree char *text = access_token(cli->world);
    struct act act = {.actor = cli->actor, .reason = cli->values[OPTION_REASON]};
    access_digest(text, token->digest);
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_CREATE, error) ||
        !catalog_token_add(catalog, token, &act, error))
        return false;
    tell(cli, token, token->certificate ? NULL : text);
    return true;
}

static bool certificate_of(struct cli *cli, struct token_row *io, GError **error)
{
    const char *name = cli->values[OPTION_CERTIFICATE];
    io->certificate = name;
    return !name || (*name && strlen(name) <= ACCESS_CERTIFICATE_LONGEST && g_utf8_validate(name, -1, NULL)) ||
           error_set(error, SLUICE_ERROR_USAGE, "--certificate: a name of 1 to %d bytes was expected",
                     ACCESS_CERTIFICATE_LONGEST);
}

static int token_create(struct cli *cli, GError **error)
{
    g_autofree char *only = NULL, *groups = NULL;
    enum role role;
    struct token_row token = {.name = cli->n_args > 1 ? cli->args[1] : "", .author = cli->actor};
    if (!is_name(token.name, error) || !expiry_of(cli, &token, error) || !certificate_of(cli, &token, error) ||
        !words_of(cli->values[OPTION_ONLY], "*", &only, error) ||
        !words_of(cli->values[OPTION_GROUPS], "", &groups, error))
        return -1;
    if (!role_find(cli->values[OPTION_ROLE], &role, error)) {
        error_add(error, "--role");
        return -1;
    }
    token.role = role_word(role);
    token.only = only;
    token.groups = groups;
    return add(cli, &token, error) ? 0 : -1;
}

static const char *standing(struct cli *cli, const struct token_row *token)
{
    bool over = token->expires_ms && token->expires_ms <= world_wall_ms(cli->world);
    return token->revoked_ms ? "revoked" : over ? "expired" : "stands";
}

static json_t *token_json(struct cli *cli, const struct token_row *token)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "name", token->name, "role", token->role,
                     "state", standing(cli, token), "only", shape_text(token->only), "groups",
                     shape_text(token->groups), "certificate", shape_text(token->certificate), "made_by", token->author,
                     "made_at", shape_time(token->made_ms), "expires_at",
                     token->expires_ms ? shape_time(token->expires_ms) : json_null(), "revoked_at",
                     token->revoked_ms ? shape_time(token->revoked_ms) : json_null());
}

static void list_text(struct cli *cli, const struct token_row *tokens, size_t n)
{
    static const char *const HEADS[] = {"NAME", "ROLE", "STATE", "ONLY", "EXPIRES", "MADE BY"};
    g_autoptr(GPtrArray) cells = g_ptr_array_new_with_free_func(g_free);
    char when[UNITS_TEXT];
    for (size_t i = 0; i < G_N_ELEMENTS(HEADS); i++)
        g_ptr_array_add(cells, g_strdup(HEADS[i]));
    for (size_t i = 0; i < n; i++) {
        const struct token_row *token = &tokens[i];
        g_ptr_array_add(cells, g_strdup(token->name));
        g_ptr_array_add(cells, g_strdup(token->role));
        g_ptr_array_add(cells, g_strdup(standing(cli, token)));
        g_ptr_array_add(cells, g_strdup(token->only ? token->only : "all"));
        g_ptr_array_add(cells, g_strdup(token->expires_ms ? units_time(token->expires_ms, when) : "never"));
        g_ptr_array_add(cells, g_strdup(token->author));
    }
    print_table(cli->out, (const char *const *)cells->pdata, G_N_ELEMENTS(HEADS), n + 1);
}

static int token_list(struct cli *cli, GError **error)
{
    auto_(catalog) catalog = NULL;
    auto_(arena) mem = arena_new(16 << 20);
    struct token_row *tokens;
    size_t n;
    if (!catalog_open(&catalog, cli->world, cli->home, CATALOG_READ_ONLY, error) ||
        !catalog_tokens(catalog, mem, &tokens, &n, error))
        return -1;
    if (!cli_has(cli, OPTION_JSON)) {
        list_text(cli, tokens, n);
        return 0;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, token_json(cli, &tokens[i]));
    print_json(cli, json_pack("{s:s, s:o}", "type", "tokens", "tokens", list));
    return 0;
}

static int token_revoke(struct cli *cli, GError **error)
{
    auto_(catalog) catalog = NULL;
    struct act act = {.actor = cli->actor, .reason = cli->values[OPTION_REASON]};
    const char *name = cli->n_args > 1 ? cli->args[1] : "";
    if (!is_name(name, error) || !catalog_open(&catalog, cli->world, cli->home, CATALOG_EXISTING, error) ||
        !catalog_token_revoke(catalog, name, &act, error))
        return -1;
    if (cli_has(cli, OPTION_JSON))
        print_json(cli, json_pack("{s:s, s:s}", "type", "token-revoked", "name", name));
    else if (!cli_has(cli, OPTION_QUIET))
        fprintf(cli->out, "the token of %s is worth nothing any more\n", name);
    return 0;
}

static const struct verb {
    const char *word;
    int (*call)(struct cli *cli, GError **error);
} VERBS[] = {{"create", token_create}, {"list", token_list}, {"revoke", token_revoke}};

int command_token(struct cli *cli, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(VERBS); i++)
        if (strcmp(cli->args[0], VERBS[i].word) == 0 && (cli->n_args == 2) == (VERBS[i].call != token_list))
            return VERBS[i].call(cli, error);
    error_set(error, SLUICE_ERROR_USAGE,
              "usage: sluice token create WHO --role ROLE, sluice token list, or sluice token revoke WHO");
    return -1;
}
