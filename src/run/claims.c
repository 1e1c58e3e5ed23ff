#include "run/claims.h"

#include "base/int.h"

/* `n` numbers of a lane, from `first` on. */
struct range {
    uint32_t lane;
    uint64_t first, n;
};

struct claims {
    GArray *ranges; /* of struct range */
    bool sorted;    /* by lane and number, and none that touch */
};

struct claims *claims_new(void)
{
    struct claims *claims = g_new0(struct claims, 1);
    claims->ranges = g_array_new(FALSE, FALSE, sizeof(struct range));
    claims->sorted = true;
    return claims;
}

void claims_free(struct claims *claims)
{
    if (!claims)
        return;
    g_array_unref(claims->ranges);
    g_free(claims);
}

void claims_clear(struct claims *claims)
{
    g_array_set_size(claims->ranges, 0);
    claims->sorted = true;
}

static void add(struct claims *claims, struct range range)
{
    g_array_append_val(claims->ranges, range);
    claims->sorted = false;
}

void claims_add(struct claims *claims, uint32_t lane, uint64_t number)
{
    add(claims, (struct range){.lane = lane, .first = number, .n = 1});
}

void claims_add_up_to(struct claims *claims, uint32_t lane, uint64_t number)
{
    add(claims, (struct range){.lane = lane, .n = number + 1});
}

static struct range *range_at(const struct claims *claims, size_t i)
{
    return &g_array_index(claims->ranges, struct range, i);
}

static int by_place(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->lane != y->lane)
        return x->lane < y->lane ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

static void sort(struct claims *claims)
{
    size_t n = 0;
    if (claims->sorted)
        return;
    g_array_sort(claims->ranges, by_place);
    for (size_t i = 0; i < claims->ranges->len; i++) {
        const struct range *range = range_at(claims, i);
        struct range *last = n ? range_at(claims, n - 1) : NULL;
        if (last && last->lane == range->lane && range->first - last->first <= last->n)
            last->n = MAX(last->n, range->first - last->first + range->n);
        else
            *range_at(claims, n++) = *range;
    }
    g_array_set_size(claims->ranges, (guint)n);
    claims->sorted = true;
}

bool claims_have(struct claims *claims, uint32_t lane, uint64_t number)
{
    size_t low = 0, high;
    sort(claims);
    for (high = claims->ranges->len; low < high;) {
        size_t middle = low + (high - low) / 2;
        const struct range *range = range_at(claims, middle);
        if (range->lane < lane || (range->lane == lane && range->first <= number))
            low = middle + 1;
        else
            high = middle;
    }
    const struct range *before = low ? range_at(claims, low - 1) : NULL;
    return before && before->lane == lane && number - before->first < before->n;
}

uint32_t claims_lowest(struct claims *claims)
{
    sort(claims);
    return claims->ranges->len ? range_at(claims, 0)->lane : UINT32_MAX;
}

void claims_put(struct claims *claims, GByteArray *into)
{
    struct range last = {0};
    sort(claims);
    for (size_t i = 0; i < claims->ranges->len; i++) {
        const struct range *range = range_at(claims, i);
        bool same = range->lane == last.lane;
        put_varint(into, range->lane - last.lane);
        put_varint(into, range->first - (same ? last.first + last.n : 0));
        put_varint(into, range->n);
        last = *range;
    }
}

static bool next_range(struct reader *reader, struct range *io)
{
    uint64_t lanes = reader_varint(reader), from = lanes ? 0 : io->first + io->n, first = reader_varint(reader);
    uint64_t n = reader_varint(reader);
    bool sound = reader->ok && lanes <= UINT32_MAX - io->lane && first <= UINT64_MAX - from && n > 0 &&
                 n <= UINT64_MAX - (from + first);
    *io = (struct range){.lane = io->lane + (uint32_t)lanes, .first = from + first, .n = n};
    return sound;
}

bool claims_get(struct claims *claims, struct slice bytes)
{
    struct reader reader = reader_of(bytes);
    struct range range = {0};
    while (reader.at < reader.end) {
        if (!next_range(&reader, &range))
            return false;
        add(claims, range);
    }
    return true;
}
