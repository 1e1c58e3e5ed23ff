/* Runs a fuzz target once over every file of its corpus: `replay_NAME corpus/NAME`. One TAP test. */
#include <glib.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "fuzz.h"

static bool replay(const char *path)
{
    char *data;
    size_t len;
    g_autoptr(GError) error = NULL;
    if (!g_file_get_contents(path, &data, &len, &error)) {
        printf("# %s\n", error->message);
        return false;
    }
    /* On the heap and exactly as long, so that the sanitizer sees the first byte behind it. */
    g_autofree uint8_t *exact = g_memdup2(data, len);
    g_free(data);
    LLVMFuzzerTestOneInput(exact, len);
    return true;
}

/* The number of files replayed; a file that cannot be read makes *ok false. */
static unsigned replay_all(const char *dir, bool *ok)
{
    unsigned count = 0;
    g_autoptr(GError) error = NULL;
    GDir *entries = g_dir_open(dir, 0, &error);
    *ok = entries != NULL;
    if (!entries) {
        printf("# %s\n", error->message);
        return 0;
    }
    for (const char *name; (name = g_dir_read_name(entries)); count++) {
        g_autofree char *path = g_build_filename(dir, name, NULL);
        *ok = replay(path) && *ok;
    }
    g_dir_close(entries);
    return count;
}

int main(int argc, char **argv)
{
    bool ok = false;
    unsigned count = argc == 2 ? replay_all(argv[1], &ok) : 0;
    ok = ok && count > 0;
    printf("1..1\n%s 1 - %u inputs of %s\n", ok ? "ok" : "not ok", count, argc == 2 ? argv[1] : "no corpus");
    return ok ? 0 : 1;
}
