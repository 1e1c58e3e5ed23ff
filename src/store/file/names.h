/* Inside store/file/: which files a dataset is. */
#pragma once

#include "base/file.h"
#include "store/file/format.h"

struct file_name {
    char *name; /* below the directory, with '/' between levels */
    char *path; /* to open it by */
    struct file_form form;
    struct world_stat stat;
};

/* The regular files below `dir` that match the glob, sorted bytewise by name: a GPtrArray of struct file_name *, which
 * frees them. Names that begin with a dot match nothing. None is no error. REFUSED: a glob that leaves the directory,
 * or a file that matches but whose name tells no form. */
bool file_names(const struct world *world, const char *dir, const char *glob, GPtrArray **ret, GError **error);

/* The same, but NOT_FOUND where nothing matches. */
bool file_names_some(const struct world *world, const char *dir, const char *glob, GPtrArray **ret, GError **error);
