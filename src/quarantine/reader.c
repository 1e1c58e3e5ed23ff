#include "quarantine/sealed.h"

struct quarantine_reader {
    struct file *file; /* NULL: there is none */
    struct line_feed feed;
    struct line_whose whose;
    struct quarantine_filter filter;
    struct arena *scratch; /* for rows that may turn out not to be asked for */
    uint64_t damaged;
    bool over;
};

enum { SCRATCH_TIMES = 4 };

static bool reader_begin(struct quarantine_reader *reader, const struct quarantine_config *config, GError **error)
{
    line_feed_init(&reader->feed, reader->file);
    enum line_result result = line_open(&reader->feed, &reader->whose, error);
    reader->over = result != LINE_OK;
    return result != LINE_FAILED;
}

bool quarantine_reader_open(struct quarantine_reader **ret, const struct quarantine_config *config,
                            const struct quarantine_filter *filter, GError **error)
{
    auto_(quarantine_reader) reader = g_new0(struct quarantine_reader, 1);
    GError *failed = NULL;
    reader->over = true;
    reader->scratch = arena_new(SCRATCH_TIMES * LINE_MOST);
    if (filter)
        reader->filter = *filter;
    if (!line_whose_find(&reader->whose, config, error))
        return false;
    bool there = file_open(&reader->file, config->world, config->path, FILE_READ, &failed);
    if (there ? !reader_begin(reader, config, error) : !error_forgive(failed, SLUICE_ERROR_NOT_FOUND, error))
        return false;
    *ret = g_steal_pointer(&reader);
    return true;
}

void quarantine_reader_free(struct quarantine_reader *reader)
{
    if (!reader)
        return;
    line_feed_done(&reader->feed);
    seal_forget(&reader->whose.key);
    arena_free(reader->scratch);
    file_free(reader->file);
    g_free(reader);
}

uint64_t quarantine_reader_damaged(const struct quarantine_reader *reader)
{
    return reader->damaged;
}

static int by_part(const void *key, const void *element)
{
    uint32_t part = *(const uint32_t *)key, other = ((const struct quarantine_mark *)element)->part;
    return (part > other) - (part < other);
}

/* Whether a checkpoint counts it. */
static bool counted(const struct quarantine_filter *filter, const struct line_head *head)
{
    if (!filter->marks)
        return true;
    const struct quarantine_mark *mark =
        bsearch(&head->part, filter->marks, filter->n_marks, sizeof *filter->marks, by_part);
    return !mark || head->checkpoint <= mark->checkpoint;
}

static bool head_wanted(const struct quarantine_filter *filter, const struct line_head *head)
{
    return (!filter->part || *filter->part == head->part) && (!filter->number || *filter->number == head->number) &&
           counted(filter, head);
}

/* What only the parsed row tells. */
static bool entry_wanted(struct quarantine_reader *reader, struct slice line, bool *ret, GError **error)
{
    const struct quarantine_filter *filter = &reader->filter;
    struct quarantine_entry entry;
    *ret = true;
    if (!filter->code && !filter->key)
        return true;
    arena_reset(reader->scratch);
    if (!line_parse(&reader->whose, line, reader->scratch, &entry, error))
        return false;
    *ret = (!filter->code || strcmp(filter->code, entry.code) == 0) &&
           (!filter->key || slice_equal(*filter->key, entry.key));
    return true;
}

/* The next line that verifies and, by its head, is asked for; false with *ret_line empty at the end. */
static bool next_line(struct quarantine_reader *reader, struct slice *ret, GError **error)
{
    struct line_head head;
    while (!reader->over) {
        switch (line_next(&reader->feed, ret, error)) {
        case LINE_FAILED:
            return false;
        case LINE_TORN:
        case LINE_END:
            reader->over = true;
            break;
        case LINE_OK:
            if (!line_get(*ret, &head))
                reader->damaged++;
            else if (head_wanted(&reader->filter, &head))
                return true;
            break;
        }
    }
    *ret = SLICE_EMPTY;
    return true;
}

bool quarantine_next(struct quarantine_reader *reader, struct arena *mem, struct quarantine_entry **ret, GError **error)
{
    struct slice line;
    for (bool wanted = false; !wanted;) {
        if (!next_line(reader, &line, error))
            return false;
        if (line.len == 0) {
            *ret = NULL;
            return true;
        }
        if (!entry_wanted(reader, line, &wanted, error))
            return error_add(error, "%s", file_path(reader->file));
    }
    struct quarantine_entry *entry = arena_alloc(mem, sizeof *entry);
    if (!entry)
        return error_set(error, SLUICE_ERROR_TOO_BIG, "a quarantined record needs more memory");
    if (!line_parse(&reader->whose, line, mem, entry, error))
        return error_add(error, "%s", file_path(reader->file));
    *ret = entry;
    return true;
}

/* --- all of a file ------------------------------------------------------------------------------------------------ */

struct dump {
    const struct document_lines *into;
    struct line_feed feed;
    struct line_whose whose;
    struct arena *mem; /* of a line that is sealed */
    uint64_t line, damaged, first;
};

static bool give_damaged_line(struct dump *dump, bool torn, GError **error)
{
    g_autofree char *text = g_strdup_printf("{\"type\":\"damage\",\"line\":%" G_GUINT64_FORMAT ",\"torn\":%s}",
                                            dump->line, torn ? "true" : "false");
    dump->first = dump->damaged++ ? dump->first : dump->line;
    return dump->into->line(dump->into->self, text, error);
}

/* The first line has no check of its own; it tells whether the others are sealed. */
static bool give_line(struct dump *dump, struct slice line, GError **error)
{
    static const char FIRST[] = "{\"quarantine\":";
    struct line_head head;
    bool first = dump->line == 1 && line.len > strlen(FIRST) && memcmp(line.data, FIRST, strlen(FIRST)) == 0;
    if (!first && !line_get(line, &head))
        return give_damaged_line(dump, false, error);
    arena_reset(dump->mem);
    if (first ? !line_whose_read(&dump->whose, dump->whose.world, line, error)
              : !line_unseal(&dump->whose, line, dump->mem, &line, error))
        return false;
    g_autofree char *text = g_strndup((const char *)line.data, line.len);
    return dump->into->line(dump->into->self, text, error);
}

static bool give_lines(struct dump *dump, GError **error)
{
    for (;;) {
        struct slice line;
        enum line_result result = line_next(&dump->feed, &line, error);
        dump->line++;
        if (result == LINE_FAILED || result == LINE_END)
            return result == LINE_END;
        if (result == LINE_TORN)
            return give_damaged_line(dump, true, error);
        if (!give_line(dump, line, error))
            return false;
    }
}

bool quarantine_dump(const struct world *world, const char *path, const struct document_lines *into, GError **error)
{
    auto_(file) file = NULL;
    auto_(arena) mem = arena_new(SCRATCH_TIMES * LINE_MOST);
    struct dump dump = {.into = into, .mem = mem, .whose = {.world = world}};
    if (!file_open(&file, world, path, FILE_READ, error))
        return false;
    line_feed_init(&dump.feed, file);
    bool ok = give_lines(&dump, error);
    line_feed_done(&dump.feed);
    seal_forget(&dump.whose.key);
    if (!ok)
        error_add(error, "%s", path);
    return ok && (dump.damaged == 0 ||
                  error_set(error, SLUICE_ERROR_CORRUPT,
                            "%s: damaged in %" G_GUINT64_FORMAT " places, the first at line %" G_GUINT64_FORMAT, path,
                            dump.damaged, dump.first));
}
