/* Paths into documents: `address.zip`, `items.0.price`; a dot inside a name is written `\.`. */
#pragma once

#include "record/document.h"

struct path;

bool path_parse(struct path **ret, const char *text, GError **error); /* SPEC, with what was expected */
void path_free(struct path *path);
AUTO_DEFINE(path, path_free)
const char *path_text(const struct path *path);

/* The names it is made of, without their backslashes; they live as long as the path. */
size_t path_count(const struct path *path);
struct slice path_name(const struct path *path, size_t i);

/* Where the path leads in the document; false where nothing is there. No allocation. */
bool path_find(const struct path *path, struct slice document, bson_iter_t *ret);
