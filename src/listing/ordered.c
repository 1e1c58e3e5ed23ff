#include "listing/ordered.h"

#include "base/file.h"
#include "base/int.h"
#include "listing/ahead.h"
#include "listing/ranks.h"
#include "store/keyed.h"
#include "store/only.h"

enum {
    RUN_BYTES = 8 << 20,
    SCAN_RECORDS = 4096,
    SCAN_BYTES = 1 << 20,
    SCAN_MEMORY = 64 << 20,
    GIVEN_KEYS = 1024,
    LOOKED_UP = 256,
    RANKED_MEMORY = 1 << 30, /* of keys of at most 64 MiB */
    RUN_KEYS = 256,          /* of a run at a time while runs are merged */
    MERGED_RUNS = 8,         /* of one level become one: each that is open takes half a MiB */
    RUN_MEMORY = 256 << 10,
    FIRST_BYTES = 2, /* by which keys are parted before they are sorted */
    SOON = 16,       /* keys that lie anywhere are asked of the memory so far ahead */
};

/* A ranked key that waits to be sorted: bytes by which it differs from others, as a number, decide most comparisons. */
struct gathered {
    uint64_t head; /* set when they are sorted */
    struct slice key;
};

/* One sorted run on its way through the merge: in a file, or (the last one) in memory. */
struct key_run {
    struct listing_reader *reader; /* NULL: in memory */
    GArray *gathered;              /* of struct gathered; in memory only */
    struct arena *mem;
    struct slice *keys; /* those read, in mem */
    size_t n, at;
    uint64_t head; /* of the key it is at: decides most comparisons */
    bool has_head;
    unsigned level; /* 0: written as it was sorted; else merged of runs of the level below */
};

struct ordered_keys {
    struct ordered_wish wish;
    struct arena *mem; /* of the batch given out */
    struct slice *given;
    uint64_t seen; /* by the scan */
    bool done;     /* no more are given, by the store or by the merge */
    /* sorted by the store */
    struct scan *scan;
    struct slice *ranked; /* the keys that are given, in the order of a listing; theirs: in ranked_mem */
    struct arena *ranked_mem;
    bool has_ranks;
    size_t next; /* of them */
    /* sorted here */
    GPtrArray *runs; /* of struct key_run; their levels descend */
    GByteArray *last;
    bool any;             /* last is a key */
    struct ahead *merged; /* has runs and last, while others use what was merged before */
};

static void run_free(gpointer pointer)
{
    struct key_run *run = pointer;
    listing_reader_free(run->reader);
    g_clear_pointer(&run->gathered, g_array_unref);
    arena_free(run->mem);
    g_free(run);
}

void ordered_keys_free(struct ordered_keys *ordered)
{
    if (!ordered)
        return;
    ahead_close(ordered->merged);
    store_scan_close(ordered->scan);
    g_ptr_array_unref(ordered->runs);
    g_byte_array_unref(ordered->last);
    arena_free(ordered->mem);
    g_free(ordered->given);
    arena_free(ordered->ranked_mem);
    g_free(ordered);
}

static bool scan_open(struct scan **ret, const struct ordered_wish *wish, GError **error)
{
    struct scan_spec spec = {.ds = wish->ds, .max_records = SCAN_RECORDS, .max_bytes = SCAN_BYTES, .keys_only = true};
    return store_scan_open(ret, wish->session, &spec, error);
}

static void show(struct ordered_keys *ordered, size_t more)
{
    const struct ordered_wish *wish = &ordered->wish;
    ordered->seen += more;
    if (wish->progress)
        wish->progress(wish->progress_self, ordered->seen);
}

static bool scan_next(struct ordered_keys *ordered, struct scan *scan, struct batch *ret, GError **error)
{
    const struct ordered_wish *wish = &ordered->wish;
    struct call call = {.cancel = wish->cancel, .ds = wish->ds, .mem = ordered->mem};
    arena_reset(ordered->mem);
    if (!store_scan_next(scan, &call, ret, error))
        return false;
    show(ordered, ret->n);
    return true;
}

/* --- sorting --------------------------------------------------------------------------------------------------------
 */

/* Ranked keys that are gathered until they make a run. */
struct gathering {
    struct arena *mem;
    GArray *keys; /* of struct gathered */
};

static void gathering_init(struct gathering *gathering)
{
    gathering->mem = arena_new(2 * RUN_BYTES);
    gathering->keys = g_array_new(FALSE, FALSE, sizeof(struct gathered));
}

/* How many bytes all keys have alike behind their first two. */
static size_t alike_behind(const struct gathered *keys, size_t n)
{
    size_t end = n ? keys[0].key.len : 0;
    for (size_t i = 1; i < n; i++) {
        size_t len = FIRST_BYTES, most = MIN(end, keys[i].key.len);
        while (len < most && keys[0].key.data[len] == keys[i].key.data[len])
            len++;
        end = MIN(len, most);
    }
    return end > FIRST_BYTES ? end - FIRST_BYTES : 0;
}

/* The first two bytes, then those behind what all have alike. */
static uint64_t head_of(struct slice key, size_t alike)
{
    uint64_t head = 0;
    for (size_t i = 0; i < sizeof head; i++) {
        size_t at = i < FIRST_BYTES ? i : i + alike;
        head = head << 8 | (at < key.len ? key.data[at] : 0);
    }
    return head;
}

static int by_key(const void *a, const void *b)
{
    const struct gathered *x = a, *y = b;
    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    return slice_compare(x->key, y->key);
}

enum { PARTS = 1 << (8 * FIRST_BYTES), PART_SHIFT = 64 - 8 * FIRST_BYTES };

/* In place: each key changes places with the one that stands where it belongs, until the place has its own. ret_ends:
 * where each part ends. */
static void part_keys(struct gathered *keys, size_t n, uint32_t *ret_ends)
{
    g_autofree uint32_t *next = g_new0(uint32_t, PARTS + 1);
    for (size_t i = 0; i < n; i++)
        next[(keys[i].head >> PART_SHIFT) + 1]++;
    for (size_t part = 0; part < PARTS; part++)
        ret_ends[part] = next[part + 1] += next[part];
    for (size_t part = 0; part < PARTS; part++)
        while (next[part] < ret_ends[part]) {
            struct gathered *here = &keys[next[part]], moved = *here;
            size_t of = moved.head >> PART_SHIFT;
            *here = keys[next[of]];
            keys[next[of]++] = moved;
        }
}

/* Parted by their first two bytes, which are the rank where there are ranks: what is left to be sorted is short. */
static void gathering_sort(struct gathering *gathering)
{
    struct gathered *keys = (struct gathered *)(void *)gathering->keys->data;
    size_t n = gathering->keys->len, alike = alike_behind(keys, n);
    for (size_t i = 0; i < n; i++)
        keys[i].head = head_of(keys[i].key, alike);
    g_autofree uint32_t *ends = g_new(uint32_t, PARTS);
    part_keys(keys, n, ends);
    for (size_t i = 0, end; i < n; i = end) {
        end = ends[keys[i].head >> PART_SHIFT];
        if (end - i > 1)
            qsort(keys + i, end - i, sizeof *keys, by_key);
    }
}

/* --- runs -----------------------------------------------------------------------------------------------------------
 */

/* Of a run that is not at its end. */
static struct slice run_key(const struct key_run *run)
{
    if (run->gathered && run->at + SOON < run->n)
        __builtin_prefetch(g_array_index(run->gathered, struct gathered, run->at + SOON).key.data);
    return run->gathered ? g_array_index(run->gathered, struct gathered, run->at).key : run->keys[run->at];
}

static bool run_fill(struct key_run *run, GError **error)
{
    if (run->at == run->n && run->reader) {
        run->at = 0;
        arena_reset(run->mem);
        if (!listing_reader_next_ranked(run->reader, RUN_KEYS, run->mem, &run->keys, &run->n, error))
            return false;
    }
    if (run->at < run->n && !run->has_head)
        run->head = head_of(run_key(run), 0);
    run->has_head = run->at < run->n;
    return true;
}

static void run_take(struct key_run *run)
{
    run->at++;
    run->has_head = false;
}

static bool is_before(const struct key_run *a, const struct key_run *b)
{
    return a->head != b->head ? a->head < b->head : slice_compare(run_key(a), run_key(b)) < 0;
}

/* Of the runs from that one on the one with the least key; NULL: all are at their end. They are few: at most seven of a
 * level. */
static bool least_run(struct ordered_keys *ordered, guint from, struct key_run **ret, GError **error)
{
    *ret = NULL;
    for (guint i = from; i < ordered->runs->len; i++) {
        struct key_run *run = ordered->runs->pdata[i];
        if (!run_fill(run, error))
            return false;
        if (run->at < run->n && (!*ret || is_before(run, *ret)))
            *ret = run;
    }
    return true;
}

static bool is_last(const struct ordered_keys *ordered, struct slice key)
{
    return ordered->any && slice_equal(slice_of(ordered->last->data, ordered->last->len), key);
}

static void set_last(struct ordered_keys *ordered, struct slice key)
{
    g_byte_array_set_size(ordered->last, 0);
    put_bytes(ordered->last, key);
    ordered->any = true;
}

static bool writer_of(struct ordered_keys *ordered, const char *path, struct listing_writer **ret, GError **error)
{
    struct listing_draft draft = {.world = ordered->wish.world, .path = path, .ranked = ordered_keys_ranked(ordered)};
    return listing_writer_new(ret, &draft, error);
}

static bool writer_end(struct listing_writer *writer, GError **error)
{
    struct listing_cut all = {.count = 1};
    struct listing_totals totals;
    return listing_writer_finish_durable(writer, &all, &totals, error);
}

static bool run_write(struct ordered_keys *ordered, struct gathering *gathering, const char *path, GError **error)
{
    auto_(listing_writer) writer = NULL;
    const struct gathered *keys = (const struct gathered *)(const void *)gathering->keys->data;
    gathering_sort(gathering);
    if (!writer_of(ordered, path, &writer, error))
        return false;
    for (guint i = 0; i < gathering->keys->len; i++) {
        if (i + SOON < gathering->keys->len)
            __builtin_prefetch(keys[i + SOON].key.data);
        if ((i == 0 || !slice_equal(keys[i - 1].key, keys[i].key)) && !listing_writer_add(writer, keys[i].key, error))
            return false;
    }
    return writer_end(writer, error);
}

/* Opens a run that was written, and takes its name away. */
static bool run_open(struct ordered_keys *ordered, const char *path, unsigned level, GError **error)
{
    struct key_run *run = g_new0(struct key_run, 1);
    run->mem = arena_new(RUN_MEMORY + KEYED_KEY_BYTES);
    run->level = level;
    g_ptr_array_add(ordered->runs, run);
    return listing_reader_open(&run->reader, ordered->wish.world, path, NULL, error) &&
           file_unlink(ordered->wish.world, path, error) && listing_reader_seek(run->reader, 0, 0, error);
}

static char *run_path(const struct ordered_keys *ordered)
{
    return g_strdup_printf("%s.keys%u", ordered->wish.scratch, ordered->runs->len);
}

static bool merge_write(struct ordered_keys *ordered, guint from, const char *path, GError **error)
{
    auto_(listing_writer) writer = NULL;
    struct key_run *run;
    ordered->any = false;
    if (!writer_of(ordered, path, &writer, error))
        return false;
    for (;;) {
        if (!least_run(ordered, from, &run, error))
            return false;
        if (!run)
            break;
        struct slice key = run_key(run);
        if (!is_last(ordered, key) && !listing_writer_add(writer, key, error))
            return false;
        set_last(ordered, key);
        run_take(run);
    }
    ordered->any = false;
    return writer_end(writer, error);
}

/* As often as there are so many of one level: what is open stays little, however many keys there are, and each is
 * written once more for each eightfold. */
static bool merge_levels(struct ordered_keys *ordered, GError **error)
{
    while (ordered->runs->len >= MERGED_RUNS) {
        guint from = ordered->runs->len - MERGED_RUNS;
        const struct key_run *first = ordered->runs->pdata[from], *last = ordered->runs->pdata[ordered->runs->len - 1];
        unsigned level = last->level;
        if (first->level != level)
            break;
        g_autofree char *path = run_path(ordered);
        if (!merge_write(ordered, from, path, error))
            return false;
        g_ptr_array_set_size(ordered->runs, (gint)from);
        if (!run_open(ordered, path, level + 1, error))
            return false;
    }
    return true;
}

static bool run_add(struct ordered_keys *ordered, struct gathering *gathering, GError **error)
{
    g_autofree char *path = run_path(ordered);
    if (!run_write(ordered, gathering, path, error))
        return false;
    g_array_set_size(gathering->keys, 0);
    arena_reset(gathering->mem);
    return run_open(ordered, path, 0, error) && merge_levels(ordered, error);
}

/* --- gathering ------------------------------------------------------------------------------------------------------
 */

/* What is left needs no file; the gathering is empty afterwards. */
static void run_keep(struct ordered_keys *ordered, struct gathering *gathering)
{
    struct key_run *run = g_new0(struct key_run, 1);
    gathering_sort(gathering);
    run->gathered = g_steal_pointer(&gathering->keys);
    run->mem = g_steal_pointer(&gathering->mem);
    run->n = run->gathered->len;
    g_ptr_array_add(ordered->runs, run);
    gathering_init(gathering);
}

/* Ranked in the memory of the batch. */
static bool gather_batch(struct ordered_keys *ordered, struct gathering *gathering, const struct ahead_keys *batch,
                         GError **error)
{
    const struct ordered_wish *wish = &ordered->wish;
    size_t most = wish->run_bytes ? wish->run_bytes : RUN_BYTES;
    struct slice *keys = batch->keys;
    if (ordered_keys_ranked(ordered) &&
        !ranks_put(session_driver(wish->session), wish->ds, keys, batch->n, ordered->mem, error))
        return false;
    for (size_t i = 0; i < batch->n; i++) {
        struct gathered gathered = {.key = keys[i]};
        if (gathering->keys->len > 0 && arena_used(gathering->mem) + gathering->keys->len * sizeof gathered >= most &&
            !run_add(ordered, gathering, error))
            return false;
        if (!arena_copy(gathering->mem, keys[i], &gathered.key))
            return error_set(error, SLUICE_ERROR_TOO_BIG, "a key does not fit into the memory for sorting");
        g_array_append_val(gathering->keys, gathered);
    }
    return true;
}

static bool gather_ahead(struct ordered_keys *ordered, struct gathering *gathering, struct ahead *ahead, GError **error)
{
    struct ahead_keys batch = {0};
    while (!batch.done) {
        arena_reset(ordered->mem);
        if (!ahead_next(ahead, &batch, error) || !gather_batch(ordered, gathering, &batch, error))
            return false;
        show(ordered, batch.n);
    }
    return true;
}

static bool gather_all(struct ordered_keys *ordered, struct gathering *gathering, GError **error)
{
    auto_(scan) scan = NULL;
    auto_(ahead) ahead = NULL;
    struct call call = {.cancel = ordered->wish.cancel, .ds = ordered->wish.ds};
    bool ok = scan_open(&scan, &ordered->wish, error) && ahead_open_scan(&ahead, scan, &call, SCAN_MEMORY, error) &&
              gather_ahead(ordered, gathering, ahead, error);
    g_clear_pointer(&ahead, ahead_close); /* which uses the scan */
    if (ok)
        run_keep(ordered, gathering);
    return ok;
}

static bool sort_keys(struct ordered_keys *ordered, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(ordered->wish.scratch);
    struct gathering gathering;
    gathering_init(&gathering);
    bool ok = file_make_dirs(ordered->wish.world, folder, error) && gather_all(ordered, &gathering, error);
    g_array_unref(gathering.keys);
    arena_free(gathering.mem);
    return ok;
}

/* --- merging --------------------------------------------------------------------------------------------------------
 */

static bool is_given(const struct ordered_keys *ordered, const struct ahead_keys *given, struct slice key)
{
    return given->n ? slice_equal(given->keys[given->n - 1], key) : is_last(ordered, key);
}

/* The next, each once, as many as are given at a time. */
static bool merge_next(void *self, struct arena *mem, struct ahead_keys *ret, GError **error)
{
    struct ordered_keys *ordered = self;
    struct key_run *run;
    struct slice *keys = arena_alloc(mem, GIVEN_KEYS * sizeof *keys);
    g_assert(keys);
    *ret = (struct ahead_keys){.keys = keys};
    while (ret->n < GIVEN_KEYS) {
        if (!least_run(ordered, 0, &run, error))
            return false;
        ret->done = !run;
        if (!run)
            break;
        struct slice key = run_key(run);
        if (!is_given(ordered, ret, key)) {
            if (!arena_copy(mem, key, &keys[ret->n]))
                break; /* the key comes first next time */
            ret->n++;
        }
        run_take(run);
    }
    if (ret->n)
        set_last(ordered, keys[ret->n - 1]);
    return true;
}

static bool merge_ahead(struct ordered_keys *ordered, GError **error)
{
    struct ahead_source source = {.next = merge_next, .self = ordered};
    return ahead_open(&ordered->merged, &source, SCAN_MEMORY, error);
}

static bool merged_next(struct ordered_keys *ordered, const struct slice **ret_keys, size_t *ret_n, GError **error)
{
    struct ahead_keys keys = {0};
    if (!ordered->done && !ahead_next(ordered->merged, &keys, error))
        return false;
    ordered->done = ordered->done || keys.done;
    *ret_keys = keys.keys;
    *ret_n = keys.n;
    return true;
}

/* --- keys that are given: looked up, not scanned for
 * ------------------------------------------------------------------- */

static bool gives_keys(const struct dataset *ds)
{
    return ds->only && ds->only->n_keys;
}

static bool rank_given(struct ordered_keys *ordered, const struct store_driver *driver, GError **error)
{
    const struct dataset *ds = ordered->wish.ds;
    size_t n = ds->only->n_keys;
    ordered->has_ranks = ordered_keys_ranked(ordered);
    ordered->ranked_mem = arena_new(RANKED_MEMORY);
    ordered->ranked = arena_alloc(ordered->ranked_mem, n * sizeof *ordered->ranked);
    if (!ordered->ranked)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "%zu keys do not fit into memory", n);
    memcpy(ordered->ranked, ds->only->keys, n * sizeof *ordered->ranked);
    if (ordered->has_ranks && !ranks_put(driver, ds, ordered->ranked, n, ordered->ranked_mem, error))
        return false;
    qsort(ordered->ranked, n, sizeof *ordered->ranked, ranks_compare);
    return true;
}

/* Which of the next `n` there are. */
static bool look_up(struct ordered_keys *ordered, size_t n, size_t *ret_n, GError **error)
{
    const struct ordered_wish *wish = &ordered->wish;
    const struct store_only *only = wish->ds->only;
    struct call call = {.cancel = wish->cancel, .ds = wish->ds, .mem = ordered->mem};
    arena_reset(ordered->mem);
    struct record *records = arena_alloc0(ordered->mem, n * sizeof *records);
    g_assert(records);
    for (size_t i = 0; i < n; i++)
        records[i].key = listing_key(ordered->has_ranks, ordered->ranked[ordered->next + i]);
    if (!store_read(wish->session, &call, records, n, error))
        return false;
    bool takes = true; /* asked, it is seen */
    for (size_t i = 0; i < n && takes; i++) {
        if (records[i].presence == RECORD_ABSENT)
            continue;
        ordered->given[(*ret_n)++] = ordered->ranked[ordered->next + i];
        if (!store_only_takes(only, wish->session, wish->ds, records[i].key, &takes, error))
            return false;
    }
    g_assert(takes);
    return true;
}

/* Values come with their keys: where they are too large for so many, fewer are looked up at once. */
static bool look_up_next(struct ordered_keys *ordered, size_t *ret_n, GError **error)
{
    const struct ordered_wish *wish = &ordered->wish;
    size_t left, n = LOOKED_UP;
    *ret_n = 0;
    while (*ret_n == 0 && (left = wish->ds->only->n_keys - ordered->next) > 0) {
        GError *failed = NULL;
        n = MIN(n, left);
        bool ok = look_up(ordered, n, ret_n, &failed);
        if (!ok && error_is(failed, SLUICE_ERROR_TOO_BIG) && n > 1) {
            g_error_free(failed);
            n /= 2;
            continue;
        }
        if (!ok) {
            g_propagate_error(error, failed);
            return false;
        }
        ordered->next += n;
        ordered->seen += n;
        if (wish->progress)
            wish->progress(wish->progress_self, ordered->seen);
    }
    return true;
}

/* --- both ways
 * -------------------------------------------------------------------------------------------------------- */

static bool pass_on(struct ordered_keys *ordered, size_t *ret_n, GError **error)
{
    struct batch batch = {0};
    while (!ordered->done && batch.n == 0) {
        if (!scan_next(ordered, ordered->scan, &batch, error))
            return false;
        ordered->done = batch.done;
    }
    for (size_t i = 0; i < batch.n; i++)
        ordered->given[i] = batch.records[i].key;
    *ret_n = batch.n;
    return true;
}

bool ordered_keys_open(struct ordered_keys **ret, const struct ordered_wish *wish, GError **error)
{
    const struct store_driver *driver = session_driver(wish->session);
    if (!driver->list)
        return error_set(error, SLUICE_ERROR_NOT_PERMITTED, "a store of driver '%s' cannot list its keys",
                         driver->name);
    auto_(ordered_keys) ordered = g_new0(struct ordered_keys, 1);
    *ordered = (struct ordered_keys){.wish = *wish,
                                     .mem = arena_new(SCAN_MEMORY),
                                     .given = g_new(struct slice, SCAN_RECORDS),
                                     .runs = g_ptr_array_new_with_free_func(run_free),
                                     .last = g_byte_array_new()};
    bool ok, as_given = driver->list->sorted && !ordered_keys_ranked(ordered);
    if (gives_keys(wish->ds))
        ok = rank_given(ordered, driver, error);
    else
        ok = as_given ? scan_open(&ordered->scan, wish, error)
                      : sort_keys(ordered, error) && merge_ahead(ordered, error);
    if (!ok)
        return false;
    *ret = g_steal_pointer(&ordered);
    return true;
}

bool ordered_keys_ranked(const struct ordered_keys *ordered)
{
    return !ordered->wish.no_ranks && store_ranks(session_driver(ordered->wish.session));
}

bool ordered_keys_next(struct ordered_keys *ordered, const struct slice **ret_keys, size_t *ret_n, GError **error)
{
    *ret_keys = ordered->given;
    if (gives_keys(ordered->wish.ds))
        return look_up_next(ordered, ret_n, error);
    return ordered->scan ? pass_on(ordered, ret_n, error) : merged_next(ordered, ret_keys, ret_n, error);
}
