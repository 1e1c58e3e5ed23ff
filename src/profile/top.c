#include "profile/top.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

static struct top_value *find(const struct top *top, uint64_t hash)
{
    for (size_t i = 0; i < top->n; i++)
        if (top->of[i].hash == hash)
            return (struct top_value *)&top->of[i];
    return NULL;
}

/* Whole characters only. */
static void take_text(struct top_value *value, const char *text, size_t len)
{
    size_t most = MIN(len, (size_t)TOP_BYTES);
    while (most > 0 && most < len && ((uint8_t)text[most] & 0xc0) == 0x80)
        most--;
    memcpy(value->text, text, most);
    value->text[most] = '\0';
}

/* The rarest makes room, and leaves its count to the new one. */
static struct top_value *make_room(struct top *top)
{
    struct top_value *rarest = &top->of[0];
    if (top->n < TOP_VALUES) {
        top->of[top->n] = (struct top_value){0};
        return &top->of[top->n++];
    }
    for (size_t i = 1; i < top->n; i++)
        if (top->of[i].count < rarest->count)
            rarest = &top->of[i];
    rarest->over = rarest->count;
    return rarest;
}

void top_add(struct top *top, uint64_t hash, const char *text, size_t len)
{
    struct top_value *value = find(top, hash);
    top->count++;
    if (!value) {
        value = make_room(top);
        value->hash = hash;
        take_text(value, text, len);
    }
    value->count++;
}

/* Values that only one side has may have come as often as its rarest one on the other. */
void top_merge(struct top *into, const struct top *from)
{
    for (size_t i = 0; i < from->n; i++) {
        struct top_value *value = find(into, from->of[i].hash);
        if (!value) {
            value = make_room(into);
            uint64_t count = value->count;
            *value = from->of[i];
            value->over += count;
            value->count += count;
            continue;
        }
        value->count += from->of[i].count;
        value->over += from->of[i].over;
    }
    into->count += from->count;
}

uint64_t top_count(const struct top *top, uint64_t hash)
{
    const struct top_value *value = find(top, hash);
    return value ? value->count : 0;
}

static int commonest(const void *a, const void *b)
{
    const struct top_value *left = a, *right = b;
    return left->count != right->count ? (left->count < right->count) - (left->count > right->count)
                                       : strcmp(left->text, right->text);
}

void top_sort(struct top *top)
{
    qsort(top->of, top->n, sizeof top->of[0], commonest);
}
