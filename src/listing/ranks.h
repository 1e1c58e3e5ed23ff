/* Ranked keys (listing.h): how they are made of keys. */
#pragma once

#include "listing/listing.h"

/* Puts its rank before each of the keys, in `mem`; nothing where the driver has no ranks. TOO_BIG: they do not fit. */
bool ranks_put(const struct store_driver *driver, const struct dataset *ds, struct slice *io_keys, size_t n,
               struct arena *mem, GError **error);
/* For qsort() and g_array_sort(), of struct slice. */
int ranks_compare(const void *a, const void *b);
