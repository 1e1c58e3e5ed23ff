/* A body that is packed by gzip, for whom that is nothing. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Whether an Accept-Encoding takes gzip: named or by `*`, and not with q=0. NULL, for one that says nothing: no. */
bool unpacked_takes_gzip(const char *accepts);

/* What is packed in one member of gzip; NULL: it is none. */
GBytes *unpacked_of(const void *bytes, size_t n);
