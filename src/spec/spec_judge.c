/* Who judges what was written, beside the verifier: which command, and which files that is. */
#include <sodium.h>

#include "base/file.h"
#include "spec/spec.h"

#define FILE_BYTES (64u << 20)

static bool is_asked(const struct spec_judge *judge)
{
    return judge->shell || judge->argv;
}

char *spec_judge_words(const struct spec_judge *judge)
{
    if (!is_asked(judge))
        return NULL;
    return judge->shell ? g_strdup(judge->shell) : g_strjoinv(" ", (char **)judge->argv);
}

/* The words of the command; of a text as a shell would part them. NULL: they cannot be parted. */
static char **words_of(const struct spec_judge *judge)
{
    char **words = NULL;
    if (judge->argv)
        return g_strdupv((char **)judge->argv);
    return g_shell_parse_argv(judge->shell, NULL, &words, NULL) ? words : NULL;
}

static bool wrong(const struct spec *spec, GError **error, const char *why)
{
    g_autofree char *place = spec_place(spec, "verify.command");
    return error_set(error, SLUICE_ERROR_SPEC, "%s: verify.command: %s", place, why);
}

/* Words that are no files say how it is called, and stand in the spec. */
static bool add_file(crypto_generichash_state *state, const struct world *world, const char *path, size_t *io_n,
                     GError **error)
{
    g_autoptr(GBytes) bytes = NULL;
    uint8_t digest[32];
    gsize len;
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return true;
    if (!file_read_all(world, path, FILE_BYTES, &bytes, error))
        return false;
    const void *data = g_bytes_get_data(bytes, &len);
    crypto_generichash(digest, sizeof digest, data, len, NULL, 0);
    crypto_generichash_update(state, digest, sizeof digest);
    ++*io_n;
    return true;
}

static bool add_files(crypto_generichash_state *state, const struct spec *spec, const struct world *world,
                      char *const *words, GError **error)
{
    size_t n = 0;
    for (size_t i = 0; words[i]; i++) {
        g_autofree char *path =
            g_path_is_absolute(words[i]) ? g_strdup(words[i]) : g_build_filename(spec->dir, words[i], NULL);
        bool program = i == 0 && strchr(words[i], '/');
        if (program && !g_file_test(path, G_FILE_TEST_EXISTS)) {
            g_autofree char *why =
                g_strdup_printf("there is no %s%s", words[i], g_path_is_absolute(words[i]) ? "" : " beside the spec");
            return wrong(spec, error, why);
        }
        if (!add_file(state, world, path, &n, error))
            return error_add(error, "verify.command");
    }
    return n > 0 || wrong(spec, error,
                          "it names no file by its path: a judge is known by the digest of its file, and by no other "
                          "name; write ./check, or [python3, check.py]");
}

bool spec_judge_digest(const struct spec *spec, const struct world *world, uint8_t ret[32], GError **error)
{
    crypto_generichash_state state;
    memset(ret, 0, 32);
    if (!is_asked(&spec->judge))
        return true;
    g_auto(GStrv) words = words_of(&spec->judge);
    if (!words || !words[0])
        return wrong(spec, error, "it cannot be parted into words as a shell does");
    crypto_generichash_init(&state, NULL, 0, 32);
    if (!add_files(&state, spec, world, words, error))
        return false;
    crypto_generichash_final(&state, ret, 32);
    return true;
}
