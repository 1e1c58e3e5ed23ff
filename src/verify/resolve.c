/* Which keys differ from what the gates left, without reading either side once more: the sketch of the gates minus that
 * of the target gives their digests (record/sketch.h), one way along the listing the keys; where the listing does not
 * hold them, the owners that the gates wrote down tell the partitions. docs/verification.md, docs/formats/sketch.md */
#include "base/blockfile.h"
#include "base/int.h"
#include "verify/verify_parts.h"

const struct blockfile_kind sketch_kind = {
    .magic = "SLSKTC1\n", .version = SKETCH_TABLES, .block_magic = 0x43544b53, .sealed_as = "reports"};

#define TYPE_SKETCH 1
#define MADE_KEYS   1u

/* --- kept --------------------------------------------------------------------------------------------------------- */

bool sketch_keep_durable(const struct verification *verification, GError **error)
{
    const struct verify_input *input = verification->input;
    const struct set_digest *stored = &verification->found.stored;
    auto_(blockfile) file = NULL;
    g_autofree char *aside = g_strconcat(input->sketch_path, ".tmp", NULL);
    g_autoptr(GByteArray) head = g_byte_array_new(), cells = g_byte_array_new();
    put_u64(head, verification->sketch->seed);
    put_u64(head, stored->count);
    put_u64(head, stored->sum.low);
    put_u64(head, stored->sum.high);
    put_u32(head, verification->made_keys ? MADE_KEYS : 0);
    sketch_put(verification->sketch, cells);
    struct block_draft draft = {
        .type = TYPE_SKETCH, .head = slice_of(head->data, head->len), .payload = slice_of(cells->data, cells->len)};
    return file_unlink(input->world, aside, error) &&
           blockfile_create(&file, input->world, aside, &sketch_kind, slice_of(input->run_uid, 16), error) &&
           blockfile_append(file, &draft, NULL, error) && blockfile_sync_durable(file, error) &&
           file_rename_durable(input->world, aside, input->sketch_path, error);
}

bool sketch_block_get(const struct block *block, enum sketch_layout layout, struct kept_sketch *ret)
{
    struct reader head = reader_of(block->head);
    uint64_t seed = reader_u64(&head);
    struct set_digest stored = {.count = reader_u64(&head)};
    stored.sum.low = reader_u64(&head);
    stored.sum.high = reader_u64(&head);
    uint32_t flags = reader_u32(&head);
    struct sketch *sketch = head.ok && block->type == TYPE_SKETCH ? sketch_get(block->payload, seed, layout) : NULL;
    *ret = (struct kept_sketch){.sketch = sketch, .stored = stored, .made_keys = flags & MADE_KEYS};
    return sketch != NULL;
}

/* One that is damaged, or not there, says nothing; false only for what ends the verification. */
static bool read_one(const struct verify_input *input, const char *path, struct kept_sketch *ret, GError **error)
{
    auto_(blockfile) file = NULL;
    auto_(arena) mem = arena_new(16 << 20);
    g_autoptr(GError) failed = NULL;
    struct block block;
    *ret = (struct kept_sketch){0};
    if (!blockfile_open(&file, input->world, path, &sketch_kind, false, &failed))
        return verify_kept_says_nothing(&failed, error);
    enum block_result result = blockfile_read(file, blockfile_begin(file), false, mem, &block, error);
    if (result == BLOCK_OK)
        sketch_block_get(&block, (enum sketch_layout)blockfile_version(file), ret);
    return result != BLOCK_FAILED;
}

static bool take_one(struct kept_sketch *into, const struct kept_sketch *one, uint64_t seed)
{
    if (!one->sketch || one->sketch->n != SKETCH_CELLS || one->sketch->seed != seed)
        return false;
    if (!into->sketch)
        into->sketch = sketch_like(one->sketch);
    if (!sketch_alike(into->sketch, one->sketch)) /* by programs of two versions */
        return false;
    sketch_merge(into->sketch, one->sketch);
    set_digest_merge(&into->stored, &one->stored);
    into->made_keys |= one->made_keys;
    return true;
}

/* Of all that the run has written, or of nothing: what stands in the catalog must be what the sketches say. */
bool sketch_read_kept(const struct verify_input *input, struct kept_sketch *ret, GError **error)
{
    struct kept_sketch all = {0};
    struct set_digest sums = {0};
    bool ok = true, whole = input->all_parts && input->n_sketches > 0;
    for (size_t i = 0; i < input->n_parts && whole; i++) {
        whole = input->parts[i].sum != NULL;
        if (whole)
            set_digest_merge(&sums, &input->parts[i].sum->stored);
    }
    for (size_t i = 0; i < input->n_sketches && ok && whole; i++) {
        struct kept_sketch one;
        ok = read_one(input, input->sketches[i], &one, error);
        whole = ok && take_one(&all, &one, input->seed);
        sketch_free(one.sketch);
    }
    if (!ok || !whole || !set_digest_equal(&sums, &all.stored))
        g_clear_pointer(&all.sketch, sketch_free);
    *ret = all;
    return ok;
}

/* --- the keys ----------------------------------------------------------------------------------------------------- */

#define FILTER_WORDS 1024u

/* What came out of the sketch, by key; most keys are not among it, and the filter says so at once. */
struct sought {
    GArray *entries; /* of struct sketch_entry, ascending */
    bool *known;     /* whose it is */
    bool unsaid;     /* whose the others are: some owners are not to be had */
    uint64_t filter[FILTER_WORDS];
};

static gint by_key(gconstpointer a, gconstpointer b)
{
    const struct sketch_entry *one = a, *other = b;
    return one->key < other->key ? -1 : one->key > other->key;
}

/* The first entry of the key; of a changed record the other follows. */
static bool find_entry(GArray *entries, uint64_t key, guint *ret)
{
    struct sketch_entry wanted = {.key = key};
    if (!g_array_binary_search(entries, &wanted, by_key, ret))
        return false;
    while (*ret > 0 && g_array_index(entries, struct sketch_entry, *ret - 1).key == key)
        --*ret;
    return true;
}

static void sought_begin(struct sought *sought, GArray *entries)
{
    *sought = (struct sought){.entries = entries, .known = g_new0(bool, entries->len + 1)};
    g_array_sort(entries, by_key);
    for (guint i = 0; i < entries->len; i++) {
        uint64_t key = g_array_index(entries, struct sketch_entry, i).key;
        sought->filter[key / 64 % FILTER_WORDS] |= UINT64_C(1) << key % 64;
    }
}

/* Marks its entries, one of each side, as known. *ret_kept: one of them is what a gate left. */
static bool sought_take(struct sought *sought, uint64_t key, bool *ret_kept)
{
    guint at;
    if (!(sought->filter[key / 64 % FILTER_WORDS] >> key % 64 & 1) || !find_entry(sought->entries, key, &at))
        return false;
    *ret_kept = false;
    for (; at < sought->entries->len && g_array_index(sought->entries, struct sketch_entry, at).key == key; at++) {
        sought->known[at] = true;
        *ret_kept |= !g_array_index(sought->entries, struct sketch_entry, at).second;
    }
    return true;
}

#define BATCH_KEYS 1000u

/* A key that the run set aside is none of the gate's; if the gate left one all the same, all of its partition is
 * compared. */
static void take_key(struct pass *pass, struct differing *differing, uint64_t place, bool kept)
{
    bool compared = outcome_was_compared(pass_outcome(pass, place));
    differing->whole |= kept && !compared;
    if (!compared)
        return;
    if (!differing->places)
        differing->places = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    g_array_append_val(differing->places, place);
}

/* The keys of one partition. */
static bool along_part(struct pass *pass, size_t at, struct sought *sought, GError **error)
{
    const struct verify_part *part = &pass->input->parts[at];
    struct differing *differing = &pass->verification->differing[at];
    struct slice *keys;
    size_t n;
    bool kept;
    if (!pass_begin(pass, part, error) || !listing_reader_seek_in(pass->listing, &part->keys, 0, error))
        return false;
    for (uint64_t index = 0;; index += n) {
        arena_reset(pass->mem);
        if (!listing_reader_next(pass->listing, BATCH_KEYS, pass->mem, &keys, &n, error))
            return false;
        for (size_t i = 0; i < n; i++)
            if (sought_take(sought, digest_bytes(keys[i], pass->input->seed).low, &kept))
                take_key(pass, differing, index + i, kept);
        if (n == 0)
            return true;
    }
}

static bool along_listing(struct verification *verification, struct sought *sought, GError **error)
{
    struct pass pass;
    bool ok = pass_open(&pass, verification, error);
    for (size_t i = 0; ok && i < verification->input->n_parts; i++)
        ok = along_part(&pass, i, sought, error);
    pass_done(&pass);
    return ok;
}

/* Whose the others are. Owners that cannot be read own nothing. */
static bool among_owners(struct verification *verification, const char *path, struct sought *sought,
                         struct owned_parts *parts, GError **error)
{
    const struct verify_input *input = verification->input;
    auto_(owners_reader) reader = NULL;
    struct owner owner;
    bool more = true, kept;
    if (!owners_reader_open(&reader, input->world, path, error))
        return false;
    while (owners_reader_next(reader, &owner, &more, error)) {
        if (!more)
            return true;
        owned_parts_count(parts, owner.part);
        if (!sought_take(sought, digest_get(owner.key).low, &kept))
            continue;
        for (size_t i = 0; i < input->n_parts; i++)
            verification->differing[i].whole |= input->parts[i].part == owner.part;
    }
    return false;
}

static bool among_all_owners(struct verification *verification, struct sought *sought, struct owned_parts *parts,
                             GError **error)
{
    const struct verify_input *input = verification->input;
    bool whole;
    for (size_t i = 0; i < input->n_owners; i++) {
        g_autoptr(GError) failed = NULL;
        if (!among_owners(verification, input->owners[i], sought, parts, &failed) &&
            !verify_kept_says_nothing(&failed, error))
            return false;
    }
    if (!owned_parts_whole(parts, &whole, error))
        return false;
    sought->unsaid = !whole;
    return true;
}

static bool look_for(struct verification *verification, bool by_listing, struct sought *sought, GError **error)
{
    struct owned_parts parts;
    if (by_listing)
        return along_listing(verification, sought, error);
    owned_parts_init(&parts, verification->input);
    bool ok = among_all_owners(verification, sought, &parts, error);
    owned_parts_done(&parts);
    return ok;
}

/* Of what the gates left everything is somebody's. What only the target has may be anybody's, as long as those who
 * could say otherwise were heard. */
static bool all_known(const struct sought *sought)
{
    for (guint i = 0; i < sought->entries->len; i++)
        if (!sought->known[i] && (sought->unsaid || !g_array_index(sought->entries, struct sketch_entry, i).second))
            return false;
    return true;
}

/* What the gate counted of those keys cannot be told from its counts where it counted more than equal ones. */
static bool not_all_equal(const struct verify_part *part, bool *ret, GError **error)
{
    struct found found;
    if (!found_of_sum(&found, part->sum, error))
        return false;
    *ret = found.of[VERIFY_EQUAL] != found.compared;
    return true;
}

static bool mark_whole(struct verification *verification, GError **error)
{
    for (size_t i = 0; i < verification->input->n_parts; i++) {
        struct differing *differing = &verification->differing[i];
        bool mixed = false;
        if (differing->places && !not_all_equal(&verification->input->parts[i], &mixed, error))
            return false;
        differing->whole |= mixed;
    }
    return true;
}

static void forget(struct verification *verification)
{
    for (size_t i = 0; i < verification->input->n_parts; i++) {
        g_clear_pointer(&verification->differing[i].places, g_array_unref);
        verification->differing[i].whole = false;
    }
}

bool resolve_keys(struct verification *verification, struct kept_sketch *kept, bool *ret_known, GError **error)
{
    struct sought sought;
    GArray *entries = verification->entries = g_array_new(FALSE, FALSE, sizeof(struct sketch_entry));
    *ret_known = sketch_peel(kept->sketch, entries);
    if (!*ret_known)
        return true;
    sought_begin(&sought, entries);
    bool by_listing = verification->input->listed && !kept->made_keys;
    bool ok = look_for(verification, by_listing, &sought, error) && mark_whole(verification, error);
    *ret_known = all_known(&sought);
    g_free(sought.known);
    if (!ok || !*ret_known)
        forget(verification);
    return ok;
}

bool resolve_stood(const struct pass *pass, const struct record *live)
{
    GArray *entries = pass->verification->entries;
    uint64_t key = digest_bytes(live->key, pass->input->seed).low;
    guint at;
    if (!entries || !pass->chosen.places || live->presence == RECORD_FAULT || !find_entry(entries, key, &at))
        return false;
    for (; at < entries->len; at++) {
        const struct sketch_entry *entry = &g_array_index(entries, struct sketch_entry, at);
        if (entry->key != key)
            break;
        if (entry->second)
            return live->presence == RECORD_PRESENT && digest_equal(entry->value, sums_entry(pass->input, live));
    }
    return live->presence != RECORD_PRESENT;
}

void resolve_done(struct verification *verification)
{
    g_clear_pointer(&verification->entries, g_array_unref);
    if (verification->differing)
        forget(verification);
    g_clear_pointer(&verification->differing, g_free);
}
