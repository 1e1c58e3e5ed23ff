/* Inside store/file/: a whole text as one gzip member or zstd frame. */
#pragma once

#include "base/error.h"
#include "base/slice.h"
#include "store/file/format.h"

/* Appends to `into`. PACKING_NONE: the text itself. */
bool file_pack(enum file_packing packing, struct slice text, GByteArray *into, GError **error);
