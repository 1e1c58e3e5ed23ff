#include <stdlib.h>

#include "base/extsort.h"
#include "undo/chains_format.h"
#include "undo/settled.h"
#include "undo/walk.h"

enum {
    SORT_BYTES = 12 << 20, /* each of the two sorters */
    DAMAGE_AT_ONCE = 4096,
};

struct build {
    const struct undo_config *config;
    const struct undo_filter *filter; /* NULL: all forward partitions */
    struct undo_settled *settled;
    struct undo_walk walk;         /* of the second pass */
    GArray *open;                  /* of struct undo_head: of each part its newest intents, until their outcomes come */
    uint64_t open_from;            /* the lowest sequence of them, and of the block at hand */
    GArray *damage;                /* of struct undo_damage: what the chains say is lost */
    GArray *unread;                /* of struct undo_block: outcomes that do not verify, though their heads do */
    GArray *unknown;               /* of struct undo_damage: entries of which nothing tells the outcome */
    uint64_t *applied;             /* of each part asked for: entries that were applied; NULL: filter->written is */
    uint64_t *counts;              /* of them, that of the block at hand; NULL: none */
    struct undo_damage unsettled;  /* the first entries that nobody has settled; keys 0: none */
    bool unreadable;               /* some damage hides what it was: perhaps outcomes */
    struct extsort *links, *turns; /* NULL: nothing but what is lost is wanted */
    struct arena *mem;
};

static int by_part(const void *key, const void *element)
{
    uint32_t part = *(const uint32_t *)key, other = *(const uint32_t *)element;
    return (part > other) - (part < other);
}

static const uint32_t *find_part(const struct undo_filter *filter, uint32_t part)
{
    return filter->n == 0 ? NULL : bsearch(&part, filter->parts, filter->n, sizeof *filter->parts, by_part);
}

static bool asked(const struct undo_filter *filter, uint32_t part)
{
    if (undo_part_is_back(part) || (!filter && part >= UNDO_PROMOTION_PART))
        return false;
    return !filter || find_part(filter, part) != NULL;
}

/* Whether keys of the partition go back: of one that is back already none do, what became of them. */
static bool stands(const struct undo_filter *filter, uint32_t part)
{
    if (!asked(filter, part))
        return false;
    return !filter || !filter->back || !filter->back[find_part(filter, part) - filter->parts];
}

/* --- the first pass: outcomes ------------------------------------------------------------------------------------- */

static bool add_outcomes(struct build *build, struct undo_walk *walk, const struct undo_block *block, GError **error)
{
    struct slice applied;
    bool whole;
    arena_reset(build->mem);
    if (!undo_walk_payload(walk, block, build->mem, &applied, &whole, error))
        return false;
    if (whole && undo_outcomes_whole(&block->head, applied))
        undo_settled_add(build->settled, &block->head, applied);
    else
        g_array_append_val(build->unread, *block);
    return true;
}

static bool read_outcomes(struct build *build, GError **error)
{
    struct undo_walk walk;
    struct undo_block block;
    if (!undo_walk_open(&walk, build->config, (struct undo_position){0, 0}, error))
        return false;
    bool ok = true;
    for (bool over = false; ok && !over;) {
        ok = undo_walk_next(&walk, &block, &over, error);
        if (ok && !over && block.type == UNDO_OUTCOMES)
            ok = add_outcomes(build, &walk, &block, error);
    }
    size_t n = 0;
    if (ok)
        undo_walk_damage(&walk, &n);
    build->unreadable = n > 0; /* also where a log was cut off below what was synced: that looks like a torn end */
    undo_walk_done(&walk);
    return ok;
}

/* --- the second pass: entries ------------------------------------------------------------------------------------- */

/* Whether the outcome of this number stood in a block that was lost. */
static bool outcome_lost(const struct build *build, const struct undo_entry *entry)
{
    for (guint i = 0; i < build->unread->len; i++) {
        const struct undo_head *head = &g_array_index(build->unread, struct undo_block, i).head;
        if (head->part == entry->part && head->lane == entry->lane && entry->number >= head->first_number &&
            entry->number - head->first_number < head->count)
            return true;
    }
    return build->unreadable;
}

static void lose(GArray *into, const struct undo_damage *damage)
{
    g_array_append_val(into, *damage);
}

/* Entries that follow one another are one row. */
static void lose_one(GArray *into, const struct undo_damage *one)
{
    struct undo_damage *last = into->len ? &g_array_index(into, struct undo_damage, into->len - 1) : NULL;
    if (last && last->at.segment == one->at.segment && last->at.offset == one->at.offset &&
        last->first_number + last->keys == one->first_number)
        last->keys++;
    else
        lose(into, one);
}

/* An entry of unknown outcome: lost where the outcome is, else decided by how many writes are known elsewhere. */
static void take_unknown(struct build *build, const struct undo_block *block, const struct undo_entry *entry)
{
    struct undo_damage one = {.at = block->at,
                              .part = entry->part,
                              .lane = entry->lane,
                              .first_number = entry->number,
                              .keys = 1,
                              .proven = true};
    lose_one(outcome_lost(build, entry) ? build->damage : build->unknown, &one);
}

/* A part's number of applied entries; NULL: they are not counted. */
static uint64_t *applied_of(const struct build *build, uint32_t part)
{
    const uint32_t *at = build->applied ? find_part(build->filter, part) : NULL;
    return at ? &build->applied[at - build->filter->parts] : NULL;
}

static bool add_link(struct build *build, const struct undo_block *block, const struct undo_entry *entry, uint32_t i,
                     GError **error)
{
    struct undo_link link = {.key = digest_bytes(entry->key, 0),
                             .sequence = entry->sequence,
                             .spot = {.at = block->at, .entry = i},
                             .part = entry->part,
                             .open_from = build->open_from,
                             .written = entry->written};
    if (entry->pre_present)
        link.pre = digest_stored(entry->pre_raw, entry->pre_expires_at_ms);
    if (stands(build->filter, entry->part))
        link.flags |= UNDO_LINK_ASKED;
    if (undo_part_is_back(entry->part))
        link.flags |= UNDO_LINK_BACK;
    if (entry->pre_present && entry->pre_expires_at_ms != EXPIRES_NEVER)
        link.flags |= UNDO_LINK_PRE_EXPIRES;
    uint8_t item[UNDO_LINK_LEN];
    undo_link_put(&link, item);
    return extsort_add(build->links, item, error);
}

/* Whether the rollback that the chains are for has written it itself. */
static bool is_own(const struct undo_filter *filter, uint32_t part)
{
    return filter && filter->own_from > 0 && part >= filter->own_from && undo_part_is_back(part);
}

/* Whether what the promotion of a shadow wrote is asked for. Where it is not, it is passed over: the chains of what
 * stands in the shadow are the same before and behind it. */
static bool asks_promoted(const struct undo_filter *filter)
{
    return filter && filter->n > 0 && filter->parts[filter->n - 1] >= UNDO_PROMOTION_PART;
}

/* What a rollback of its own left unsettled, or partitions that are not asked for, is not for this one to say. */
static bool add_entry(struct build *build, const struct undo_block *block, const struct undo_entry *entry, uint32_t i,
                      GError **error)
{
    if (is_own(build->filter, entry->part) || (entry->part >= UNDO_PROMOTION_PART && !asks_promoted(build->filter)))
        return true;
    enum undo_state state = undo_settled_ask(build->settled, entry->part, entry->lane, entry->number);
    if (state == UNDO_APPLIED && build->counts)
        ++*build->counts;
    if (state == UNDO_APPLIED && build->links)
        return add_link(build, block, entry, i, error);
    if (state == UNDO_UNKNOWN && asked(build->filter, entry->part))
        take_unknown(build, block, entry);
    return true;
}

static bool payload_sound(const struct undo_block *block, struct slice bytes)
{
    struct undo_payload payload = undo_payload_of(&block->head, bytes);
    struct undo_entry entry;
    while (undo_payload_next(&payload, &entry))
        continue;
    return undo_payload_whole(&payload);
}

static bool add_entries(struct build *build, const struct undo_block *block, GError **error)
{
    struct slice bytes;
    bool whole;
    arena_reset(build->mem);
    if (!undo_walk_payload(&build->walk, block, build->mem, &bytes, &whole, error))
        return false;
    if (!whole)
        return true;
    if (!payload_sound(block, bytes)) {
        undo_walk_damaged(&build->walk, block);
        return true;
    }
    struct undo_payload payload = undo_payload_of(&block->head, bytes);
    struct undo_entry entry;
    build->counts = applied_of(build, block->head.part);
    while (undo_payload_next(&payload, &entry))
        if (!add_entry(build, block, &entry, payload.next - 1, error))
            return false;
    return true;
}

/* What is open as this block was logged. A part that logs once more has heard of what it logged before. */
static void note_open(struct build *build, const struct undo_block *block)
{
    const struct undo_head *head = &block->head;
    GArray *open = build->open;
    for (guint i = open->len; i-- > 0;) {
        const struct undo_head *of = &g_array_index(open, struct undo_head, i);
        bool heard = block->type == UNDO_INTENTS ||
                     (of->lane == head->lane && of->first_number + of->count <= head->first_number + head->count);
        if (of->part == head->part && heard)
            g_array_remove_index_fast(open, i);
    }
    if (block->type != UNDO_INTENTS)
        return;
    g_array_append_val(open, *head);
    build->open_from = head->first_sequence;
    for (guint i = 0; i < open->len; i++)
        build->open_from = MIN(build->open_from, g_array_index(open, struct undo_head, i).first_sequence);
}

static bool read_entries(struct build *build, GError **error)
{
    struct undo_block block;
    for (bool over = false; !over;) {
        if (!undo_walk_next(&build->walk, &block, &over, error))
            return false;
        if (!over)
            note_open(build, &block);
        if (!over && block.type == UNDO_INTENTS && !add_entries(build, &block, error))
            return false;
    }
    return true;
}

/* --- what is lost ------------------------------------------------------------------------------------------------- */

/* Of a block of intents whose head was read: how many of its numbers are known to be applied, or may be. */
static uint32_t lost_of(struct build *build, const struct undo_damage *damage)
{
    struct undo_settled_range range = {damage->part, damage->lane, damage->first_number, damage->keys};
    struct undo_settled_count count = undo_settled_ask_range(build->settled, &range);
    return count.applied + (damage->proven ? count.unknown : 0);
}

static void lose_left(void *self, uint32_t part, uint32_t lane, uint64_t first_number, uint32_t n)
{
    struct build *build = self;
    struct undo_damage damage = {.part = part, .lane = lane, .first_number = first_number, .keys = n, .proven = true};
    if (asked(build->filter, part))
        lose(build->damage, &damage);
}

/* Blocks that hide what they held are listed where they are proven; what was applied of them is known by number. A
 * block that a crash tore is no loss: nothing of it was sent. */
static void list_losses(struct build *build)
{
    size_t n;
    const struct undo_damage *all = undo_walk_damage(&build->walk, &n);
    for (size_t i = 0; i < n; i++) {
        struct undo_damage damage = all[i];
        if (damage.part == UINT32_MAX && damage.proven)
            lose(build->damage, &damage);
        if (damage.part == UINT32_MAX || !asked(build->filter, damage.part))
            continue;
        damage.keys = lost_of(build, &damage);
        if (damage.keys)
            lose(build->damage, &damage);
    }
    struct undo_settled_left left = {.run = lose_left, .self = build};
    undo_settled_left(build->settled, &left);
}

/* --- what is known elsewhere -------------------------------------------------------------------------------------- */

/* How many applied writes of the part at this place the log has lost without a trace so far. */
static uint64_t missing_of(const struct build *build, size_t at)
{
    uint64_t shown = build->applied[at];
    for (guint i = 0; i < build->damage->len; i++) {
        const struct undo_damage *damage = &g_array_index(build->damage, struct undo_damage, i);
        shown += damage->part == build->filter->parts[at] ? damage->keys : 0;
    }
    return build->filter->written[at] - MIN(shown, build->filter->written[at]);
}

/* A log that was cut off where a block ends looks whole. Entries whose outcomes are gone were applied as far as writes
 * are missing; what is missing beyond them went with its entries. */
static void lose_cut_off(struct build *build, size_t at)
{
    uint32_t part = build->filter->parts[at];
    uint64_t missing = missing_of(build, at);
    for (guint i = 0; i < build->unknown->len && missing > 0; i++) {
        struct undo_damage *unknown = &g_array_index(build->unknown, struct undo_damage, i);
        if (unknown->part != part)
            continue;
        struct undo_damage lost = *unknown;
        lost.keys = (uint32_t)MIN(missing, lost.keys);
        missing -= lost.keys;
        unknown->keys = 0;
        lose(build->damage, &lost);
    }
    struct undo_damage rest = {.part = part, .keys = (uint32_t)MIN(missing, UINT32_MAX), .proven = true};
    if (missing > 0)
        lose(build->damage, &rest);
}

/* By a process that had slept while others took its partition up. */
static bool is_late(const struct build *build, const struct undo_damage *unknown)
{
    const struct undo_filter *filter = build->filter;
    const uint32_t *at = filter && filter->lanes ? find_part(filter, unknown->part) : NULL;
    return at && unknown->lane < filter->lanes[at - filter->parts];
}

static void compare_counts(struct build *build)
{
    for (size_t i = 0; build->applied && i < build->filter->n; i++)
        if (build->applied[i] < build->filter->written[i])
            lose_cut_off(build, i);
    for (guint i = build->unknown->len; i-- > 0;) {
        const struct undo_damage *unknown = &g_array_index(build->unknown, struct undo_damage, i);
        if (unknown->keys > 0 && !is_late(build, unknown))
            build->unsettled = *unknown;
    }
}

static bool all_settled(const struct build *build, GError **error)
{
    const struct undo_damage *first = &build->unsettled;
    if (!first->keys)
        return true;
    return error_set(error, SLUICE_ERROR_INTERNAL,
                     "%s: partition %u: write %" G_GUINT64_FORMAT " of lane %u was never settled; resume the run first",
                     build->config->dir, first->part, (guint64)first->first_number, first->lane);
}

/* --- by key, then by place ---------------------------------------------------------------------------------------- */

static bool add_turn(struct build *build, GArray *links, GError **error)
{
    struct undo_turn turn;
    uint8_t item[UNDO_TURN_LEN];
    bool any = undo_turn_of((struct undo_link *)(void *)links->data, links->len, &turn);
    g_array_set_size(links, 0);
    if (!any)
        return true;
    undo_turn_put(&turn, item);
    return extsort_add(build->turns, item, error);
}

static bool group_by_key(struct build *build, GError **error)
{
    g_autoptr(GArray) links = g_array_new(FALSE, FALSE, sizeof(struct undo_link));
    if (!extsort_finish(build->links, error))
        return false;
    for (const uint8_t *item;;) {
        struct undo_link link = {0};
        if (!extsort_next(build->links, &item, error))
            return false;
        if (item)
            undo_link_get(item, &link);
        bool ends = links->len && !(item && digest_equal(g_array_index(links, struct undo_link, 0).key, link.key));
        if (ends && !add_turn(build, links, error))
            return false;
        if (!item)
            return extsort_finish(build->turns, error);
        g_array_append_val(links, link);
    }
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static bool write_block(struct blockfile *file, enum undo_chains_type type, const GByteArray *head,
                        const GByteArray *payload, GError **error)
{
    struct block_draft draft = {.type = (uint16_t)type,
                                .head = slice_of(head->data, head->len),
                                .payload = payload ? slice_of(payload->data, payload->len) : SLICE_EMPTY};
    return blockfile_append(file, &draft, NULL, error);
}

static bool write_items(struct build *build, struct blockfile *file, GError **error)
{
    g_autofree struct undo_turn *turns = g_new(struct undo_turn, UNDO_CHAINS_BLOCK);
    uint64_t total = extsort_count(build->turns);
    for (uint64_t first = 0; first < total; first += UNDO_CHAINS_BLOCK) {
        uint32_t n = (uint32_t)MIN(total - first, UNDO_CHAINS_BLOCK);
        for (uint32_t i = 0; i < n; i++) {
            const uint8_t *item;
            if (!extsort_next(build->turns, &item, error))
                return false;
            undo_turn_get(item, &turns[i]);
        }
        g_autoptr(GByteArray) head = g_byte_array_new(), payload = g_byte_array_new();
        undo_chains_items_head_put(&(struct undo_chains_items_head){.first = first, .count = n}, head);
        undo_turns_put(turns, n, payload);
        if (!write_block(file, UNDO_CHAINS_ITEMS, head, payload, error))
            return false;
    }
    return true;
}

static bool write_damage(const struct build *build, struct blockfile *file, GError **error)
{
    const struct undo_damage *damage = (const struct undo_damage *)(const void *)build->damage->data;
    for (guint first = 0; first < build->damage->len; first += DAMAGE_AT_ONCE) {
        guint n = MIN(build->damage->len - first, DAMAGE_AT_ONCE);
        g_autoptr(GByteArray) head = g_byte_array_new(), payload = g_byte_array_new();
        put_u32(head, n);
        undo_chains_damage_put(damage + first, n, payload);
        if (!write_block(file, UNDO_CHAINS_DAMAGE, head, payload, error))
            return false;
    }
    return true;
}

static bool write_end(const struct build *build, struct blockfile *file, GError **error)
{
    g_autoptr(GByteArray) head = g_byte_array_new();
    undo_chains_end_put(&(struct undo_chains_end){extsort_count(build->turns), build->walk.end}, head);
    return write_block(file, UNDO_CHAINS_END, head, NULL, error) && blockfile_sync_durable(file, error);
}

static bool write_chains_durable(struct build *build, GError **error)
{
    const struct undo_config *config = build->config;
    g_autofree char *path = undo_path(config, UNDO_CHAINS_NAME), *draft = undo_path(config, UNDO_CHAINS_DRAFT);
    uint8_t tag[UNDO_CHAINS_TAG_LEN];
    auto_(blockfile) file = NULL;
    undo_chains_tag_put(config, build->filter, tag);
    if (!file_unlink(config->world, draft, error) ||
        !blockfile_create(&file, config->world, draft, &UNDO_CHAINS_KIND, slice_of(tag, sizeof tag), error) ||
        !write_items(build, file, error) || !write_damage(build, file, error) || !write_end(build, file, error))
        return false;
    world_point(config->world, "undo.chains.draft");
    if (!file_rename_durable(config->world, draft, path, error))
        return false;
    world_point(config->world, "undo.chains.made");
    return true;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

/* Whether the forward partitions asked for have written since. */
static bool log_went_on(const struct build *build, struct undo_position upto, bool *ret, GError **error)
{
    struct undo_walk walk;
    struct undo_block block;
    GError *failed = NULL;
    *ret = true;
    if (!undo_walk_open(&walk, build->config, upto, &failed)) {
        bool shorter = error_is(failed, SLUICE_ERROR_CORRUPT);
        if (shorter)
            g_error_free(failed);
        else
            g_propagate_error(error, failed);
        return shorter;
    }
    bool ok = true, found = false;
    for (bool over = false; ok && !over && !found;) {
        ok = undo_walk_next(&walk, &block, &over, error);
        found = ok && !over && asked(build->filter, block.head.part);
    }
    undo_walk_done(&walk);
    *ret = found;
    return ok;
}

/* Whether chains stand there that are whole, of the same partitions, and of all that these have written. */
static bool already_made(const struct build *build, bool *ret, GError **error)
{
    g_autofree char *path = undo_path(build->config, UNDO_CHAINS_NAME);
    auto_(blockfile) file = NULL;
    struct undo_chains_index index;
    uint8_t tag[UNDO_CHAINS_TAG_LEN];
    *ret = false;
    undo_chains_tag_put(build->config, build->filter, tag);
    if (!blockfile_open(&file, build->config->world, path, &UNDO_CHAINS_KIND, false, NULL) ||
        memcmp(blockfile_tag(file).data, tag, sizeof tag) != 0 || !undo_chains_index(file, path, &index, NULL))
        return true;
    bool went_on = false, whole = false;
    bool ok = undo_chains_index_whole(file, &index, &whole, error) &&
              (!whole || log_went_on(build, index.end.upto, &went_on, error));
    *ret = ok && whole && !went_on;
    undo_chains_index_done(&index);
    return ok;
}

static bool sorters_new(struct build *build, GError **error)
{
    static const struct extsort_shape links = {UNDO_LINK_LEN, UNDO_LINK_SORTED, SORT_BYTES};
    static const struct extsort_shape turns = {UNDO_TURN_LEN, UNDO_TURN_SORTED, SORT_BYTES};
    const struct undo_config *config = build->config;
    return extsort_new(&build->links, config->world, config->dir, &links, error) &&
           extsort_new(&build->turns, config->world, config->dir, &turns, error);
}

/* The whole log, twice. */
static bool read_log(struct build *build, GError **error)
{
    if (!undo_walk_open(&build->walk, build->config, (struct undo_position){0, 0}, error))
        return false;
    bool ok = read_outcomes(build, error) && read_entries(build, error);
    if (ok) {
        list_losses(build);
        compare_counts(build);
    }
    undo_walk_done(&build->walk);
    return ok;
}

static bool make_chains_durable(struct build *build, GError **error)
{
    return sorters_new(build, error) && read_log(build, error) && all_settled(build, error) &&
           group_by_key(build, error) && write_chains_durable(build, error);
}

static void build_init(struct build *build, const struct undo_config *config, const struct undo_filter *filter)
{
    *build = (struct build){.config = config,
                            .filter = filter,
                            .settled = undo_settled_new(),
                            .open = g_array_new(FALSE, FALSE, sizeof(struct undo_head)),
                            .damage = g_array_new(FALSE, FALSE, sizeof(struct undo_damage)),
                            .unread = g_array_new(FALSE, FALSE, sizeof(struct undo_block)),
                            .unknown = g_array_new(FALSE, FALSE, sizeof(struct undo_damage)),
                            .applied = filter && filter->written ? g_new0(uint64_t, filter->n + 1) : NULL,
                            .mem = arena_new(PAYLOAD_CAP)};
}

static void build_done(struct build *build)
{
    extsort_free(build->links);
    extsort_free(build->turns);
    arena_free(build->mem);
    g_array_unref(build->open);
    g_array_unref(build->damage);
    g_array_unref(build->unread);
    g_array_unref(build->unknown);
    g_free(build->applied);
    undo_settled_free(build->settled);
}

bool undo_chains_build(const struct undo_config *config, const struct undo_filter *filter, GError **error)
{
    struct build build;
    bool made = false;
    build_init(&build, config, filter);
    bool ok = already_made(&build, &made, error) && (made || make_chains_durable(&build, error));
    build_done(&build);
    return ok;
}

bool undo_chains_losses(const struct undo_config *config, const struct undo_filter *filter, GArray *into,
                        GError **error)
{
    struct build build;
    build_init(&build, config, filter);
    bool ok = read_log(&build, error);
    if (ok)
        g_array_append_vals(into, build.damage->data, build.damage->len);
    build_done(&build);
    return ok;
}

bool undo_chains_drop_durable(const struct undo_config *config, GError **error)
{
    g_autofree char *path = undo_path(config, UNDO_CHAINS_NAME);
    if (!file_exists(config->world, path))
        return true;
    return file_unlink(config->world, path, error) && file_sync_dir_durable(config->world, config->dir, error);
}
