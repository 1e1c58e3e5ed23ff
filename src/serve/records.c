/* Refused records: in pages, and grouped by what is wrong. */
#include <string.h>

#include "base/int.h"
#include "serve/server.h"
#include "view/refused.h"
#include "view/shape.h"

enum { PAGE_ROWS = 50, PAGE_MOST = 500, GROUPED_MOST = 200000, GROUPS_MOST = 100, ROW_ROOM = 128 << 20 };

/* A row holds its whole record: a page that is longer than this takes no more of them. */
#define PAGE_BYTES (4u << 20)

static bool open_refused(struct request *request, struct desk *desk, const uint64_t *number, struct refused *ret,
                         GError **error)
{
    struct run_row run;
    return request_run(request, desk, &run, error) && refused_find(desk->catalog, run.name, desk->mem, ret, error) &&
           refused_open(ret, desk->server->config.world, desk->server->config.home, number, error);
}

/* Documents go out as they stand in the file: their numbers are no doubles. */
static void answer_text_as_json(struct request *request, GString *text)
{
    request->answer.status = 200;
    request->answer.type = "application/json";
    request->answer.body = g_string_free_to_bytes(text);
}

struct page {
    uint64_t limit, after, next;
    GString *rows;
};

static bool read_page(struct refused *refused, struct page *io, GError **error)
{
    auto_(arena) mem = arena_new(ROW_ROOM);
    struct quarantine_entry *entry;
    uint64_t last = 0;
    for (uint64_t n = 0;;) {
        arena_reset(mem);
        if (!quarantine_next(refused->reader, mem, &entry, error))
            return false;
        if (!entry)
            return true;
        if (entry->number <= io->after)
            continue;
        if (n++ == io->limit || io->rows->len >= PAGE_BYTES) {
            io->next = last;
            return true;
        }
        last = entry->number;
        g_string_append(io->rows, io->rows->len ? "," : "");
        refused_put(io->rows, refused, entry);
    }
}

bool serve_quarantine(struct request *request, struct desk *desk, GError **error)
{
    struct number_wish limit = {"limit", PAGE_ROWS, PAGE_MOST}, after = {"after", 0, INT64_MAX};
    g_autoptr(GString) rows = g_string_new(NULL);
    struct page page = {.rows = rows};
    struct refused refused = {0};
    if (!request_number(request, &limit, &page.limit, error) || !request_number(request, &after, &page.after, error))
        return false;
    bool done = open_refused(request, desk, NULL, &refused, error) && read_page(&refused, &page, error);
    if (done) {
        GString *text = g_string_new("{");
        g_autofree char *next = page.next ? g_strdup_printf("%" G_GUINT64_FORMAT, page.next) : NULL;
        shape_put(text, "type", json_string("quarantine"));
        shape_put(text, "run", json_string(refused.run.name));
        shape_put(text, "retried_by", shape_text(refused.by.id ? refused.by.name : NULL));
        shape_put(text, "damaged", json_integer((json_int_t)quarantine_reader_damaged(refused.reader)));
        shape_put(text, "next", shape_text(next));
        g_string_append_printf(text, ",\"rows\":[%s]}", rows->str);
        answer_text_as_json(request, text);
    }
    refused_done(&refused);
    return done;
}

bool serve_refused(struct request *request, struct desk *desk, GError **error)
{
    auto_(arena) mem = arena_new(ROW_ROOM);
    struct quarantine_entry *entry = NULL;
    struct refused refused = {0};
    uint64_t number;
    if (!int_parse_u64(slice_of_text(request->names[1]), &number))
        return error_set(error, SLUICE_ERROR_USAGE, "%s: the number of a row was expected", request->names[1]);
    bool done = open_refused(request, desk, &number, &refused, error) &&
                quarantine_next(refused.reader, mem, &entry, error) &&
                (entry || error_set(error, SLUICE_ERROR_NOT_FOUND, "%s: there is no row %s in the quarantine",
                                    refused.run.name, request->names[1]));
    if (done) {
        GString *text = g_string_new(NULL);
        refused_put(text, &refused, entry);
        answer_text_as_json(request, text);
    }
    refused_done(&refused);
    return done;
}

/* --- groups ------------------------------------------------------------------------------------------------------- */

struct group {
    char *code, *reason;
    char *field; /* NULL: the words name none */
    json_t *key; /* of the first row; NULL: it was refused before it had one */
    uint64_t rows, first, last;
    GHashTable *parts; /* partition → how many rows */
};

static void group_free(void *self)
{
    struct group *group = self;
    g_free(group->code);
    g_free(group->reason);
    g_free(group->field);
    json_decref(group->key);
    g_hash_table_unref(group->parts);
    g_free(group);
}

/* Where a refusal is one field's its words begin with that field, and a colon. */
static char *field_of(const char *code, const char *reason)
{
    size_t len = strcspn(reason, ": '\"");
    bool names = strcmp(code, error_row(SLUICE_ERROR_CONTRACT_SAYS)->name) == 0 && len > 0 &&
                 strncmp(reason + len, ": ", 2) == 0;
    return names ? g_strndup(reason, len) : NULL;
}

static struct group *group_new(const struct quarantine_entry *entry, const char *reason)
{
    struct group *group = g_new0(struct group, 1);
    *group = (struct group){.code = g_strdup(entry->code),
                            .reason = g_strdup(reason),
                            .field = field_of(entry->code, reason),
                            .key = entry->key.len ? shape_key(entry->key) : NULL,
                            .first = entry->number,
                            .parts = g_hash_table_new(NULL, NULL)};
    return group;
}

/* The partition that most of its rows are of: in a cluster a stretch of slots. */
static json_t *worst_json(const struct group *group)
{
    GHashTableIter iter;
    gpointer part, rows;
    guint worst = 0, most = 0;
    g_hash_table_iter_init(&iter, group->parts);
    while (g_hash_table_iter_next(&iter, &part, &rows))
        if (GPOINTER_TO_UINT(rows) > most || (GPOINTER_TO_UINT(rows) == most && GPOINTER_TO_UINT(part) < worst)) {
            worst = GPOINTER_TO_UINT(part);
            most = GPOINTER_TO_UINT(rows);
        }
    return json_pack("{s:I, s:I}", "partition", (json_int_t)worst, "rows", (json_int_t)most);
}

/* Without what differs from row to row: what stands in quotes, and numbers. */
static char *reason_of(const char *reason)
{
    GString *text = g_string_new(NULL);
    for (const char *at = reason; *at;) {
        const char *end = strchr("'\"", *at) ? strchr(at + 1, *at) : NULL;
        size_t digits = strspn(at, "0123456789");
        if (end)
            g_string_append_printf(text, "%c…%c", *at, *at);
        else if (digits)
            g_string_append(text, "…");
        else
            g_string_append_c(text, *at);
        at = end ? end + 1 : at + MAX(digits, 1);
    }
    return g_string_free(text, FALSE);
}

static void take_entry(GHashTable *groups, const struct quarantine_entry *entry)
{
    g_autofree char *reason = reason_of(entry->reason);
    g_autofree char *key = g_strconcat(entry->code, "\n", reason, NULL);
    struct group *group = g_hash_table_lookup(groups, key);
    if (!group) {
        group = group_new(entry, reason);
        g_hash_table_insert(groups, g_steal_pointer(&key), group);
    }
    gpointer part = GUINT_TO_POINTER(entry->part);
    g_hash_table_insert(group->parts, part,
                        GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(group->parts, part)) + 1));
    group->rows++;
    group->last = entry->number;
}

static int by_rows(gconstpointer a, gconstpointer b)
{
    const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;
    return x->rows != y->rows ? (x->rows < y->rows ? 1 : -1) : x->first < y->first ? -1 : 1;
}

static json_t *groups_json(GHashTable *groups, const char *run)
{
    json_t *list = json_array();
    GHashTableIter iter;
    gpointer group;
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    g_hash_table_iter_init(&iter, groups);
    while (g_hash_table_iter_next(&iter, NULL, &group))
        g_ptr_array_add(all, group);
    g_ptr_array_sort(all, by_rows);
    for (guint i = 0; i < MIN(all->len, GROUPS_MOST); i++) {
        const struct group *one = all->pdata[i];
        g_autofree char *next = g_strdup_printf("sluice quarantine show %s %" G_GUINT64_FORMAT, run, one->first);
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:O?, s:I, s:o, s:I, s:I, s:I, s:s}", "error", one->code,
                                              "field", shape_text(one->field), "reason", shape_text(one->reason), "key",
                                              one->key, "partitions", (json_int_t)g_hash_table_size(one->parts),
                                              "worst", worst_json(one), "rows", (json_int_t)one->rows, "first",
                                              (json_int_t)one->first, "last", (json_int_t)one->last, "next", next));
    }
    return list;
}

static bool read_groups(struct refused *refused, GHashTable *into, uint64_t *ret_rows, GError **error)
{
    auto_(arena) mem = arena_new(ROW_ROOM);
    struct quarantine_entry *entry;
    for (*ret_rows = 0; *ret_rows < GROUPED_MOST; ++*ret_rows) {
        arena_reset(mem);
        if (!quarantine_next(refused->reader, mem, &entry, error))
            return false;
        if (!entry)
            return true;
        take_entry(into, entry);
    }
    return true;
}

bool serve_failures(struct request *request, struct desk *desk, GError **error)
{
    g_autoptr(GHashTable) groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, group_free);
    struct refused refused = {0};
    uint64_t rows;
    bool done = open_refused(request, desk, NULL, &refused, error) && read_groups(&refused, groups, &rows, error);
    if (done)
        answer_json(&request->answer,
                    json_pack("{s:s, s:s, s:I, s:o}", "type", "failures", "run", refused.run.name, "rows",
                              (json_int_t)rows, "groups", groups_json(groups, refused.run.name)));
    refused_done(&refused);
    return done;
}
