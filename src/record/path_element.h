/* Inside record/: where a path leads, as an element. */
#pragma once

#include "record/element.h"
#include "record/path.h"

bool path_element(const struct path *path, struct slice document, struct element *ret);
