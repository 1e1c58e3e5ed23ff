#include "undo/chains_format.h"

enum { BLOCK_CAP = 1 << 30, DAMAGE_MOST = 1 << 20 };

struct undo_chains {
    struct undo_config config; /* dir is owned */
    char *path;
    struct blockfile *file;
    struct undo_chains_index index;
    GArray *damage;    /* of struct undo_damage */
    struct arena *mem; /* of what is read of `file` */

    struct undo_turn *turns; /* of the block of items read last */
    uint64_t turns_first;
    size_t turns_n; /* 0: none */

    uint32_t segment_number;
    struct blockfile *segment;       /* NULL: none */
    struct undo_position entries_at; /* of the block of intents read last; segment 0: none */
    bool entries_lost;               /* it cannot be read any more */
    struct arena *entries_mem;
    struct slice entries;
    struct undo_head entries_head;
    struct undo_payload payload; /* where in it the reader stands */
};

static bool damaged(const struct undo_chains *chains, uint64_t offset, GError **error)
{
    return error_set(error, SLUICE_ERROR_CORRUPT,
                     "%s: damaged at offset %" G_GUINT64_FORMAT "; the same command makes it again", chains->path,
                     (guint64)offset);
}

/* --- the file of chains ------------------------------------------------------------------------------------------- */

static bool read_block(struct undo_chains *chains, uint64_t offset, struct block *ret, GError **error)
{
    arena_reset(chains->mem);
    enum block_result result = blockfile_read(chains->file, offset, false, chains->mem, ret, error);
    if (result == BLOCK_FAILED)
        return false;
    return result == BLOCK_OK || damaged(chains, offset, error);
}

static bool read_damage(struct undo_chains *chains, uint64_t offset, GError **error)
{
    struct block block;
    if (!read_block(chains, offset, &block, error))
        return false;
    struct reader reader = reader_of(block.head);
    uint32_t n = reader_u32(&reader);
    if (!reader.ok || n > DAMAGE_MOST)
        return damaged(chains, offset, error);
    guint have = chains->damage->len;
    g_array_set_size(chains->damage, have + n);
    return undo_chains_damage_get(block.payload, &g_array_index(chains->damage, struct undo_damage, have), n) ||
           damaged(chains, offset, error);
}

/* Gone, of another run or damaged: not whole. Anything else is told. */
bool undo_chains_whole(const struct undo_config *config, bool *ret, GError **error)
{
    GError *failed = NULL;
    auto_(undo_chains) chains = NULL;
    *ret = false;
    if (undo_chains_open(&chains, config, &failed))
        return undo_chains_index_whole(chains->file, &chains->index, ret, error);
    if (error_is(failed, SLUICE_ERROR_NOT_FOUND) || error_is(failed, SLUICE_ERROR_CORRUPT)) {
        g_error_free(failed);
        return true;
    }
    g_propagate_error(error, failed);
    return false;
}

bool undo_chains_open(struct undo_chains **ret, const struct undo_config *config, GError **error)
{
    auto_(undo_chains) chains = g_new0(struct undo_chains, 1);
    chains->config = *config;
    chains->config.dir = g_strdup(config->dir);
    chains->path = undo_path(config, UNDO_CHAINS_NAME);
    chains->mem = arena_new(BLOCK_CAP);
    chains->entries_mem = arena_new(BLOCK_CAP);
    chains->damage = g_array_new(FALSE, TRUE, sizeof(struct undo_damage));
    chains->turns = g_new(struct undo_turn, UNDO_CHAINS_BLOCK);
    if (!blockfile_open(&chains->file, config->world, chains->path, &UNDO_CHAINS_KIND, false, error))
        return false;
    if (memcmp(blockfile_tag(chains->file).data, config->run_uid, UNDO_UID_LEN) != 0)
        return error_set(error, SLUICE_ERROR_CORRUPT, "%s: of another run", chains->path);
    if (!undo_chains_index(chains->file, chains->path, &chains->index, error))
        return false;
    for (guint i = 0; i < chains->index.damage->len; i++)
        if (!read_damage(chains, g_array_index(chains->index.damage, uint64_t, i), error))
            return false;
    *ret = g_steal_pointer(&chains);
    return true;
}

void undo_chains_free(struct undo_chains *chains)
{
    if (!chains)
        return;
    undo_chains_index_done(&chains->index);
    blockfile_free(chains->file);
    blockfile_free(chains->segment);
    arena_free(chains->mem);
    arena_free(chains->entries_mem);
    g_array_unref(chains->damage);
    g_free(chains->turns);
    g_free(chains->path);
    g_free((char *)chains->config.dir);
    g_free(chains);
}

uint64_t undo_chains_count(const struct undo_chains *chains)
{
    return chains->index.end.items;
}

const struct undo_damage *undo_chains_damage(const struct undo_chains *chains, size_t *ret_n)
{
    *ret_n = chains->damage->len;
    return (const struct undo_damage *)(const void *)chains->damage->data;
}

static bool load_turns(struct undo_chains *chains, uint64_t index, GError **error)
{
    uint64_t first = index - index % UNDO_CHAINS_BLOCK;
    uint64_t offset = g_array_index(chains->index.items, uint64_t, first / UNDO_CHAINS_BLOCK);
    struct block block;
    struct undo_chains_items_head head;
    if (chains->turns_n && chains->turns_first == first)
        return true;
    chains->turns_n = 0;
    if (!read_block(chains, offset, &block, error))
        return false;
    if (!undo_chains_items_head_get(block.head, &head) || head.first != first ||
        !undo_turns_get(block.payload, chains->turns, head.count))
        return damaged(chains, offset, error);
    chains->turns_first = first;
    chains->turns_n = head.count;
    return true;
}

/* --- the log ------------------------------------------------------------------------------------------------------ */

static bool load_segment(struct undo_chains *chains, uint32_t segment, GError **error)
{
    if (chains->segment && chains->segment_number == segment)
        return true;
    g_clear_pointer(&chains->segment, blockfile_free);
    chains->segment_number = segment;
    return undo_segment_open(&chains->segment, &chains->config, segment, error);
}

static bool open_entries(struct undo_chains *chains, const struct undo_position *at, GError **error)
{
    struct block block = {0};
    if (!load_segment(chains, at->segment, error))
        return false;
    enum block_result result =
        chains->segment ? blockfile_read(chains->segment, at->offset, false, chains->entries_mem, &block, error)
                        : BLOCK_DAMAGED;
    if (result == BLOCK_FAILED)
        return false;
    chains->entries_lost =
        result != BLOCK_OK || block.type != UNDO_INTENTS || !undo_head_get(block.head, &chains->entries_head);
    chains->entries = block.payload;
    return true;
}

static bool load_entries(struct undo_chains *chains, const struct undo_position *at, GError **error)
{
    if (chains->entries_at.segment == at->segment && chains->entries_at.offset == at->offset)
        return true;
    chains->entries_at.segment = 0;
    arena_reset(chains->entries_mem);
    if (!open_entries(chains, at, error))
        return false;
    if (!chains->entries_lost)
        chains->payload = undo_payload_of(&chains->entries_head, chains->entries);
    chains->entries_at = *at;
    return true;
}

/* The entry at a spot. Spots come sorted, so the reader goes forwards; asked for one behind it, it begins again.
 * *ret_lost: the log has become unreadable there. */
static bool load_entry(struct undo_chains *chains, const struct undo_spot *spot, struct undo_entry *ret, bool *ret_lost,
                       GError **error)
{
    if (!load_entries(chains, &spot->at, error))
        return false;
    if (!chains->entries_lost && spot->entry < chains->payload.next)
        chains->payload = undo_payload_of(&chains->entries_head, chains->entries);
    do {
        chains->entries_lost = chains->entries_lost || !undo_payload_next(&chains->payload, ret);
    } while (!chains->entries_lost && chains->payload.next <= spot->entry);
    *ret_lost = chains->entries_lost;
    return true;
}

/* false: no room in `mem`. */
static bool keep_chain(const struct undo_entry *entry, const struct undo_turn *turn, struct arena *mem,
                       struct undo_chain *ret)
{
    *ret = (struct undo_chain){
        .written = turn->written, .pre_present = entry->pre_present, .pre_expires_at_ms = entry->pre_expires_at_ms};
    return arena_copy(mem, entry->key, &ret->key) &&
           (!entry->pre_present || arena_copy(mem, entry->pre_raw, &ret->pre_raw));
}

bool undo_chains_read(struct undo_chains *chains, uint64_t first, size_t max, struct arena *mem,
                      struct undo_chain_list *ret, GError **error)
{
    uint64_t count = undo_chains_count(chains);
    size_t wanted = (size_t)MIN(max, count - MIN(first, count));
    struct undo_chain_list list = {.chains = arena_alloc(mem, wanted * sizeof *list.chains)};
    for (; list.chains && list.n < wanted; list.n++) {
        struct undo_entry entry;
        bool lost;
        if (!load_turns(chains, first + list.n, error))
            return false;
        const struct undo_turn *turn = &chains->turns[first + list.n - chains->turns_first];
        if (!load_entry(chains, &turn->spot, &entry, &lost, error))
            return false;
        if (lost)
            list.chains[list.n] = (struct undo_chain){.lost = true};
        else if (!keep_chain(&entry, turn, mem, &list.chains[list.n]))
            break;
    }
    if (list.n == 0 && wanted)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "%s: a pre-image is larger than the memory given", chains->path);
    *ret = list;
    return true;
}
