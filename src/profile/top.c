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

/* By their numbers, too, where texts are cut: the same order whatever the streams came in. */
static int commonest(const void *a, const void *b)
{
    const struct top_value *left = a, *right = b;
    int by_text = strcmp(left->text, right->text);
    if (left->count != right->count)
        return (left->count < right->count) - (left->count > right->count);
    return by_text ? by_text : (left->hash > right->hash) - (left->hash < right->hash);
}

static void remember_hashes(struct top *top)
{
    for (size_t i = 0; i < top->n; i++)
        top->hashes[i] = top->of[i].hash;
}

void top_sort(struct top *top)
{
    qsort(top->of, top->n, sizeof top->of[0], commonest);
    remember_hashes(top);
}

/* What is not among them came so often at most. */
static uint64_t most_unseen(const struct top *top)
{
    return top->n < TOP_VALUES ? 0 : least_count(top);
}

static void add_counts(struct top_value *value, const struct top_value *other, uint64_t unseen)
{
    value->count += other ? other->count : unseen;
    value->over += other ? other->over : unseen;
}

/* The commonest of both; a value that one side does not have may have come there as often as its rarest one: P. Agarwal
 * et al., "Mergeable summaries", PODS 2012. */
void top_merge(struct top *into, const struct top *from)
{
    struct top_value both[2 * TOP_VALUES];
    uint64_t unseen_into = most_unseen(into), unseen_from = most_unseen(from);
    size_t n = into->n;
    memcpy(both, into->of, n * sizeof *both);
    for (size_t i = 0; i < into->n; i++)
        add_counts(&both[i], find(from, both[i].hash), unseen_from);
    for (size_t i = 0; i < from->n; i++) {
        if (find(into, from->of[i].hash))
            continue;
        both[n] = from->of[i];
        add_counts(&both[n++], NULL, unseen_into);
    }
    qsort(both, n, sizeof *both, commonest);
    into->n = MIN(n, (size_t)TOP_VALUES);
    memcpy(into->of, both, into->n * sizeof *both);
    remember_hashes(into);
    into->count += from->count;
    into->least = 0; /* it is sought again, where it is needed */
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
