#include "base/groupsync.h"
#include "base/lock.h"
#include "quarantine/sealed.h"

/* What is known of a partition's rows. */
struct part_rows {
    uint64_t highest; /* checkpoint number of any row */
    uint32_t lane;    /* appends of lower ones are refused */
};

struct quarantine {
    const struct world *world;
    char *path;
    struct line_whose whose;
    struct groupsync group;

    pthread_mutex_t append; /* guards what follows */
    struct file *file;      /* NULL before the first refusal */
    uint64_t end;           /* of the file */
    uint64_t tickets;       /* appends so far */
    uint64_t next_number, count;
    uint64_t turn;         /* the number of the row that is appended next */
    pthread_cond_t turned; /* it has moved */
    bool named;            /* the directory knows the file durably */
    GHashTable *parts;     /* part → struct part_rows */
    GError *stuck;         /* why nothing more can be appended */
};

static struct part_rows *rows_of(struct quarantine *quarantine, uint32_t part)
{
    struct part_rows *rows = g_hash_table_lookup(quarantine->parts, GUINT_TO_POINTER(part));
    if (!rows) {
        rows = g_new0(struct part_rows, 1);
        g_hash_table_insert(quarantine->parts, GUINT_TO_POINTER(part), rows);
    }
    return rows;
}

static void know_row(struct quarantine *quarantine, const struct line_head *head)
{
    struct part_rows *rows = rows_of(quarantine, head->part);
    rows->highest = MAX(rows->highest, head->checkpoint);
    quarantine->next_number = MAX(quarantine->next_number, head->number + 1);
    quarantine->count++;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

/* Reads what stands there; *ret_end is where its last whole line ends. */
static bool read_rows(struct quarantine *quarantine, struct line_feed *feed, uint64_t *ret_end, GError **error)
{
    struct line_head head;
    struct slice line;
    enum line_result result = line_open(feed, &quarantine->whose, error);
    uint64_t end = result == LINE_OK ? line_feed_here(feed) : 0;
    while (result == LINE_OK) {
        result = line_next(feed, &line, error);
        if (result == LINE_OK)
            end = line_feed_here(feed);
        if (result == LINE_OK && line_get(line, &head))
            know_row(quarantine, &head);
    }
    *ret_end = end;
    return result != LINE_FAILED;
}

/* The first line is written with the file, so that only a crash leaves one without. */
static bool write_first(struct quarantine *quarantine, struct file *file, uint64_t *ret_end, GError **error)
{
    g_autofree char *first = line_first(&quarantine->whose);
    if (!file_append(file, slice_of_text(first), NULL, error))
        return false;
    *ret_end = strlen(first);
    return true;
}

static bool take_file(struct quarantine *quarantine, struct file *file, GError **error)
{
    uint64_t size;
    struct line_feed feed;
    line_feed_init(&feed, file);
    bool ok = read_rows(quarantine, &feed, &quarantine->end, error);
    line_feed_done(&feed);
    return ok && file_size(file, &size, error) &&
           (size == quarantine->end || file_truncate(file, quarantine->end, error)) &&
           (quarantine->end > 0 || write_first(quarantine, file, &quarantine->end, error));
}

bool quarantine_open(struct quarantine **ret, const struct quarantine_config *config, GError **error)
{
    auto_(quarantine) quarantine = g_new0(struct quarantine, 1);
    GError *failed = NULL;
    *quarantine = (struct quarantine){.world = config->world, .path = g_strdup(config->path), .next_number = 1};
    quarantine->parts = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    groupsync_init(&quarantine->group);
    pthread_mutex_init(&quarantine->append, NULL);
    pthread_cond_init(&quarantine->turned, NULL);
    if (!line_whose_find(&quarantine->whose, config, error))
        return false;
    bool there = file_open(&quarantine->file, config->world, config->path, FILE_UPDATE, &failed);
    if (there ? !take_file(quarantine, quarantine->file, error) : !error_forgive(failed, SLUICE_ERROR_NOT_FOUND, error))
        return false;
    quarantine->turn = quarantine->next_number;
    *ret = g_steal_pointer(&quarantine);
    return true;
}

void quarantine_free(struct quarantine *quarantine)
{
    if (!quarantine)
        return;
    file_free(quarantine->file);
    seal_forget(&quarantine->whose.key);
    g_hash_table_unref(quarantine->parts);
    groupsync_done(&quarantine->group);
    pthread_cond_destroy(&quarantine->turned);
    pthread_mutex_destroy(&quarantine->append);
    g_clear_error(&quarantine->stuck);
    g_free(quarantine->path);
    g_free(quarantine);
}

uint64_t quarantine_count(struct quarantine *quarantine)
{
    auto_hold(&quarantine->append);
    return quarantine->count;
}

/* --- appending ---------------------------------------------------------------------------------------------------- */

/* Numbers are taken before the lines are made, so that no JSON is written under the lock. */
static uint64_t take_numbers(struct quarantine *quarantine, size_t n)
{
    auto_hold(&quarantine->append);
    uint64_t first = quarantine->next_number;
    quarantine->next_number += n;
    return first;
}

static bool make_lines(const struct line_whose *whose, const struct quarantine_batch *batch, uint64_t first_number,
                       GString *into, GError **error)
{
    struct line_head head = {.part = batch->part, .lane = batch->lane, .checkpoint = batch->checkpoint};
    for (size_t i = 0; i < batch->n; i++) {
        head.number = first_number + i;
        if (!line_put(whose, &head, &batch->rows[i], into, error))
            return false;
    }
    return true;
}

static bool make_file(struct quarantine *quarantine, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(quarantine->path);
    auto_(file) file = NULL;
    if (!file_make_dirs(quarantine->world, dir, error) ||
        !file_open(&file, quarantine->world, quarantine->path, FILE_REPLACE, error) ||
        !write_first(quarantine, file, &quarantine->end, error))
        return false;
    quarantine->file = g_steal_pointer(&file);
    return true;
}

/* What was half written is taken back; where that fails too, nothing may follow it. */
static bool append_text(struct quarantine *quarantine, const GString *text, GError **error)
{
    if (file_append(quarantine->file, slice_of(text->str, text->len), NULL, error)) {
        quarantine->end += text->len;
        return true;
    }
    file_truncate(quarantine->file, quarantine->end, &quarantine->stuck);
    return false;
}

static bool append_lines(struct quarantine *quarantine, const struct quarantine_batch *batch, const GString *text,
                         GError **error)
{
    struct part_rows *rows = rows_of(quarantine, batch->part);
    if (quarantine->stuck) {
        g_propagate_error(error, g_error_copy(quarantine->stuck));
        return false;
    }
    if (batch->lane < rows->lane)
        return error_set(error, SLUICE_ERROR_FENCED, "partition %u: lane %u is closed, lane %u was granted",
                         batch->part, batch->lane, rows->lane);
    if ((!quarantine->file && !make_file(quarantine, error)) || !append_text(quarantine, text, error))
        return false;
    rows->highest = MAX(rows->highest, batch->checkpoint);
    quarantine->count += batch->n;
    quarantine->tickets++;
    return true;
}

/* Rows stand in the order of their numbers, so that who reads on behind a number misses none: whoever has taken numbers
 * waits for those before, also where nothing comes of them. `text` NULL: nothing comes of these. */
static bool append_in_turn(struct quarantine *quarantine, const struct quarantine_batch *batch, uint64_t first,
                           const GString *text, GError **error)
{
    auto_hold(&quarantine->append);
    while (quarantine->turn != first)
        pthread_cond_wait(&quarantine->turned, &quarantine->append);
    bool done = text && append_lines(quarantine, batch, text, error);
    quarantine->turn = first + batch->n;
    pthread_cond_broadcast(&quarantine->turned);
    return done;
}

bool quarantine_append(struct quarantine *quarantine, const struct quarantine_batch *batch, GError **error)
{
    if (!groupsync_usable(&quarantine->group, error))
        return false;
    if (batch->n == 0)
        return true;
    g_autoptr(GString) text = g_string_new(NULL);
    uint64_t first = take_numbers(quarantine, batch->n);
    bool made = make_lines(&quarantine->whose, batch, first, text, error);
    if (!append_in_turn(quarantine, batch, first, made ? text : NULL, error))
        return false;
    world_point(quarantine->world, "quarantine.appended");
    return true;
}

/* --- syncing ------------------------------------------------------------------------------------------------------ */

static bool sync_dir_durable(struct quarantine *quarantine, GError **error)
{
    g_autofree char *dir = g_path_get_dirname(quarantine->path);
    if (!file_sync_dir_durable(quarantine->world, dir, error))
        return false;
    auto_hold(&quarantine->append);
    quarantine->named = true;
    return true;
}

static struct file *file_now(struct quarantine *quarantine, uint64_t *ret_ticket, bool *ret_named)
{
    auto_hold(&quarantine->append);
    *ret_ticket = quarantine->tickets;
    *ret_named = quarantine->named;
    return quarantine->file;
}

/* As leader: only a leader takes the file's place, so it stays while it is synced. */
static bool sync_appended(void *self, uint64_t *ret_ticket, GError **error)
{
    struct quarantine *quarantine = self;
    uint64_t ticket;
    bool named;
    struct file *file = file_now(quarantine, &ticket, &named);
    if (!file_sync_durable(file, error) || (!named && !sync_dir_durable(quarantine, error)))
        return false;
    *ret_ticket = ticket;
    return true;
}

bool quarantine_sync_durable(struct quarantine *quarantine, GError **error)
{
    struct groupsync_way way = {.sync = sync_appended, .self = quarantine};
    uint64_t ticket;
    bool named;
    if (!groupsync_usable(&quarantine->group, error))
        return false;
    file_now(quarantine, &ticket, &named);
    if (!groupsync_durable(&quarantine->group, ticket, &way, error))
        return false;
    if (ticket)
        world_point(quarantine->world, "quarantine.durable");
    return true;
}

/* --- cutting ------------------------------------------------------------------------------------------------------ */

/* Whether any row lies beyond its partition's newest checkpoint. From here on lower lanes are refused. */
static bool cut_needed(struct quarantine *quarantine, const struct quarantine_mark *marks, size_t n)
{
    bool needed = false;
    auto_hold(&quarantine->append);
    for (size_t i = 0; i < n; i++) {
        struct part_rows *rows = rows_of(quarantine, marks[i].part);
        rows->lane = MAX(rows->lane, marks[i].lane);
        needed = needed || rows->highest > marks[i].checkpoint;
    }
    return needed;
}

struct cut {
    struct quarantine *quarantine;
    const struct quarantine_mark *marks;
    size_t n;
    GHashTable *newest; /* part → const struct quarantine_mark */
};

static bool keeps(const struct cut *cut, const struct line_head *head)
{
    const struct quarantine_mark *mark = g_hash_table_lookup(cut->newest, GUINT_TO_POINTER(head->part));
    return !mark || head->checkpoint <= mark->checkpoint;
}

/* The lines that stay, in large writes. */
struct draft {
    struct file *file;
    GString *text;  /* not yet written */
    gsize doubtful; /* of it, at the end: lines that do not verify, which stay only where a row that stays follows */
    uint64_t end, count;
};

enum { DRAFT_BYTES = 1 << 20 };

static bool draft_flush(struct draft *draft, GError **error)
{
    if (!file_append(draft->file, slice_of(draft->text->str, draft->text->len), NULL, error))
        return false;
    draft->end += draft->text->len;
    g_string_truncate(draft->text, 0);
    return true;
}

static bool draft_line(struct draft *draft, struct slice line, bool verifies, GError **error)
{
    g_string_append_len(draft->text, (const char *)line.data, (gssize)line.len);
    g_string_append_c(draft->text, '\n');
    draft->doubtful = verifies ? 0 : draft->doubtful + line.len + 1;
    draft->count += verifies;
    return draft->text->len < DRAFT_BYTES || draft->doubtful || draft_flush(draft, error);
}

static bool draft_rows(const struct cut *cut, struct line_feed *feed, struct draft *draft, GError **error)
{
    struct slice line;
    struct line_head head;
    enum line_result result = line_open(feed, &cut->quarantine->whose, error);
    while (result == LINE_OK && (result = line_next(feed, &line, error)) == LINE_OK) {
        bool verifies = line_get(line, &head);
        if ((!verifies || keeps(cut, &head)) && !draft_line(draft, line, verifies, error))
            return false;
    }
    g_string_truncate(draft->text, draft->text->len - draft->doubtful);
    return result != LINE_FAILED && draft_flush(draft, error);
}

/* Writes what stays beside the file and takes its place. Appends wait: they go to the new file. */
static bool replace_file_durable(struct cut *cut, struct draft *draft, GError **error)
{
    struct quarantine *quarantine = cut->quarantine;
    g_autofree char *path = g_strconcat(quarantine->path, ".tmp", NULL);
    struct line_feed feed;
    if (!file_open(&draft->file, quarantine->world, path, FILE_REPLACE, error) ||
        !write_first(quarantine, draft->file, &draft->end, error))
        return false;
    line_feed_init(&feed, quarantine->file);
    bool ok = draft_rows(cut, &feed, draft, error);
    line_feed_done(&feed);
    return ok && file_sync_durable(draft->file, error) &&
           file_rename_durable(quarantine->world, path, quarantine->path, error);
}

static void take_draft(struct cut *cut, struct draft *draft)
{
    struct quarantine *quarantine = cut->quarantine;
    struct file *old = quarantine->file;
    quarantine->file = g_steal_pointer(&draft->file);
    quarantine->end = draft->end;
    quarantine->count = draft->count;
    quarantine->named = true;
    for (size_t i = 0; i < cut->n; i++) {
        struct part_rows *rows = rows_of(quarantine, cut->marks[i].part);
        rows->highest = MIN(rows->highest, cut->marks[i].checkpoint);
    }
    file_free(old);
}

/* As leader, under the append lock: what replaces the file holds every row that stays, durably. */
static bool cut_alone(void *self, uint64_t *ret_ticket, GError **error)
{
    struct cut *cut = self;
    struct draft draft = {.text = g_string_new(NULL)};
    auto_hold(&cut->quarantine->append);
    bool ok = replace_file_durable(cut, &draft, error);
    if (ok)
        take_draft(cut, &draft);
    *ret_ticket = cut->quarantine->tickets;
    file_free(draft.file);
    g_string_free(draft.text, TRUE);
    return ok;
}

bool quarantine_cut_durable(struct quarantine *quarantine, const struct quarantine_mark *marks, size_t n,
                            GError **error)
{
    if (!groupsync_usable(&quarantine->group, error))
        return false;
    if (!cut_needed(quarantine, marks, n))
        return true;
    g_autoptr(GHashTable) newest = g_hash_table_new(NULL, NULL);
    for (size_t i = 0; i < n; i++)
        g_hash_table_insert(newest, GUINT_TO_POINTER(marks[i].part), (void *)&marks[i]);
    struct cut cut = {.quarantine = quarantine, .marks = marks, .n = n, .newest = newest};
    struct groupsync_way way = {.sync = cut_alone, .self = &cut};
    if (!groupsync_alone(&quarantine->group, &way, error))
        return false;
    world_point(quarantine->world, "quarantine.cut");
    return true;
}
