/* Lines into a buffer that is emptied into a sink whenever it is nearly full, at a line's end. Private to gen/. */
#pragma once

#include "gen/gen.h"

#define PEN_LINE_BYTES 1024 /* no line is longer */

struct pen {
    uint8_t *bytes; /* NULL: nothing is written */
    size_t len;
    const struct gen_sink *sink;
};

void pen_init(struct pen *pen, const struct gen_sink *sink); /* a sink without put: lines go nowhere */
void pen_done(struct pen *pen);
/* A line may begin: gives what there is to the sink where there is no room for one more. */
bool pen_room(struct pen *pen, GError **error);
bool pen_flush(struct pen *pen, GError **error);

void pen_text(struct pen *pen, const char *text);
void pen_bytes(struct pen *pen, struct slice bytes);
void pen_number(struct pen *pen, uint64_t value);
void pen_digits(struct pen *pen, uint64_t value, unsigned width); /* with leading zeros; more digits are not shown */
void pen_cents(struct pen *pen, uint64_t cents);                  /* 1250: 12.50 */
void pen_time(struct pen *pen, int64_t ms);                       /* 2026-07-10T12:00:00.000Z */
