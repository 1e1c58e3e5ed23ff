#include "verify/extras.h"

#include "base/extsort.h"
#include "base/int.h"
#include "base/units.h"
#include "verify/whole.h"

#define BATCH_KEYS  1000u
#define KEYS_BYTES  (64u << 20)
#define SORT_BYTES  (16u << 20)
#define PLACE_BYTES (2u << 20)

/* A key of the target: its digest, and its place in the list of them. Big-endian: bytewise order is theirs. */
struct there {
    uint8_t key[16], place[8];
};

struct extras {
    const struct verify_input *input;
    char *path;           /* the target's keys; NULL: not listed yet */
    uint64_t of;          /* how many */
    char *why;            /* it cannot be told; NULL: it can */
    pthread_mutex_t lock; /* guards what follows; a leaf */
    struct extsort *had;  /* digests of keys that are not extra */
    uint64_t keyless;     /* records of the source that are too broken to have one */
};

/* --- whether it can be told ----------------------------------------------------------------------------------------
 */

/* Other records of the target may be of the other part. */
static const char *part_of_source(const struct verify_input *input)
{
    if (input->only)
        return "source.only";
    if (input->where)
        return "source.where";
    return input->range && input->range->field ? "source.range" : NULL;
}

static bool refuse(const char *why, GError **error)
{
    return error_set(error, SLUICE_ERROR_USAGE, "--extra: %s", why);
}

static bool may_be_asked(const struct verify_input *input, GError **error)
{
    const char *part = part_of_source(input);
    g_autofree char *only =
        g_strdup_printf("the spec takes a part of its source (%s), and what else stands in the target may be of the "
                        "other part",
                        part ? part : "");
    if (input->sure.confidence > 0)
        return refuse("a sample does not look at every key; leave --sample out", error);
    if (input->removes || !input->whole || !input->all_parts)
        return refuse("the run has not written all of the source yet, or is one for a part of it", error);
    if (input->same_dataset)
        return refuse("source and target are one dataset: nothing in it is beyond the source", error);
    if (part)
        return refuse(only, error);
    if (input->target_ds.shadow)
        return refuse("the shadow is not live yet; promote the run first", error);
    return store_driver(input->target)->list || refuse("the target cannot list its keys", error);
}

bool extras_new(struct extras **ret, const struct verify_input *input, GError **error)
{
    struct extsort_shape shape = {.item_len = 16, .key_len = 16, .memory_bytes = SORT_BYTES};
    *ret = NULL;
    if (!input->extra || verify_appends(input)) /* whose files are told without being asked */
        return true;
    if (!may_be_asked(input, error))
        return false;
    struct extras *extras = *ret = g_new0(struct extras, 1);
    g_autofree char *folder = g_path_get_dirname(input->report_path);
    extras->input = input;
    pthread_mutex_init(&extras->lock, NULL);
    return file_make_dirs(input->world, folder, error) &&
           extsort_new(&extras->had, input->world, folder, &shape, error);
}

void extras_free(struct extras *extras)
{
    if (!extras)
        return;
    if (extras->path)
        file_unlink(extras->input->world, extras->path, NULL);
    extsort_free(extras->had);
    pthread_mutex_destroy(&extras->lock);
    g_free(extras->path);
    g_free(extras->why);
    g_free(extras);
}

/* --- what the source has -------------------------------------------------------------------------------------------
 */

/* With the lock held. */
static bool note(struct extras *extras, struct slice key, GError **error)
{
    uint8_t item[16];
    digest_put(digest_bytes(key, extras->input->seed), item);
    return key.len == 0 || extsort_add(extras->had, item, error);
}

/* Of a listed source nobody comes here: all its keys are noted from the listing, whether they were compared one by one
 * or not. */
bool extras_note_source(struct extras *extras, const struct record *records, size_t n, GError **error)
{
    bool ok = true;
    if (!extras)
        return true;
    auto_hold(&extras->lock);
    for (size_t i = 0; ok && i < n; i++) {
        extras->keyless += records[i].key.len == 0;
        ok = note(extras, records[i].key, error);
    }
    return ok;
}

bool extras_note_wanted(struct extras *extras, const GArray *subjects, GError **error)
{
    bool ok = true;
    if (!extras)
        return true;
    auto_hold(&extras->lock);
    for (guint i = 0; ok && i < subjects->len; i++) {
        const struct subject *subject = &g_array_index(subjects, struct subject, i);
        if (!slice_equal(subject->key, subject->from))
            ok = note(extras, subject->key, error);
    }
    return ok;
}

/* --- along a list of keys ------------------------------------------------------------------------------------------
 */

struct along {
    bool (*key)(void *self, struct slice key, uint64_t place, GError **error);
    void *self;
};

static bool go_along(const struct extras *extras, struct listing_reader *listing, const struct along *along,
                     GError **error)
{
    auto_(arena) mem = arena_new(KEYS_BYTES);
    uint64_t place = 0;
    for (uint32_t part = 0; part < listing_reader_totals(listing)->partitions; part++) {
        struct slice *keys;
        size_t n = 1;
        bool ok = listing_reader_seek(listing, part, 0, error);
        while (ok && n > 0) {
            arena_reset(mem);
            ok = listing_reader_next(listing, BATCH_KEYS, mem, &keys, &n, error);
            for (size_t i = 0; ok && i < n; i++)
                ok = along->key(along->self, keys[i], place++, error);
            if (ok && extras->input->cancel && atomic_load(extras->input->cancel))
                return error_set(error, SLUICE_ERROR_CANCELLED, "given up on request");
        }
        if (!ok)
            return false;
    }
    return true;
}

bool extras_list(struct extras *extras, GError **error)
{
    auto_(session) session = NULL;
    struct listing_totals totals;
    if (!extras)
        return true;
    const struct verify_input *input = extras->input;
    extras->path = g_strconcat(input->report_path, ".target", NULL);
    struct listing_wish wish = {.draft = verify_draft(input, extras->path),
                                .cut = {.size = UINT32_MAX},
                                .ds = &input->target_ds,
                                .cancel = input->cancel};
    if (!store_session_open(&session, input->target, error))
        return false;
    wish.session = session;
    if (!listing_make_durable(&wish, &totals, error))
        return error_add(error, "listing the target's keys");
    extras->of = totals.keys;
    return true;
}

/* --- which only the target has -------------------------------------------------------------------------------------
 */

struct judging {
    struct extras *extras;
    struct pass *pass;
    struct extsort *there, *beyond; /* of struct there; of places in the list, big-endian */
    const uint8_t *next;            /* of `beyond` */
    struct arena *mem;              /* of `keys` */
    GArray *keys;                   /* of struct slice: a batch of them */
};

static bool note_listed(void *self, struct slice key, uint64_t place, GError **error)
{
    struct extras *extras = self;
    auto_hold(&extras->lock);
    return note(extras, key, error);
}

static bool sort_there(void *self, struct slice key, uint64_t place, GError **error)
{
    struct judging *judging = self;
    struct there item;
    uint64_t at = GUINT64_TO_BE(place);
    digest_put(digest_bytes(key, judging->extras->input->seed), item.key);
    memcpy(item.place, &at, sizeof item.place);
    return extsort_add(judging->there, &item, error);
}

static bool subtract(struct judging *judging, GError **error)
{
    struct extsort *had = judging->extras->had;
    const uint8_t *there, *noted;
    if (!extsort_finish(had, error) || !extsort_finish(judging->there, error) || !extsort_next(had, &noted, error))
        return false;
    for (;;) {
        int order = -1;
        if (!extsort_next(judging->there, &there, error))
            return false;
        if (!there)
            return extsort_finish(judging->beyond, error);
        while (noted && (order = memcmp(noted, there, 16)) < 0)
            if (!extsort_next(had, &noted, error))
                return false;
        if ((!noted || order != 0) && !extsort_add(judging->beyond, there + offsetof(struct there, place), error))
            return false;
    }
}

/* --- one that is: looked at twice ----------------------------------------------------------------------------------
 */

struct looked {
    struct slice key;
    struct digest first; /* stored, of the first look */
    bool out;            /* it is none */
    bool moved;          /* the application writes it just now */
};

static struct looked *looked_at(const GArray *batch, guint i)
{
    return &g_array_index(batch, struct looked, i);
}

/* Of keys that the source is asked for as they are: after the target, so that what comes to be in both is seen. */
static bool leave_out_source(struct pass *pass, struct looked *looked, size_t n, GError **error)
{
    const struct verify_input *input = pass->input;
    struct call call = pass_call(pass, &input->source_ds);
    if (!input->listed || pass->verification->made_keys)
        return true;
    const struct read_portions by = {.portions = &pass->portions};
    g_autofree struct record *records = g_new0(struct record, n);
    for (size_t i = 0; i < n; i++)
        records[i].key = looked[i].key;
    if (!store_read_portions(pass->source, &call, records, n, &by, error))
        return false;
    for (size_t i = 0; i < n; i++)
        looked[i].out |= records[i].presence != RECORD_ABSENT;
    return true;
}

static struct digest stored_of(const struct record *live)
{
    return live->presence == RECORD_PRESENT ? digest_stored(live->raw, live->expires_at_ms) : (struct digest){0};
}

/* Written since the run was planned, as the record itself says. */
static bool is_newer(const struct verify_input *input, struct slice document)
{
    struct version version;
    return input->version && document.len > 0 && version_of(input->version, document, &version, NULL) &&
           version.kind == VERSION_TIME && version.value / 1000 > input->planned_at_ms - input->skew_ms;
}

static bool tell(struct pass *pass, const struct looked *looked, const struct record *live, GError **error)
{
    const struct verify_input *input = pass->input;
    bool read = live->presence == RECORD_PRESENT;
    struct difference difference = {.class = VERIFY_EXTRA,
                                    .key = looked->key,
                                    .live_expires_at_ms = live->expires_at_ms,
                                    .saw = read ? SAW_RECORD : SAW_NOTHING,
                                    .seen = stored_of(live),
                                    .looks = 2,
                                    .age_ms = input->again_after_ms,
                                    .why =
                                        read ? "in the target, and wanted by nothing in the source" : live->fault.text};
    if (read &&
        !store_decode(store_driver(input->target), &input->target_ds, live->raw, pass->mem, &difference.live, NULL))
        difference.live = SLICE_EMPTY;
    if (looked->moved) {
        difference.class = VERIFY_CHANGED_SINCE;
        difference.why = "not in the source; the application writes it";
    } else if (is_newer(input, difference.live)) {
        difference.class = VERIFY_SUPERSEDED;
        difference.why = "not in the source; written since the run was planned";
    }
    pass_count(pass, difference.class);
    return report_difference(pass->verification, &difference, error);
}

/* A look at all of a batch. */
struct look {
    struct pass *pass;
    GArray *batch;
    struct record *records;
    bool second;
};

static bool take_look(void *self, struct record *records, size_t n, GError **error)
{
    const struct look *look = self;
    struct looked *looked = looked_at(look->batch, (guint)(records - look->records));
    if (!leave_out_source(look->pass, looked, n, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct digest stored = stored_of(&records[i]);
        looked[i].out |= records[i].presence == RECORD_ABSENT;
        looked[i].moved = !digest_equal(looked[i].first, stored);
        if (look->second && !looked[i].out && !tell(look->pass, &looked[i], &records[i], error))
            return false;
        looked[i].first = stored;
    }
    return true;
}

static bool look_at(struct pass *pass, GArray *batch, bool second, GError **error)
{
    struct call call = pass_call(pass, &pass->input->target_ds);
    g_autofree struct record *records = g_new0(struct record, batch->len);
    struct look look = {.pass = pass, .batch = batch, .records = records, .second = second};
    const struct read_portions by = {.portions = &pass->portions, .take = take_look, .self = &look};
    arena_reset(pass->mem);
    for (guint i = 0; i < batch->len; i++)
        records[i].key = looked_at(batch, i)->key;
    return store_read_portions(pass->target, &call, records, batch->len, &by, error);
}

static bool judge_batch(struct pass *pass, GArray *batch, GError **error)
{
    const struct verify_input *input = pass->input;
    if (batch->len == 0)
        return true;
    if (!look_at(pass, batch, false, error))
        return false;
    world_sleep_us(input->world, input->again_after_ms * 1000, input->cancel);
    return look_at(pass, batch, true, error);
}

static bool judge_kept(struct judging *judging, GError **error)
{
    bool ok = judge_batch(judging->pass, judging->keys, error);
    g_array_set_size(judging->keys, 0);
    arena_reset(judging->mem);
    return ok;
}

/* The list goes by in its order, and so do the places. */
static bool keep_beyond(void *self, struct slice key, uint64_t place, GError **error)
{
    struct judging *judging = self;
    struct looked looked = {0};
    uint64_t at;
    if (judging->next)
        memcpy(&at, judging->next, sizeof at);
    if (!judging->next || GUINT64_FROM_BE(at) != place)
        return true;
    if (!arena_copy(judging->mem, key, &looked.key))
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a batch does not fit into its memory");
    g_array_append_val(judging->keys, looked);
    return extsort_next(judging->beyond, &judging->next, error) &&
           (judging->keys->len < BATCH_KEYS || judge_kept(judging, error));
}

/* --- all of them ---------------------------------------------------------------------------------------------------
 */

static bool find_beyond(struct judging *judging, GError **error)
{
    struct extras *extras = judging->extras;
    const struct verify_input *input = extras->input;
    auto_(listing_reader) listing = NULL;
    struct along note = {note_listed, extras}, sort = {sort_there, judging}, keep = {keep_beyond, judging};
    if (!listing_reader_open(&listing, input->world, extras->path, NULL, error) ||
        (input->listed && !go_along(extras, judging->pass->listing, &note, error)))
        return false;
    return go_along(extras, listing, &sort, error) && subtract(judging, error) &&
           extsort_next(judging->beyond, &judging->next, error) && go_along(extras, listing, &keep, error) &&
           judge_kept(judging, error);
}

/* What a key of the target could be of all the same. Where the transform makes keys, that is any record that it was not
 * shown, or that it refused. */
static char *unknown(const struct extras *extras, const struct verification *verification)
{
    const struct found *found = &verification->found;
    char keyless[UNITS_TEXT], refused[UNITS_TEXT], came_up[UNITS_TEXT];
    if (extras->keyless)
        return g_strdup_printf("%s records of the source are too broken to have a key, and whose they are is not known",
                               units_count(extras->keyless, keyless));
    if (!verification->made_keys)
        return NULL;
    if (found->of[VERIFY_REFUSED])
        return g_strdup_printf("%s records of the source were refused, and which keys they would have is not known",
                               units_count(found->of[VERIFY_REFUSED], refused));
    if (found->of[VERIFY_APPEARED] + found->of[VERIFY_UNVISITED])
        return g_strdup_printf(
            "%s records of the source came up after its listing, and which keys they would have is not known",
            units_count(found->of[VERIFY_APPEARED] + found->of[VERIFY_UNVISITED], came_up));
    return NULL;
}

bool extras_judge(struct extras *extras, struct pass *pass, GError **error)
{
    if ((extras->why = unknown(extras, pass->verification)))
        return true;
    const struct world *world = extras->input->world;
    g_autofree char *folder = g_path_get_dirname(extras->input->report_path);
    struct extsort_shape there = {.item_len = sizeof(struct there), .key_len = 16, .memory_bytes = SORT_BYTES};
    struct extsort_shape places = {.item_len = 8, .key_len = 8, .memory_bytes = PLACE_BYTES};
    g_autoptr(GArray) keys = g_array_new(FALSE, FALSE, sizeof(struct looked));
    struct judging judging = {.extras = extras, .pass = pass, .keys = keys, .mem = arena_new(KEYS_BYTES)};
    bool ok = extsort_new(&judging.there, world, folder, &there, error) &&
              extsort_new(&judging.beyond, world, folder, &places, error) && find_beyond(&judging, error);
    extsort_free(judging.there);
    extsort_free(judging.beyond);
    arena_free(judging.mem);
    return ok;
}

/* --- told ----------------------------------------------------------------------------------------------------------
 */

bool extras_told(const struct extras *extras)
{
    return !extras || !extras->why;
}

void extras_words(const struct extras *extras, GString *into)
{
    char of[UNITS_TEXT];
    if (extras && extras->why)
        g_string_append_printf(into, "; what the target has beyond the source cannot be told: %s", extras->why);
    else if (extras)
        g_string_append_printf(into, "; %s keys of the target were held against the source",
                               units_count(extras->of, of));
}

json_t *extras_json(const struct extras *extras)
{
    return json_pack("{s:I, s:s?}", "keys", (json_int_t)extras->of, "why", extras->why);
}
