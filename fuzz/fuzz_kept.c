/* What gates keep for later verifications: samples, owners, sketches, profiles, the progress of one, with any bytes in
 * them, also behind sums that fit. Each is told line by line or as damaged, and read as a verification does. The first
 * byte says what it is, and whether the second is the type of one block that holds the rest. */
#include "base/blockfile.h"
#include "fuzz.h"
#include "memory.h"
#include "verify/dump.h"
#include "verify/past.h"
#include "verify/progress.h"
#include "verify/verify_parts.h"

#define KEPT "/reports/kept"

static const uint8_t uid[16];

static bool take_line(void *self, const char *line, GError **error)
{
    g_assert(line[0] == '{' && g_utf8_validate(line, -1, NULL));
    return true;
}

static void read_owners(const struct world *world)
{
    auto_(owners_reader) reader = NULL;
    g_autoptr(GError) failed = NULL;
    struct owner owner;
    bool more = true, ok = owners_reader_open(&reader, world, KEPT, &failed);
    while (ok && more)
        ok = owners_reader_next(reader, &owner, &more, &failed);
    g_assert(ok || failed);
}

static void read_past(const struct world *world)
{
    g_autoptr(GError) failed = NULL;
    struct past *past = past_new("fix.1", true);
    if (past_add(past, world, KEPT, NULL, &failed) && past_add(past, world, KEPT, NULL, &failed))
        past_join(past);
    else
        g_assert(failed);
    past_free(past);
}

static const struct row {
    const struct blockfile_kind *kind;
    bool (*dump)(const struct world *world, const char *path, const struct document_lines *into, GError **error);
    void (*read)(const struct world *world); /* NULL: no more than the dump does */
} ROWS[] = {
    {&sample_kind, sample_dump, NULL},  {&owners_kind, owners_dump, read_owners}, {&sketch_kind, sketch_dump, NULL},
    {&past_kind, past_dump, read_past}, {&progress_kind, progress_dump, NULL},
};

/* A file whose sums fit. */
static void seal(const struct world *world, const struct row *row, struct slice input)
{
    auto_(blockfile) file = NULL;
    struct block_draft draft = {.type = input.len ? input.data[0] : 0};
    struct slice rest = input.len ? slice_of(input.data + 1, input.len - 1) : input;
    size_t head = MIN(rest.len, draft.type == 2 ? 8 : 0); /* the end of the owners has its number there */
    draft.head = slice_of(rest.data, head);
    draft.payload = slice_of(rest.data + head, rest.len - head);
    g_assert(blockfile_create(&file, world, KEPT, row->kind, slice_of(uid, sizeof uid), NULL) &&
             blockfile_append(file, &draft, NULL, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct memory memory;
    g_autoptr(GError) failed = NULL;
    struct document_lines lines = {.line = take_line};
    if (len == 0)
        return 0;
    const struct row *row = &ROWS[(data[0] >> 1) % G_N_ELEMENTS(ROWS)];
    struct slice input = slice_of(data + 1, len - 1);
    memory_init(&memory);
    if (data[0] & 1)
        seal(&memory.world, row, input);
    else
        memory_put(&memory, KEPT, input.data, input.len);
    g_assert(row->dump(&memory.world, KEPT, &lines, &failed) || failed);
    if (row->read)
        row->read(&memory.world);
    memory_done(&memory);
    return 0;
}
