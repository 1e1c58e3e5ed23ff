#include "store/valkey/template.h"

#include "record/key.h"
#include "record/path.h"
#include "record/text.h"

/* Keys of sluice itself: fences, locks, hidden values. */
static const struct slice OWN = {(const uint8_t *)"sluice:", 7};

/* A step of a pattern: any number of bytes, or one byte out of a set. */
struct token {
    bool star;
    uint64_t set[4];
};

struct key_template {
    GString *glob;
    GArray *tokens;    /* of struct token: the glob's */
    GPtrArray *places; /* of char * */
    GPtrArray *texts;  /* of GString *: before, between and behind the places, one more than there are places */
};

static void text_free(gpointer text)
{
    g_string_free(text, TRUE);
}

static struct slice text_at(const struct key_template *template, size_t i)
{
    const GString *text = template->texts->pdata[i];
    return slice_of(text->str, text->len);
}

static const struct token *token_at(const struct key_template *template, size_t i)
{
    return &g_array_index(template->tokens, struct token, i);
}

/* --- a pattern's tokens ------------------------------------------------------------------------------------------- */

static void set_add(struct token *token, uint8_t byte)
{
    token->set[byte / 64] |= UINT64_C(1) << (byte % 64);
}

static bool set_has(const struct token *token, uint8_t byte)
{
    return token->set[byte / 64] >> (byte % 64) & 1;
}

static void set_invert(struct token *token)
{
    for (size_t i = 0; i < G_N_ELEMENTS(token->set); i++)
        token->set[i] = ~token->set[i];
}

static bool set_range(struct token *token, uint8_t from, uint8_t to)
{
    for (unsigned byte = MIN(from, to); byte <= MAX(from, to); byte++)
        set_add(token, (uint8_t)byte);
    return from < 0x80 && to < 0x80;
}

/* A class, read as the servers' stringmatchlen() does: `]` ends it wherever it stands but behind a backslash or as the
 * end of a range. Returns what follows it; NULL: it has no end. */
static const char *class_read(const char *at, struct token *ret, bool *ret_ascii)
{
    bool inverted = *at == '^';
    for (at += inverted; *at != ']'; at++) {
        if (*at == '\\' && at[1])
            set_add(ret, (uint8_t) * ++at);
        else if (*at && at[1] == '-' && at[2]) {
            *ret_ascii &= set_range(ret, (uint8_t)*at, (uint8_t)at[2]);
            at += 2;
        } else if (*at)
            set_add(ret, (uint8_t)*at);
        else
            return NULL;
    }
    if (inverted)
        set_invert(ret);
    return at + 1;
}

static const char *token_read(const char *at, struct token *ret, bool *ret_ascii)
{
    switch (*at) {
    case '*':
        ret->star = true;
        return at + 1;
    case '?':
        set_invert(ret);
        return at + 1;
    case '[':
        return class_read(at + 1, ret, ret_ascii);
    case '\\':
        at++;
        G_GNUC_FALLTHROUGH;
    default:
        set_add(ret, (uint8_t)*at);
        return at + 1;
    }
}

static bool read_tokens(struct key_template *template, GError **error)
{
    for (const char *at = template->glob->str; *at;) {
        struct token token = {0};
        bool ascii = true;
        const char *next = token_read(at, &token, &ascii);
        if (!next)
            return error_set(error, SLUICE_ERROR_SPEC, "the '[' at '%s' has no ']'; write \\[ for the character", at);
        if (!ascii)
            return error_set(error, SLUICE_ERROR_SPEC,
                             "the range in '%.*s' has an end that is not ASCII, which each server takes its own way",
                             (int)(next - at), at);
        g_array_append_val(template->tokens, token);
        at = next;
    }
    return true;
}

/* --- what a spec says --------------------------------------------------------------------------------------------- */

struct parse {
    struct key_template *into;
    GString *text; /* the one being read; the last of into->texts */
    const char *wild;
};

static void text_begin(struct parse *parse)
{
    parse->text = g_string_new(NULL);
    g_ptr_array_add(parse->into->texts, parse->text);
}

static bool place_add(struct parse *parse, char *name, GError **error)
{
    GPtrArray *places = parse->into->places;
    g_ptr_array_add(places, name);
    auto_(path) path = NULL;
    if (!path_parse(&path, name, error))
        return error_add(error, "the placeholder '{%s}'", name);
    if (places->len > 1 && parse->text->len == 0)
        return error_set(error, SLUICE_ERROR_SPEC,
                         "'{%s}' follows '{%s}' with nothing between them: where one ends could not be told", name,
                         (const char *)places->pdata[places->len - 2]);
    for (size_t i = 0; i + 1 < places->len; i++)
        if (g_str_equal(places->pdata[i], name))
            return error_set(error, SLUICE_ERROR_SPEC, "the placeholder '{%s}' stands twice", name);
    return true;
}

static bool place_read(struct parse *parse, const char **at, GError **error)
{
    const char *name = *at + 1, *end = strchr(name, '}');
    if (!end)
        return error_set(error, SLUICE_ERROR_SPEC, "the '{' at '%s' has no '}'; write {{ for the character", *at);
    if (end == name)
        return error_set(
            error, SLUICE_ERROR_SPEC,
            "'{}' names nothing; write the path of the document, such as {id}, or {{ }} for the characters");
    if (!place_add(parse, g_strndup(name, (size_t)(end - name)), error))
        return false;
    g_string_append_c(parse->into->glob, '*');
    text_begin(parse);
    *at = end + 1;
    return true;
}

/* One character, or one that is written as two. */
static bool character_read(struct parse *parse, const char **at, GError **error)
{
    char c = **at;
    bool escape = c == '\\', brace = c == '{' || c == '}', doubled = brace && (*at)[1] == c;
    if (escape && !(*at)[1])
        return error_set(error, SLUICE_ERROR_SPEC, "it ends with a '\\' that stands before nothing; write \\\\");
    if (brace && !doubled)
        return error_set(error, SLUICE_ERROR_SPEC, "the '}' at '%s' ends nothing; write }} for the character", *at);
    if (strchr("*?[", c) && !parse->wild)
        parse->wild = *at;
    if (escape)
        g_string_append_c(parse->into->glob, c);
    *at += escape || doubled;
    g_string_append_c(parse->into->glob, **at);
    g_string_append_c(parse->text, **at);
    ++*at;
    return true;
}

static bool only_own(const struct key_template *template)
{
    if (template->tokens->len < OWN.len)
        return false;
    for (size_t i = 0; i < OWN.len; i++) {
        struct token own = {0};
        set_add(&own, OWN.data[i]);
        if (memcmp(&own, token_at(template, i), sizeof own) != 0)
            return false;
    }
    return true;
}

static bool parse_all(struct parse *parse, const char *dataset, GError **error)
{
    text_begin(parse);
    for (const char *at = dataset; *at;)
        if (!(*at == '{' && at[1] != '{' ? place_read(parse, &at, error) : character_read(parse, &at, error)))
            return false;
    if (parse->into->places->len && parse->wild)
        return error_set(error, SLUICE_ERROR_SPEC,
                         "it has placeholders and, at '%s', a wildcard: it is a template or a glob; write \\%c for the "
                         "character",
                         parse->wild, *parse->wild);
    if (!read_tokens(parse->into, error))
        return false;
    if (parse->into->tokens->len == 0)
        return error_set(error, SLUICE_ERROR_SPEC, "it is empty; '*' means every key");
    if (only_own(parse->into))
        return error_set(error, SLUICE_ERROR_SPEC, "keys that begin with 'sluice:' are sluice's own, and no records");
    return true;
}

bool key_template_parse(struct key_template **ret, const char *dataset, GError **error)
{
    auto_(key_template) template = g_new0(struct key_template, 1);
    template->glob = g_string_new(NULL);
    template->tokens = g_array_new(FALSE, FALSE, sizeof(struct token));
    template->places = g_ptr_array_new_with_free_func(g_free);
    template->texts = g_ptr_array_new_with_free_func(text_free);
    struct parse parse = {.into = template};
    if (!parse_all(&parse, dataset, error))
        return error_add(error, "the dataset '%s'", dataset);
    *ret = g_steal_pointer(&template);
    return true;
}

bool valkey_name_is_template(const char *dataset)
{
    for (const char *at = dataset; *at; at++) {
        bool doubled = *at == '{' && at[1] == '{', escape = *at == '\\' && at[1];
        if (*at == '{' && !doubled)
            return true;
        at += doubled || escape;
    }
    return false;
}

void key_template_free(struct key_template *template)
{
    if (!template)
        return;
    g_string_free(template->glob, TRUE);
    g_array_unref(template->tokens);
    g_ptr_array_unref(template->places);
    g_ptr_array_unref(template->texts);
    g_free(template);
}

size_t key_template_places(const struct key_template *template)
{
    return template->places->len;
}

const char *key_template_place(const struct key_template *template, size_t i)
{
    g_assert(i < template->places->len);
    return template->places->pdata[i];
}

const char *key_template_glob(const struct key_template *template)
{
    return template->glob->str;
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

bool valkey_key_is_own(struct slice server)
{
    return server.len >= OWN.len && memcmp(server.data, OWN.data, OWN.len) == 0;
}

/* A star that did not take enough takes one more: only the last one needs it, all before it have taken the least. */
static bool glob_matches(const struct key_template *template, struct slice key)
{
    size_t n = template->tokens->len, at = 0, i = 0, star = SIZE_MAX, taken = 0;
    while (at < key.len) {
        if (i < n && token_at(template, i)->star) {
            star = i++;
            taken = at;
            if (i == n) /* the last one takes all the rest */
                return true;
        } else if (i < n && set_has(token_at(template, i), key.data[at])) {
            i++;
            at++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            at = ++taken;
        } else
            return false;
    }
    while (i < n && token_at(template, i)->star)
        i++;
    return i == n;
}

/* Takes the text from the head of *rest; what stands before it is *ret: the shortest. */
static bool cut_at(struct slice *rest, struct slice text, struct slice *ret)
{
    const uint8_t *at = rest->len ? memmem(rest->data, rest->len, text.data, text.len) : NULL;
    if (!at)
        return false;
    *ret = slice_of(rest->data, (size_t)(at - rest->data));
    *rest = slice_of(at + text.len, rest->len - ret->len - text.len);
    return true;
}

/* The only way in which a key is taken apart: every part but the last as short as can be. A template that has any way
 * to match a key has this one. The empty key has no place to take from, and may stand at no address. */
static bool take_apart(const struct key_template *template, struct slice server, struct slice *parts)
{
    size_t n = template->places->len;
    struct slice first = text_at(template, 0), last = text_at(template, n), rest = server;
    if (!rest.len || rest.len < first.len + last.len || memcmp(rest.data, first.data, first.len) != 0 ||
        memcmp(rest.data + rest.len - last.len, last.data, last.len) != 0)
        return false;
    rest = slice_of(rest.data + first.len, rest.len - first.len - last.len);
    for (size_t i = 0; i + 1 < n; i++)
        if (!cut_at(&rest, text_at(template, i + 1), &parts[i]))
            return false;
    parts[n - 1] = rest;
    return n > 1 || rest.len > 0;
}

static bool key_too_big(struct slice key, GError **error)
{
    char quoted[TEXT_QUOTE];
    return error_set(error, SLUICE_ERROR_TOO_BIG, "key '%s' does not fit into the memory of a batch",
                     text_quote(key, quoted));
}

static bool bad_key(struct slice key, const char *words, GError **error)
{
    char quoted[TEXT_QUOTE];
    return error_set(error, SLUICE_ERROR_BAD_RECORD, "key '%s' %s", text_quote(key, quoted), words);
}

static bool glue(const struct key_template *template, const struct slice *parts, struct arena *mem, struct slice *ret)
{
    size_t n = template->places->len, len = text_at(template, n).len;
    for (size_t i = 0; i < n; i++)
        len += text_at(template, i).len + parts[i].len;
    uint8_t *key = arena_alloc(mem, len), *at = key;
    if (!key)
        return false;
    for (size_t i = 0; i <= n; i++) {
        struct slice text = text_at(template, i);
        memcpy(at, text.data, text.len);
        at += text.len;
        if (i < n && parts[i].len)
            memcpy(at, parts[i].data, parts[i].len);
        at += i < n ? parts[i].len : 0;
    }
    *ret = slice_of(key, len);
    return true;
}

static bool parts_equal(const struct slice *a, const struct slice *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!slice_equal(a[i], b[i]))
            return false;
    return true;
}

static bool parts_of(const struct key_template *template, struct slice key, struct arena *mem, struct slice *parts,
                     GError **error)
{
    size_t n = template->places->len;
    if (n == 1) {
        parts[0] = key;
        return true;
    }
    return key_split(key, mem, parts, n, error);
}

static bool template_to_server(const struct key_template *template, struct slice key, struct arena *mem,
                               struct slice *ret, GError **error)
{
    size_t n = template->places->len;
    struct slice *parts = arena_alloc(mem, 2 * n * sizeof *parts), server;
    if (!parts)
        return key_too_big(key, error);
    if (!parts_of(template, key, mem, parts, error))
        return false;
    if (!glue(template, parts, mem, &server))
        return key_too_big(key, error);
    if (!take_apart(template, server, parts + n) || !parts_equal(parts, parts + n, n))
        return bad_key(server,
                       n == 1 ? "would be empty but for the text around the placeholder"
                              : "could be taken apart in another way: one of its parts holds the text that "
                                "stands between placeholders",
                       error);
    *ret = server;
    return true;
}

bool key_template_to_server(const struct key_template *template, struct slice key, struct arena *mem, struct slice *ret,
                            GError **error)
{
    struct slice server = key;
    if (template->places->len && !template_to_server(template, key, mem, &server, error))
        return false;
    if (valkey_key_is_own(server))
        return bad_key(server, "begins with 'sluice:', as only sluice's own keys do", error);
    if (template->places->len == 0 && !glob_matches(template, server)) {
        g_autofree char *words = g_strdup_printf("does not match '%s'", template->glob->str);
        return bad_key(server, words, error);
    }
    *ret = server;
    return true;
}

static bool template_from_server(const struct key_template *template, struct slice server, struct arena *mem,
                                 struct slice *ret, bool *ret_ours, GError **error)
{
    size_t n = template->places->len;
    struct slice one, *parts = n == 1 ? &one : arena_alloc(mem, n * sizeof *parts);
    if (!parts)
        return key_too_big(server, error);
    *ret_ours = take_apart(template, server, parts);
    if (!*ret_ours)
        return true;
    if (n == 1)
        *ret = one;
    return n == 1 || key_join(parts, n, mem, ret, error);
}

bool key_template_from_server(const struct key_template *template, struct slice server, struct arena *mem,
                              struct slice *ret, bool *ret_ours, GError **error)
{
    *ret_ours = false;
    if (valkey_key_is_own(server))
        return true;
    if (template->places->len)
        return template_from_server(template, server, mem, ret, ret_ours, error);
    *ret_ours = glob_matches(template, server);
    if (*ret_ours)
        *ret = server;
    return true;
}

/* --- two of them -------------------------------------------------------------------------------------------------- */

static bool sets_meet(const struct token *a, const struct token *b)
{
    for (size_t i = 0; i < G_N_ELEMENTS(a->set); i++)
        if (a->set[i] & b->set[i])
            return true;
    return false;
}

/* One row of the table of places (i, j) that a key can lead both patterns to at once; `here` is row i, `below` the
 * next. A star stands aside for nothing, and takes whatever the other one takes. */
static void walk_row(const struct key_template *a, const struct key_template *b, size_t i, bool *here, bool *below)
{
    const struct token *x = i < a->tokens->len ? token_at(a, i) : NULL;
    for (size_t j = 0; j <= b->tokens->len; j++) {
        const struct token *y = j < b->tokens->len ? token_at(b, j) : NULL;
        if (!here[j])
            continue;
        if (x && (x->star || (y && y->star)))
            below[j] = true;
        if (y && (y->star || (x && x->star)))
            here[j + 1] = true;
        if (x && y && !x->star && !y->star && sets_meet(x, y))
            below[j + 1] = true;
    }
}

bool key_template_overlap(const struct key_template *a, const struct key_template *b)
{
    size_t width = b->tokens->len + 1;
    g_autofree bool *here = g_new0(bool, width), *below = g_new0(bool, width);
    here[0] = true;
    for (size_t i = 0; i <= a->tokens->len; i++) {
        walk_row(a, b, i, here, below);
        if (i == a->tokens->len)
            break;
        memcpy(here, below, width * sizeof *here);
        memset(below, 0, width * sizeof *below);
    }
    return here[width - 1];
}
