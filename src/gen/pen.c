#include "gen/pen.h"

#include "record/datetime.h"

enum { PEN_BYTES = 1 << 20 };

void pen_init(struct pen *pen, const struct gen_sink *sink)
{
    *pen = (struct pen){.sink = sink, .bytes = sink->put ? g_malloc(PEN_BYTES) : NULL};
}

void pen_done(struct pen *pen)
{
    g_clear_pointer(&pen->bytes, g_free);
}

bool pen_flush(struct pen *pen, GError **error)
{
    struct slice lines = slice_of(pen->bytes, pen->len);
    pen->len = 0;
    return lines.len == 0 || pen->sink->put(pen->sink->self, lines, error);
}

bool pen_room(struct pen *pen, GError **error)
{
    return pen->len + PEN_LINE_BYTES <= PEN_BYTES || pen_flush(pen, error);
}

void pen_bytes(struct pen *pen, struct slice bytes)
{
    memcpy(pen->bytes + pen->len, bytes.data, bytes.len);
    pen->len += bytes.len;
}

void pen_text(struct pen *pen, const char *text)
{
    pen_bytes(pen, slice_of_text(text));
}

void pen_digits(struct pen *pen, uint64_t value, unsigned width)
{
    for (unsigned i = width; i > 0; i--, value /= 10)
        pen->bytes[pen->len + i - 1] = (uint8_t)('0' + value % 10);
    pen->len += width;
}

void pen_number(struct pen *pen, uint64_t value)
{
    unsigned width = 1;
    for (uint64_t rest = value; rest >= 10; rest /= 10)
        width++;
    pen_digits(pen, value, width);
}

void pen_cents(struct pen *pen, uint64_t cents)
{
    pen_number(pen, cents / 100);
    pen_text(pen, ".");
    pen_digits(pen, cents % 100, 2);
}

void pen_time(struct pen *pen, int64_t ms)
{
    char text[DATETIME_TEXT];
    pen_text(pen, datetime_text(ms, text));
}
