#include "store/place.h"

#include <stdlib.h>

/* What does not exist yet keeps its name below what does. */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    if (real) {
        char *copy = g_strdup(real);
        free(real);
        return copy;
    }
    g_autofree char *parent = g_path_get_dirname(path);
    if (strcmp(parent, path) == 0)
        return g_strdup(path);
    g_autofree char *above = resolve(parent);
    g_autofree char *name = g_path_get_basename(path);
    return g_build_filename(above, name, NULL);
}

bool place_of(const struct store_config *config, char **ret, GError **error)
{
    const char *path = strchr(config->uri, ':') + 1;
    if (!*path)
        return error_set(error, SLUICE_ERROR_USAGE, "store '%s': expected a path after the colon", config->uri);
    g_autofree char *full = g_canonicalize_filename(path, config->base_dir);
    *ret = resolve(full);
    return true;
}
