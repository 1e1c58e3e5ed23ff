/* All entries of an index: the members of its sets, or the keys of its dataset. */
#include "listing/ordered.h"
#include "verify/index_parts.h"

#define PAGE_BYTES ((size_t)1 << 20)

/* Entries that are looked at together; their memory goes with them. */
struct paging {
    struct indexed *indexed;
    struct arena *mem;
    GArray *standing;
};

static bool flush(struct paging *paging, GError **error)
{
    bool ok = paging->standing->len == 0 || index_entries(paging->indexed, paging->mem, paging->standing, error);
    g_array_set_size(paging->standing, 0);
    return ok;
}

/* What is added lives until the page is full: the caller copies nothing that it keeps in the paging's own memory. */
static bool add(struct paging *paging, struct slice place, struct slice name, GError **error)
{
    struct index_entry standing = {.entry = {.place = place, .name = name}};
    g_array_append_val(paging->standing, standing);
    return paging->standing->len < INDEX_PAGE || flush(paging, error);
}

/* --- sets ----------------------------------------------------------------------------------------------------------
 */

/* A key where the set should be, and of another type. */
static bool tell_odd(struct paging *paging, struct slice place, const char *is, GError **error)
{
    struct index_fault fault = {.what = "no_index"};
    g_autofree char *why = g_strdup_printf("it is a %s; an index is a set or a sorted set", is);
    fault.why = why;
    if (!entry_shape_place(paging->indexed->shape, place, paging->mem, &fault.place, error))
        return false;
    fault.key = fault.place;
    fault.place = SLICE_EMPTY;
    return index_odd(paging->indexed, &fault, error);
}

static bool walk_page(struct paging *paging, struct slice place, const struct member_page *page, GError **error)
{
    for (size_t i = 0; i < page->n; i++)
        if (!add(paging, place, page->members[i].name, error))
            return false;
    return flush(paging, error);
}

static bool walk_set(struct paging *paging, struct slice place, GError **error)
{
    struct indexed *indexed = paging->indexed;
    auto_(member_walk) walk = NULL;
    struct call call = {.ds = &indexed->ds, .mem = paging->mem, .cancel = indexed->input->cancel};
    struct member_page page = {0};
    uint64_t before = indexed->counts.entries;
    bool ok = store_members_open(&walk, indexed->session, &indexed->ds, place, error);
    while (ok && !page.done) {
        arena_reset(paging->mem);
        ok = store_members_next(walk, &call, &page, error);
        if (ok && page.anew)
            indexed->counts.entries = before;
        ok = ok && walk_page(paging, place, &page, error);
    }
    return ok && (!page.found || tell_odd(paging, place, page.found, error));
}

static bool walk_places(struct paging *paging, GError **error)
{
    struct indexed *indexed = paging->indexed;
    auto_(ordered_keys) places = NULL;
    g_autofree char *scratch = g_strconcat(indexed->input->report_path, ".index", NULL);
    struct ordered_wish wish = {.world = indexed->input->world,
                                .scratch = scratch,
                                .session = indexed->session,
                                .ds = &indexed->ds,
                                .cancel = indexed->input->cancel,
                                .no_ranks = true};
    const struct slice *keys;
    size_t n = 1;
    bool ok = ordered_keys_open(&places, &wish, error);
    while (ok && n > 0) {
        ok = ordered_keys_next(places, &keys, &n, error);
        for (size_t i = 0; ok && i < n; i++)
            ok = walk_set(paging, keys[i], error);
    }
    return ok;
}

/* The one place of an index that has no placeholders. */
static bool walk_one(struct paging *paging, GError **error)
{
    struct slice place;
    auto_(arena) mem = arena_new(PAGE_BYTES);
    return entry_shape_place(paging->indexed->shape, SLICE_EMPTY, mem, &place, error) && walk_set(paging, place, error);
}

/* --- keys ----------------------------------------------------------------------------------------------------------
 */

static bool walk_keys(struct paging *paging, GError **error)
{
    struct indexed *indexed = paging->indexed;
    auto_(scan) scan = NULL;
    struct slice place;
    auto_(arena) mem = arena_new(PAGE_BYTES);
    struct scan_spec spec = {.ds = &indexed->ds, .max_records = INDEX_PAGE, .max_bytes = PAGE_BYTES, .keys_only = true};
    struct call call = {.ds = &indexed->ds, .mem = paging->mem, .cancel = indexed->input->cancel, .no_etag = true};
    struct batch batch = {0};
    bool ok = entry_shape_place(indexed->shape, SLICE_EMPTY, mem, &place, error) &&
              store_scan_open(&scan, indexed->session, &spec, error);
    while (ok && !batch.done) {
        arena_reset(paging->mem);
        ok = store_scan_next(scan, &call, &batch, error);
        for (size_t i = 0; ok && i < batch.n; i++)
            ok = add(paging, place, batch.records[i].key, error);
        ok = ok && flush(paging, error);
    }
    return ok;
}

bool index_walk(struct indexed *indexed, GError **error)
{
    auto_(arena) mem = arena_new((size_t)256 << 20);
    g_autoptr(GArray) standing = g_array_new(FALSE, TRUE, sizeof(struct index_entry));
    struct paging paging = {.indexed = indexed, .mem = mem, .standing = standing};
    bool ok = !indexed->members                   ? walk_keys(&paging, error)
              : entry_places(indexed->shape) == 0 ? walk_one(&paging, error)
                                                  : walk_places(&paging, error);
    return ok || error_add(error, "the index '%s'", indexed->of->index);
}
