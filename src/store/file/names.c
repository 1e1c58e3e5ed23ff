#include "store/file/names.h"

#include <fnmatch.h>

struct search {
    const struct world *world;
    const char *dir;
    bool member; /* of the files' objects is wanted */
    GPtrArray *found;
};

static void file_name_free(void *data)
{
    struct file_name *file = data;
    g_free(file->name);
    g_free(file->path);
    g_free(file);
}

static bool file_found(struct search *search, char *name /* taken */, const struct world_stat *stat, GError **error)
{
    struct file_name *file = g_new0(struct file_name, 1);
    file->name = name;
    file->path = g_build_filename(search->dir, name, NULL);
    file->stat = *stat;
    g_ptr_array_add(search->found, file);
    if (!stat->regular)
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s: not a regular file; expected one there, or a dataset that leaves it out", file->path);
    if (!file_form_of(name, &file->form, NULL))
        return error_set(error, SLUICE_ERROR_REFUSED,
                         "%s: its name does not tell what it holds; expected %s, or a dataset that leaves it out",
                         file->path, file_form_words);
    return !search->member || file->form.format == FORMAT_JSON ||
           error_set(error, SLUICE_ERROR_REFUSED,
                     "%s: only a .json file is an object with a member that holds the records; leave '#…' out of the "
                     "dataset, or this file",
                     file->path);
}

/* What matches the first level of `levels` within `below` ("" or "a/b/"). */
static bool search_level(struct search *search, const char *below, char **levels, GError **error)
{
    g_autofree char *dir = g_build_filename(search->dir, below, NULL);
    g_autoptr(GPtrArray) entries = NULL;
    if (!file_list(search->world, dir, &entries, error))
        return false;
    for (size_t i = 0; i < entries->len; i++) {
        const char *entry = entries->pdata[i];
        if (fnmatch(levels[0], entry, FNM_PERIOD | FNM_PATHNAME) != 0)
            continue;
        g_autofree char *path = g_build_filename(dir, entry, NULL);
        struct world_stat stat;
        if (!file_stat_path(search->world, path, &stat, error))
            return false;
        g_autofree char *name = g_strconcat(below, entry, levels[1] ? "/" : NULL, NULL);
        if (levels[1] && stat.directory && !search_level(search, name, levels + 1, error))
            return false;
        if (!levels[1] && !file_found(search, g_steal_pointer(&name), &stat, error))
            return false;
    }
    return true;
}

static bool glob_check(const char *glob, char **levels, GError **error)
{
    for (size_t i = 0; levels[i]; i++) {
        if (levels[i][0] == '\0' || strcmp(levels[i], ".") == 0 || strcmp(levels[i], "..") == 0)
            return error_set(error, SLUICE_ERROR_REFUSED,
                             "the dataset '%s' leaves its directory, or has an empty level; expected names below it",
                             glob);
        if (strstr(levels[i], "**"))
            return error_set(error, SLUICE_ERROR_REFUSED,
                             "the dataset '%s' holds '**', which is not known; write a level as '*' for each directory",
                             glob);
    }
    return levels[0] ||
           error_set(error, SLUICE_ERROR_REFUSED, "the dataset is empty; expected a glob such as *.ndjson");
}

static int by_name(const void *left, const void *right)
{
    const struct file_name *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

/* Where the glob ends. */
static size_t glob_len(const char *dataset)
{
    const char *at = dataset;
    while ((at = strchr(at, '#')) && at > dataset && at[-1] == '[')
        at++;
    return at ? (size_t)(at - dataset) : strlen(dataset);
}

bool file_member(const char *dataset, struct path **ret, GError **error)
{
    size_t len = glob_len(dataset);
    struct path *member = NULL;
    if (dataset[len] == '#' && !path_parse(&member, dataset + len + 1, error))
        return error_add(error, "the dataset '%s': behind the '#'", dataset);
    *ret = member;
    return true;
}

bool file_names(const struct world *world, const char *dir, const char *dataset, GPtrArray **ret, GError **error)
{
    g_autofree char *glob = g_strndup(dataset, glob_len(dataset));
    g_auto(GStrv) levels = g_strsplit(glob, "/", -1);
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(file_name_free);
    struct search search = {.world = world, .dir = dir, .member = dataset[strlen(glob)] != '\0', .found = found};
    if (!glob_check(glob, levels, error) || !search_level(&search, "", levels, error))
        return false;
    g_ptr_array_sort(found, by_name);
    *ret = g_steal_pointer(&found);
    return true;
}

bool file_names_one(const struct world *world, const char *dir, const char *name, GPtrArray **ret, GError **error)
{
    g_autofree char *path = g_build_filename(dir, name, NULL);
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(file_name_free);
    struct search search = {.world = world, .dir = dir, .found = found};
    struct world_stat stat;
    if (!file_stat_path(world, path, &stat, error) || !file_found(&search, g_strdup(name), &stat, error))
        return false;
    *ret = g_steal_pointer(&found);
    return true;
}

bool file_names_some(const struct world *world, const char *dir, const char *dataset, GPtrArray **ret, GError **error)
{
    g_autoptr(GPtrArray) found = NULL;
    if (!file_names(world, dir, dataset, &found, error))
        return false;
    if (found->len == 0)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "%s: no file there matches the dataset '%s'", dir, dataset);
    *ret = g_steal_pointer(&found);
    return true;
}
