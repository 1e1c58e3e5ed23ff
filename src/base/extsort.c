#include "base/extsort.h"

#include <stdlib.h>

enum {
    LEAST_MEMORY = 256 * 1024,
    FIRST_ROOM = 1024,        /* items */
    MERGE_BUFFER = 64 * 1024, /* bytes read or written at once */
    INDEX_PER_ITEM = 2 * 16,  /* struct place, and again as the scratch of a sort */
};

/* An item by the first bytes of its key; most comparisons end here. */
struct place {
    uint64_t prefix; /* big-endian, filled up with zeros */
    size_t number;   /* in the order added, which settles equal keys */
};

struct run_of_items {
    uint64_t offset, count;
};

/* One run being merged. */
struct source {
    uint64_t offset, left; /* in the file: where the unread items begin, and how many */
    uint8_t *buffer;
    size_t at, have; /* items */
};

struct extsort {
    const struct world *world;
    char *dir;
    size_t item_len, key_len;
    size_t memory;   /* bytes for all of what follows */
    size_t capacity; /* items held before a spill */
    uint64_t count;
    uint8_t *items;
    struct place *places;
    size_t held, room, next;
    struct file *spill;
    GArray *runs; /* of struct run_of_items, in the order added */
    struct source *sources;
    size_t *heap; /* of indexes into sources; the least item first */
    size_t n_sources, n_heap, buffer_items;
    bool finished;
};

bool extsort_new(struct extsort **ret, const struct world *world, const char *dir, const struct extsort_shape *shape,
                 GError **error)
{
    size_t item_len = shape->item_len, key_len = shape->key_len;
    g_assert(item_len > 0 && key_len > 0 && key_len <= item_len);
    if (item_len > MERGE_BUFFER)
        return error_set(error, SLUICE_ERROR_INTERNAL, "items of %zu bytes are too long to be sorted", item_len);
    struct extsort *sort = g_new0(struct extsort, 1);
    *sort = (struct extsort){
        .world = world,
        .dir = g_strdup(dir),
        .item_len = item_len,
        .key_len = key_len,
        .memory = MAX(shape->memory_bytes, (size_t)LEAST_MEMORY),
        .runs = g_array_new(FALSE, FALSE, sizeof(struct run_of_items)),
    };
    sort->capacity = sort->memory / (item_len + INDEX_PER_ITEM);
    *ret = sort;
    return true;
}

static void drop_sources(struct extsort *sort)
{
    for (size_t i = 0; i < sort->n_sources; i++)
        g_free(sort->sources[i].buffer);
    g_clear_pointer(&sort->sources, g_free);
    g_clear_pointer(&sort->heap, g_free);
    sort->n_sources = sort->n_heap = 0;
}

static void drop_items(struct extsort *sort)
{
    g_clear_pointer(&sort->items, g_free);
    g_clear_pointer(&sort->places, g_free);
    sort->held = sort->room = 0;
}

void extsort_free(struct extsort *sort)
{
    if (!sort)
        return;
    drop_sources(sort);
    drop_items(sort);
    file_free(sort->spill);
    g_array_free(sort->runs, TRUE);
    g_free(sort->dir);
    g_free(sort);
}

uint64_t extsort_count(const struct extsort *sort)
{
    return sort->count;
}

static uint64_t prefix_of(const struct extsort *sort, const uint8_t *item)
{
    uint64_t prefix = 0;
    for (size_t i = 0; i < sizeof prefix; i++)
        prefix = prefix << 8 | (i < sort->key_len ? item[i] : 0);
    return prefix;
}

static int by_key(const void *left, const void *right, void *user)
{
    const struct place *a = left, *b = right;
    const struct extsort *sort = user;
    int order = (a->prefix > b->prefix) - (a->prefix < b->prefix);
    if (order == 0 && sort->key_len > sizeof a->prefix)
        order =
            memcmp(sort->items + a->number * sort->item_len, sort->items + b->number * sort->item_len, sort->key_len);
    return order ? order : (a->number > b->number) - (a->number < b->number);
}

static const uint8_t *sorted_item(const struct extsort *sort, size_t i)
{
    return sort->items + sort->places[i].number * sort->item_len;
}

/* Three bytes of the prefixes, taken where they differ: few items that are not equal agree in them. Fewer items than
 * RADIX_FROM do not pay for the counting. */
enum { DIGITS = 3, VALUES = 256, RADIX_FROM = 1024 };

struct radix {
    uint64_t least;
    int shift;
};

static struct radix radix_of(const struct place *places, size_t n)
{
    uint64_t least = UINT64_MAX, most = 0;
    for (size_t i = 0; i < n; i++) {
        least = MIN(least, places[i].prefix);
        most = MAX(most, places[i].prefix);
    }
    int bits = most > least ? 64 - __builtin_clzll(most - least) : 0;
    return (struct radix){.least = least, .shift = MAX(bits - 8 * DIGITS, 0)};
}

static uint64_t radix_key(const struct radix *radix, const struct place *place)
{
    return (place->prefix - radix->least) >> radix->shift;
}

/* One stable pass by one byte of the keys. */
static void radix_pass(const struct radix *radix, int digit, const struct place *from, struct place *into, size_t n)
{
    size_t starts[VALUES] = {0}, at = 0;
    for (size_t i = 0; i < n; i++)
        starts[radix_key(radix, &from[i]) >> (8 * digit) & (VALUES - 1)]++;
    for (size_t i = 0; i < VALUES; i++) {
        size_t count = starts[i];
        starts[i] = at;
        at += count;
    }
    for (size_t i = 0; i < n; i++)
        into[starts[radix_key(radix, &from[i]) >> (8 * digit) & (VALUES - 1)]++] = from[i];
}

/* What those bytes leave open. */
static void sort_runs(struct extsort *sort, const struct radix *radix)
{
    for (size_t i = 0, n; i < sort->held; i += n) {
        uint64_t key = radix_key(radix, &sort->places[i]);
        for (n = 1; i + n < sort->held && radix_key(radix, &sort->places[i + n]) == key;)
            n++;
        if (n > 1)
            qsort_r(sort->places + i, n, sizeof(struct place), by_key, sort);
    }
}

static void sort_held(struct extsort *sort)
{
    struct place *other = sort->held < RADIX_FROM ? NULL : g_try_malloc_n(sort->room, sizeof *other);
    if (!other) {
        if (sort->held > 1)
            qsort_r(sort->places, sort->held, sizeof(struct place), by_key, sort);
        return;
    }
    struct radix radix = radix_of(sort->places, sort->held);
    for (int digit = 0; digit < DIGITS; digit++) {
        radix_pass(&radix, digit, sort->places, other, sort->held);
        struct place *sorted = other;
        other = sort->places;
        sort->places = sorted;
    }
    g_free(other);
    sort_runs(sort, &radix);
}

static bool no_memory(const struct extsort *sort, GError **error)
{
    return error_set(error, SLUICE_ERROR_INTERNAL, "no memory to sort in; %zu bytes were allowed", sort->memory);
}

static bool make_room(struct extsort *sort, GError **error)
{
    size_t room = MIN(sort->room ? sort->room * 2 : FIRST_ROOM, sort->capacity);
    uint8_t *items = g_try_realloc_n(sort->items, room, sort->item_len);
    if (!items)
        return no_memory(sort, error);
    sort->items = items;
    struct place *places = g_try_realloc_n(sort->places, room, sizeof(struct place));
    if (!places)
        return no_memory(sort, error);
    sort->places = places;
    sort->room = room;
    return true;
}

/* Items on their way to the end of a file, in large writes. */
struct outflow {
    struct file *file;
    uint8_t *buffer;
    size_t len;
};

static bool outflow_flush(struct outflow *out, GError **error)
{
    struct slice bytes = slice_of(out->buffer, out->len);
    out->len = 0;
    return file_append(out->file, bytes, NULL, error);
}

static bool outflow_add(struct outflow *out, const uint8_t *item, size_t len, GError **error)
{
    if (out->len + len > MERGE_BUFFER && !outflow_flush(out, error))
        return false;
    memcpy(out->buffer + out->len, item, len);
    out->len += len;
    return true;
}

static bool spill_held(struct extsort *sort, GError **error)
{
    if (!sort->spill && !file_open_unnamed(&sort->spill, sort->world, sort->dir, error))
        return false;
    struct run_of_items run = {.count = sort->held};
    if (!file_size(sort->spill, &run.offset, error))
        return false;
    sort_held(sort);
    g_autofree uint8_t *buffer = g_malloc(MERGE_BUFFER);
    struct outflow out = {.file = sort->spill, .buffer = buffer};
    for (size_t i = 0; i < sort->held; i++)
        if (!outflow_add(&out, sorted_item(sort, i), sort->item_len, error))
            return false;
    if (!outflow_flush(&out, error))
        return false;
    g_array_append_val(sort->runs, run);
    sort->held = 0;
    return true;
}

bool extsort_add(struct extsort *sort, const void *item, GError **error)
{
    g_assert(!sort->finished);
    if (sort->held == sort->capacity && !spill_held(sort, error))
        return false;
    if (sort->held == sort->room && !make_room(sort, error))
        return false;
    memcpy(sort->items + sort->held * sort->item_len, item, sort->item_len);
    sort->places[sort->held] = (struct place){.prefix = prefix_of(sort, item), .number = sort->held};
    sort->held++;
    sort->count++;
    return true;
}

static bool source_fill(const struct extsort *sort, struct source *source, GError **error)
{
    size_t want = (size_t)MIN(source->left, sort->buffer_items), got;
    if (!file_read_at(sort->spill, source->offset, source->buffer, want * sort->item_len, &got, error))
        return false;
    if (got != want * sort->item_len)
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: a temporary file of the sorter became shorter", sort->dir);
    source->offset += got;
    source->left -= want;
    source->at = 0;
    source->have = want;
    return true;
}

static const uint8_t *source_item(const struct extsort *sort, size_t i)
{
    const struct source *source = &sort->sources[i];
    return source->buffer + source->at * sort->item_len;
}

static bool source_before(const struct extsort *sort, size_t a, size_t b)
{
    int order = memcmp(source_item(sort, a), source_item(sort, b), sort->key_len);
    return order < 0 || (order == 0 && a < b); /* runs stand in the order added */
}

static void heap_sink(struct extsort *sort, size_t i)
{
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < sort->n_heap; child++)
            if (source_before(sort, sort->heap[child], sort->heap[least]))
                least = child;
        if (least == i)
            return;
        size_t moved = sort->heap[i];
        sort->heap[i] = sort->heap[least];
        sort->heap[least] = moved;
        i = least;
    }
}

/* How many runs can be merged at once: a buffer for each, and one for what comes out. */
static size_t fan_in(const struct extsort *sort)
{
    return sort->memory / MERGE_BUFFER - 1;
}

static bool merge_begin(struct extsort *sort, const struct run_of_items *runs, size_t n, GError **error)
{
    sort->buffer_items = MERGE_BUFFER / sort->item_len;
    sort->sources = g_new0(struct source, n);
    sort->heap = g_new(size_t, n);
    for (size_t i = 0; i < n; i++) {
        struct source *source = &sort->sources[i];
        *source = (struct source){.offset = runs[i].offset, .left = runs[i].count, .buffer = g_malloc(MERGE_BUFFER)};
        sort->n_sources++;
        if (!source_fill(sort, source, error))
            return false;
        sort->heap[sort->n_heap++] = i;
    }
    for (size_t i = sort->n_heap; i-- > 0;)
        heap_sink(sort, i);
    return true;
}

/* The least item, or NULL; merge_step() goes past it. */
static const uint8_t *merge_top(const struct extsort *sort)
{
    return sort->n_heap ? source_item(sort, sort->heap[0]) : NULL;
}

static bool merge_step(struct extsort *sort, GError **error)
{
    struct source *source = &sort->sources[sort->heap[0]];
    source->at++;
    if (source->at == source->have) {
        if (source->left == 0)
            sort->heap[0] = sort->heap[--sort->n_heap];
        else if (!source_fill(sort, source, error))
            return false;
    }
    heap_sink(sort, 0);
    return true;
}

static bool merge_into(struct extsort *sort, const struct run_of_items *runs, size_t n, struct outflow *out,
                       GError **error)
{
    bool ok = merge_begin(sort, runs, n, error);
    for (const uint8_t *item; ok && (item = merge_top(sort));)
        ok = outflow_add(out, item, sort->item_len, error) && merge_step(sort, error);
    drop_sources(sort);
    return ok && outflow_flush(out, error);
}

/* All runs into fewer and longer ones, in a new file. */
static bool merge_pass(struct extsort *sort, GError **error)
{
    auto_(file) target = NULL;
    if (!file_open_unnamed(&target, sort->world, sort->dir, error))
        return false;
    g_autofree uint8_t *buffer = g_malloc(MERGE_BUFFER);
    struct outflow out = {.file = target, .buffer = buffer};
    g_autoptr(GArray) longer = g_array_new(FALSE, FALSE, sizeof(struct run_of_items));
    uint64_t offset = 0;
    for (size_t i = 0, n; i < sort->runs->len; i += n) {
        n = MIN(fan_in(sort), sort->runs->len - i);
        const struct run_of_items *group = &g_array_index(sort->runs, struct run_of_items, i);
        struct run_of_items run = {.offset = offset};
        for (size_t j = 0; j < n; j++)
            run.count += group[j].count;
        if (!merge_into(sort, group, n, &out, error))
            return false;
        offset += run.count * sort->item_len;
        g_array_append_val(longer, run);
    }
    struct file *old = sort->spill;
    sort->spill = g_steal_pointer(&target);
    file_free(old);
    g_array_set_size(sort->runs, 0);
    g_array_append_vals(sort->runs, longer->data, longer->len);
    return true;
}

bool extsort_finish(struct extsort *sort, GError **error)
{
    g_assert(!sort->finished);
    sort->finished = true;
    if (!sort->spill) {
        sort_held(sort);
        return true;
    }
    if (!spill_held(sort, error))
        return false;
    drop_items(sort);
    while (sort->runs->len > fan_in(sort))
        if (!merge_pass(sort, error))
            return false;
    return merge_begin(sort, &g_array_index(sort->runs, struct run_of_items, 0), sort->runs->len, error);
}

/* While merging, the item given out stays in its buffer until the next call, which only then goes past it. */
bool extsort_next(struct extsort *sort, const uint8_t **ret, GError **error)
{
    g_assert(sort->finished);
    if (!sort->spill) {
        *ret = sort->next < sort->held ? sorted_item(sort, sort->next++) : NULL;
        return true;
    }
    if (sort->next && sort->n_heap && !merge_step(sort, error))
        return false;
    sort->next = 1;
    *ret = merge_top(sort);
    return true;
}
