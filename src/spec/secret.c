#include "base/file.h"
#include "base/process.h"
#include "spec/spec_rows.h"

enum { SECRET_BYTES = 64 << 10 };
#define COMMAND_US (INT64_C(30) * 1000 * 1000)

/* ${KIND:ARGUMENT} at `at`, which begins with `${`. */
struct placeholder {
    char *kind, *argument;
    const char *behind;
};

static bool take_placeholder(const char *at, struct placeholder *ret)
{
    const char *end = strchr(at, '}'), *colon = strchr(at, ':');
    if (!end || !colon || colon > end || colon + 1 == end)
        return false;
    ret->kind = g_strndup(at + 2, (size_t)(colon - at - 2));
    ret->argument = g_strndup(colon + 1, (size_t)(end - colon - 1));
    ret->behind = end + 1;
    return true;
}

static void placeholder_done(struct placeholder *placeholder)
{
    g_free(placeholder->kind);
    g_free(placeholder->argument);
}

static bool from_environment(const struct world *world, const char *base_dir, const char *name, GString *into,
                             GError **error)
{
    const char *value = g_getenv(name);
    if (!value)
        return error_set(error, SLUICE_ERROR_SPEC, "${env:%s}: the environment has no such variable; set it", name);
    g_string_append(into, value);
    return true;
}

/* Without the newline that ends it; false: it is no text. */
static bool put_text(const char *text, size_t len, GString *into)
{
    if (len && text[len - 1] == '\n')
        len--;
    if (len && memchr(text, 0, len))
        return false;
    g_string_append_len(into, text, (gssize)len);
    return true;
}

static bool from_file(const struct world *world, const char *base_dir, const char *path, GString *into, GError **error)
{
    g_autofree char *resolved = g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(base_dir, path, NULL);
    g_autoptr(GBytes) bytes = NULL;
    if (!file_read_all(world, resolved, SECRET_BYTES, &bytes, error))
        return error_add(error, "${file:%s}", path);
    gsize len;
    const char *text = g_bytes_get_data(bytes, &len);
    return put_text(text, len, into) ||
           error_set(error, SLUICE_ERROR_SPEC, "${file:%s}: has a byte of zero; a secret is a text", path);
}

/* Neither what it prints nor what it is told stands in a message. */
static bool from_command(const struct world *world, const char *base_dir, const char *words, GString *into,
                         GError **error)
{
    const char *argv[] = {"/bin/sh", "-c", words, NULL};
    g_auto(GStrv) envp = g_get_environ();
    struct process_call call = {.argv = argv,
                                .envp = (const char *const *)envp,
                                .dir = base_dir,
                                .timeout_us = COMMAND_US,
                                .keep_bytes = SECRET_BYTES,
                                .mute = true};
    struct process_end end;
    bool ended = process_run(world, &call, &end, error);
    g_autofree char *printed = end.output;
    if (!ended)
        return error_add(error, "${command:%s}", words);
    if (end.status != 0)
        return error_set(error, SLUICE_ERROR_SPEC, "${command:%s}: it ended with %d", words, end.status);
    return (end.printed <= SECRET_BYTES && put_text(printed, end.output_len, into)) ||
           error_set(error, SLUICE_ERROR_SPEC, "${command:%s}: what it printed is no secret: too long, or not a text",
                     words);
}

static const struct secret_row {
    const char *kind;
    bool (*append)(const struct world *world, const char *base_dir, const char *argument, GString *into,
                   GError **error);
} rows[] = {
    {"env", from_environment},
    {"file", from_file},
    {"command", from_command},
};

static const struct secret_row *find_row(const char *kind)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (strcmp(rows[i].kind, kind) == 0)
            return &rows[i];
    return NULL;
}

bool spec_secret_check(const char *text, const char **ret_why)
{
    for (const char *at = strstr(text, "${"); at; at = strstr(at, "${")) {
        struct placeholder placeholder;
        if (!take_placeholder(at, &placeholder)) {
            *ret_why = "expected ${env:NAME}, ${file:PATH} or ${command:WORDS}, or ${NAME}, a param of the spec";
            return false;
        }
        bool known = find_row(placeholder.kind) != NULL;
        at = placeholder.behind;
        placeholder_done(&placeholder);
        if (!known) {
            *ret_why = "an unknown kind of secret; known are ${env:NAME}, ${file:PATH} and ${command:WORDS}";
            return false;
        }
    }
    return true;
}

bool spec_secret_expand(const struct world *world, const char *base_dir, const char *text, char **ret, GError **error)
{
    const char *why;
    if (!spec_secret_check(text, &why))
        return error_set(error, SLUICE_ERROR_SPEC, "%s", why);
    g_autoptr(GString) into = g_string_new(NULL);
    const char *from = text;
    for (const char *at = strstr(text, "${"); at; at = strstr(from, "${")) {
        struct placeholder placeholder;
        g_string_append_len(into, from, at - from);
        bool taken = take_placeholder(at, &placeholder);
        g_assert(taken); /* it was checked */
        from = placeholder.behind;
        const struct secret_row *row = find_row(placeholder.kind);
        g_assert(row);
        bool ok = row->append(world, base_dir, placeholder.argument, into, error);
        placeholder_done(&placeholder);
        if (!ok)
            return false;
    }
    g_string_append(into, from);
    *ret = g_string_free(g_steal_pointer(&into), FALSE);
    return true;
}
