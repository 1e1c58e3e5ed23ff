/* `sample.STAGE`, `owners.STAGE`, `sketch.STAGE` and `progress` as lines of JSON. CORRUPT at the end where some of it
 * does not verify: the first place is named; the rest has been given, with a line for each place. */
#pragma once

#include "base/world.h"
#include "record/document.h"

bool sample_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error);
bool sketch_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error);
bool progress_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error);
bool owners_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error);
bool past_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error);
