/* Where a URI of the form SCHEME:PATH leads. */
#pragma once

#include "store/store.h"

/* The path, absolute (a relative one is relative to config->base_dir, or to the working directory), with the symbolic
 * links resolved of as much of it as exists: one text for every way to write it. An empty path is USAGE. */
bool place_of(const struct store_config *config, char **ret, GError **error);
