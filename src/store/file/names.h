/* Inside store/file/: which files a dataset is. */
#pragma once

#include "base/file.h"
#include "record/path.h"
#include "store/file/format.h"

struct file_name {
    char *name; /* below the directory, with '/' between levels */
    char *path; /* to open it by */
    struct file_form form;
    struct world_stat stat;
};

/* A dataset's name is GLOB or GLOB#MEMBER: the records are the list that stands at that path in the object that each of
 * the files is. Only .json has members. A '#' of a file's name is written `[#]`. */
bool file_member(const char *dataset, struct path **ret /* NULL: none; the caller's */, GError **error);

/* The regular files below `dir` that are the dataset, sorted bytewise by name: a GPtrArray of struct file_name *, which
 * frees them. Names that begin with a dot match nothing. None is no error. REFUSED: a glob that leaves the directory; a
 * file that matches but whose name tells no form, or one that has no members; what matches and is no regular file. */
bool file_names(const struct world *world, const char *dir, const char *dataset, GPtrArray **ret, GError **error);

/* The same, but NOT_FOUND where nothing matches. */
bool file_names_some(const struct world *world, const char *dir, const char *dataset, GPtrArray **ret, GError **error);

/* The one file of that name, as an array of one. NOT_FOUND; REFUSED as above. */
bool file_names_one(const struct world *world, const char *dir, const char *name, GPtrArray **ret, GError **error);
