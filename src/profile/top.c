#include "profile/top.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

static struct top_value *find(const struct top *top, uint64_t hash)
{
    for (size_t i = 0; i < top->n; i++)
        if (top->hashes[i] == hash)
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

static uint64_t least_count(const struct top *top)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < TOP_VALUES; i++)
        least = MIN(least, top->of[i].count);
    return least;
}

/* One after the other, as long as there are such; when all are counted more often, the least is another: counts only
 * grow. */
static struct top_value *rarest(struct top *top)
{
    for (size_t looked = 0;; looked++) {
        if (looked % TOP_VALUES == 0 && looked > 0)
            top->least = least_count(top);
        struct top_value *value = &top->of[top->next];
        top->next = (top->next + 1) % TOP_VALUES;
        if (value->count == top->least)
            return value;
    }
}

/* The rarest makes room, and leaves its count to the new one. */
static struct top_value *make_room(struct top *top, uint64_t hash)
{
    struct top_value *value = &top->of[top->n];
    if (top->n < TOP_VALUES) {
        top->n++;
        *value = (struct top_value){0};
    } else {
        value = rarest(top);
        value->over = value->count;
    }
    value->hash = top->hashes[value - top->of] = hash;
    return value;
}

bool top_again(struct top *top, uint64_t hash)
{
    struct top_value *value = find(top, hash);
    if (!value)
        return false;
    top->count++;
    value->count++;
    return true;
}

void top_put(struct top *top, uint64_t hash, const char *text, size_t len)
{
    struct top_value *value = make_room(top, hash);
    take_text(value, text, len);
    top->count++;
    value->count++;
}

void top_add(struct top *top, uint64_t hash, const char *text, size_t len)
{
    if (!top_again(top, hash))
        top_put(top, hash, text, len);
}

/* Values that only one side has may have come as often as its rarest one on the other. */
void top_merge(struct top *into, const struct top *from)
{
    for (size_t i = 0; i < from->n; i++) {
        struct top_value *value = find(into, from->of[i].hash);
        if (!value) {
            value = make_room(into, from->of[i].hash);
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

bool top_has(const struct top *top, uint64_t hash)
{
    return find(top, hash) != NULL;
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
    for (size_t i = 0; i < top->n; i++)
        top->hashes[i] = top->of[i].hash;
}
