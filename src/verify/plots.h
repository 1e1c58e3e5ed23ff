/* The profiles of both sides, on the page of a verification: a row a field and, as inline SVG, how its values lie
 * before and after. No script; everything from records is escaped by page_escape(). */
#pragma once

#include "profile/fields.h"

/* `fields` of struct profile_shift. */
void plots_put(GString *page, const GArray *fields, uint64_t records);
