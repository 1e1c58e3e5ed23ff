/* Documents for tests. */
#pragma once

#include "kit/kit.h"
#include "record/document.h"

/* Of JSON; empty: of none. */
static inline struct slice kit_document(const char *json, struct arena *mem)
{
    GError *error = NULL;
    struct slice document = SLICE_EMPTY;
    if (*json)
        kit_ok(document_from_json(slice_of_text(json), mem, &document, NULL, &error));
    return document;
}
