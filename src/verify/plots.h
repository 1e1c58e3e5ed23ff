/* The profiles of both sides, on the page of a verification: a row a field and, as inline SVG, how its values lie
 * in the baseline, before and after. No script; everything from records is escaped by page_escape(). */
#pragma once

#include "verify/shift.h"

/* `baseline`: the shift's; NULL: nobody asked for one. */
void plots_put(GString *page, struct shift *shift, const struct past *baseline);
