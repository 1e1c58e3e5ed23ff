/* Blocks whose checksums hold and which make no sense: what only a fault of a program writes. Nothing of them is
 * believed, nothing around them is lost. */
#include <stdio.h>

#include "undo/chains_format.h"
#include "undo/walk.h"
#include "unit/undo/logs.h"

static bool keep_line(void *self, const char *text, GError **error)
{
    g_string_append(self, text);
    g_string_append_c(self, '\n');
    return true;
}

static void append(struct blockfile *file, unsigned type, const GByteArray *head, const GByteArray *payload)
{
    GError *error = NULL;
    struct block_draft draft = {.type = (uint16_t)type,
                                .head = slice_of(head->data, head->len),
                                .payload = payload ? slice_of(payload->data, payload->len) : SLICE_EMPTY};
    kit_ok(blockfile_append(file, &draft, NULL, &error));
}

/* --- of a segment ------------------------------------------------------------------------------------------------- */

#define SOUND                                                                                                          \
    {                                                                                                                  \
        .part = 1, .lane = 1, .first_number = 2, .first_sequence = 2, .count = 2                                       \
    }

struct unsound {
    const char *what;
    unsigned type;
    struct undo_head head;
    size_t head_less; /* bytes */
    size_t entries;   /* in the payload */
    size_t more;      /* bytes of nothing behind them */
};

static const struct unsound SEGMENT[] = {
    {"a head that is too short", UNDO_INTENTS, SOUND, 1, 2, 0},
    {"a type that nobody writes", 7, SOUND, 0, 2, 0},
    {"numbers beyond 2^64", UNDO_INTENTS, {1, 1, UINT64_MAX, 2, 2, 0}, 0, 2, 0},
    {"sequences beyond 2^64", UNDO_INTENTS, {1, 1, 2, UINT64_MAX, 2, 0}, 0, 2, 0},
    {"fewer entries than it says", UNDO_INTENTS, SOUND, 0, 1, 40},
    {"more entries than have room", UNDO_INTENTS, {1, 1, 2, 2, INT32_MAX, 0}, 0, 2, 0},
    {"more entries than it says", UNDO_INTENTS, SOUND, 0, 3, 0},
    {"entries where it says there are none", UNDO_INTENTS, {1, 1, 2, 2, 0, 0}, 0, 1, 0},
    {"outcomes of another length", UNDO_OUTCOMES, SOUND, 0, 0, 2},
};

static GByteArray *entries_of(const struct unsound *row)
{
    GByteArray *payload = g_byte_array_new();
    GError *error = NULL;
    struct undo_intent intents[3];
    for (size_t i = 0; i < row->entries; i++)
        intents[i] = logs_intent(&(struct move){"lost", "A", "B"});
    if (row->entries)
        kit_ok(undo_intents_put(intents, row->entries, payload, &error));
    for (size_t i = 0; i < row->more; i++)
        put_u8(payload, 0xff); /* a length beyond its end, where an entry is looked for */
    return payload;
}

/* Behind what the log holds; its offset. */
static uint64_t put_unsound(struct logs *logs, const struct unsound *row)
{
    GError *error = NULL;
    g_autofree char *path = logs_segment(logs, 1);
    g_autoptr(GByteArray) head = g_byte_array_new(), payload = entries_of(row);
    auto_(blockfile) file = NULL;
    undo_head_put(&row->head, head);
    g_byte_array_set_size(head, head->len - (guint)row->head_less);
    kit_ok(blockfile_open(&file, &logs->fake.world, path, &UNDO_KIND, true, &error));
    uint64_t at = blockfile_end(file);
    append(file, row->type, head, payload);
    return at;
}

/* A sound write before it, then a segment that is closed, which proves it, and a write in the next one. */
static uint64_t log_around(struct logs *logs, const char *dir, const struct unsound *row)
{
    logs_init(logs, dir);
    logs_open(logs);
    logs_write(logs, 1, 1, "before", "A", "B");
    logs_close(logs);
    uint64_t at = put_unsound(logs, row);
    g_autofree char *path = logs_segment(logs, 1);
    g_autoptr(GByteArray) bytes = logs_bytes(path);
    g_autofree char *manifest = g_build_filename(logs->dir, "MANIFEST", NULL), *text = NULL;
    assert_true(g_file_get_contents(manifest, &text, NULL, NULL));
    g_autofree char *closed = g_strdup_printf("\"000001.undo\", \"bytes\": %u", bytes->len);
    g_auto(GStrv) halves = g_strsplit(text, "\"000001.undo\"", 2);
    g_autofree char *whole = g_strjoinv(closed, halves);
    logs_put_bytes(manifest, (const uint8_t *)whole, strlen(whole));
    logs_open(logs);
    logs->sequence = 10;
    logs_write(logs, 1, 10, "behind", "A", "B");
    logs_close(logs);
    return at;
}

static void rollback_leaves_it_and_lists_it(struct logs *logs, const struct unsound *row, uint64_t offset)
{
    GError *error = NULL;
    auto_(undo_chains) chains = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_chain_list list;
    size_t n;
    kit_ok(undo_chains_build(&logs->config, NULL, &error));
    kit_ok(undo_chains_open(&chains, &logs->config, &error));
    kit_ok(undo_chains_read(chains, 0, 9, mem, &list, &error));
    assert_int_equal(list.n, 2);
    kit_equal_text(list.chains[0].key, "before");
    kit_equal_text(list.chains[1].key, "behind");
    const struct undo_damage *damage = undo_chains_damage(chains, &n);
    bool hides_nothing = row->type == UNDO_OUTCOMES || row->head.count == 0; /* of entries that are not there */
    assert_int_equal(n, !hides_nothing);
    assert_true(hides_nothing || (damage[0].at.segment == 1 && damage[0].at.offset == offset && damage[0].proven));
}

static void the_tail_names_it(struct logs *logs, uint64_t offset)
{
    GError *error = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_tail tail;
    kit_ok(undo_tail_read(&tail, &logs->config, 1, (struct undo_position){0, 0}, mem, &error));
    assert_int_equal(tail.n, 2);
    kit_equal_text(tail.entries[0].key, "before");
    kit_equal_text(tail.entries[1].key, "behind");
    assert_int_equal(tail.n_damage, 1);
    assert_int_equal(tail.damage[0].at.offset, offset);
    assert_true(tail.damage[0].proven);
}

static void the_dumps_name_it(struct logs *logs, uint64_t offset)
{
    GError *error = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    struct document_lines into = {.line = keep_line, .self = text};
    g_autofree char *path = logs_segment(logs, 1),
                    *damage = g_strdup_printf("\"damage\",\"segment\":1,\"offset\":%u", (unsigned)offset);
    kit_ok(undo_dump(&logs->config, &into, &error));
    assert_non_null(strstr(text->str, damage));
    g_string_truncate(text, 0);
    kit_refused(undo_dump_segment(&logs->fake.world, path, &into, &error), CORRUPT, "damaged in 1 place");
    assert_non_null(strstr(text->str, damage));
}

static void nothing_of_an_unsound_block_is_believed(void **state)
{
    for (size_t i = 0; i < G_N_ELEMENTS(SEGMENT); i++) {
        struct logs logs;
        g_autofree char *dir = g_strdup_printf("%s/%zu", (char *)*state, i);
        print_message("# %s\n", SEGMENT[i].what);
        uint64_t offset = log_around(&logs, dir, &SEGMENT[i]);
        rollback_leaves_it_and_lists_it(&logs, &SEGMENT[i], offset);
        the_tail_names_it(&logs, offset);
        the_dumps_name_it(&logs, offset);
        logs_done(&logs);
    }
}

/* A write whose outcome stood in a block of another length: lost, not guessed. Other such blocks are not held against
 * it. */
static void only_the_outcome_of_the_write_itself_makes_it_lost(void **state)
{
    static const struct undo_head heads[] = {
        {.part = 2, .lane = 1, .first_number = 5, .count = 1}, {.part = 1, .lane = 2, .first_number = 5, .count = 1},
        {.part = 1, .lane = 1, .first_number = 6, .count = 1}, {.part = 1, .lane = 1, .first_number = 3, .count = 2},
        {.part = 1, .lane = 1, .first_number = 4, .count = 2},
    };
    struct logs logs;
    GError *error = NULL;
    logs_init(&logs, *state);
    logs_open(&logs);
    struct move move = {"k", "A", "B"};
    struct undo_position at = logs_intents(&logs, 1, 1, 5, &move, 1);
    logs_close(&logs);
    for (size_t i = 0; i < G_N_ELEMENTS(heads); i++) {
        kit_refused(undo_chains_build(&logs.config, NULL, &error), INTERNAL, "write 5 of lane 1 was never settled");
        put_unsound(&logs, &(struct unsound){"", UNDO_OUTCOMES, heads[i], 0, 0, 3});
    }
    kit_ok(undo_chains_build(&logs.config, NULL, &error));
    auto_(undo_chains) chains = NULL;
    size_t n;
    kit_ok(undo_chains_open(&chains, &logs.config, &error));
    const struct undo_damage *damage = undo_chains_damage(chains, &n);
    assert_int_equal(n, 1);
    assert_int_equal(damage[0].at.offset, at.offset);
    assert_int_equal(damage[0].keys, 1);
    logs_done(&logs);
}

/* --- of the chains ------------------------------------------------------------------------------------------------ */

static uint64_t outcomes_at, unsound_at; /* where the log has its outcomes, and intents without a head */

/* `8:N` a u64, `4:N` a u32, `v:N` a varint, `z:N` so many zeros, `o:` and `u:` the varints of those places, by blanks.
 */
static GByteArray *bytes_of(const char *words)
{
    GByteArray *bytes = g_byte_array_new();
    g_auto(GStrv) each = g_strsplit(words, " ", -1);
    for (size_t i = 0; each[i] && each[i][0]; i++) {
        uint64_t number = g_ascii_strtoull(each[i] + 2, NULL, 10);
        switch (each[i][0]) {
        case '8':
            put_u64(bytes, number);
            break;
        case '4':
            put_u32(bytes, (uint32_t)number);
            break;
        case 'v':
            put_varint(bytes, number);
            break;
        case 'o':
            put_varint(bytes, outcomes_at);
            break;
        case 'u':
            put_varint(bytes, unsound_at);
            break;
        default:
            for (uint64_t zero = 0; zero < number; zero++)
                put_u8(bytes, 0);
        }
    }
    return bytes;
}

enum seen { BY_INDEX, BY_OPENING, BY_READING, AS_LOST };

/* Of a log that has one block of intents with one entry at 56. `blocks`: TYPE|HEAD|PAYLOAD, by semicolons. */
static const struct {
    const char *what, *blocks;
    enum seen seen;
    bool alone; /* a dump of the file by itself names it */
} CHAINS[] = {
    {"a head of items that is too short", "1|8:0|;3|8:0 4:1 8:56|", BY_INDEX, true},
    {"a head of items with a byte too many", "1|8:0 4:1 z:1|v:1 v:56 v:0 z:16;3|8:1 4:1 8:56|", BY_INDEX, true},
    {"items that are none", "1|8:0 4:0|;3|8:0 4:1 8:56|", BY_INDEX, true},
    {"more items than a block has", "1|8:0 4:4097|;3|8:4097 4:1 8:56|", BY_INDEX, true},
    {"items that are not the next", "1|8:4096 4:1|v:1 v:56 v:0 z:16;3|8:1 4:1 8:56", BY_INDEX, false},
    {"items behind a block that is not full", "1|8:0 4:1|v:1 v:56 v:0 z:16;1|8:1 4:1|v:1 v:56 v:0 z:16;3|8:2 4:1 8:56",
     BY_INDEX, false},
    {"a type that nobody writes", "9||;3|8:0 4:1 8:56|", BY_INDEX, true},
    {"no type at all", "0||;3|8:0 4:1 8:56|", BY_INDEX, true},
    {"an end of other items", "1|8:0 4:1|v:1 v:56 v:0 z:16;3|8:2 4:1 8:56|", BY_INDEX, false},
    {"an end that is too short", "3|8:0 4:1|", BY_INDEX, true},
    {"an end with a byte too many", "3|8:0 4:1 8:56 z:1|", BY_INDEX, true},
    {"a block behind the end", "3|8:0 4:1 8:56|;3|8:0 4:1 8:56|", BY_INDEX, false},
    {"losses without a count", "2|z:3|;3|8:0 4:1 8:56|", BY_OPENING, true},
    {"losses without number", "2|4:4294967295|;3|8:0 4:1 8:56|", BY_OPENING, true},
    {"fewer losses than it says", "2|4:1|z:30;3|8:0 4:1 8:56|", BY_OPENING, true},
    {"more losses than it says", "2|4:1|z:34;3|8:0 4:1 8:56|", BY_OPENING, true},
    {"fewer turns than it says", "1|8:0 4:2|v:1 v:56 v:0 z:16;3|8:2 4:1 8:56|", BY_READING, true},
    {"more turns than it says", "1|8:0 4:1|v:1 v:56 v:0 z:17;3|8:1 4:1 8:56|", BY_READING, true},
    {"a segment beyond 2^32", "1|8:0 4:1|v:4294967296 v:56 v:0 z:16;3|8:1 4:1 8:56|", BY_READING, true},
    {"segments beyond 2^64", "1|8:0 4:2|v:1 v:56 v:0 z:16 v:18446744073709551615 v:56 v:0 z:16;3|8:2 4:1 8:56|",
     BY_READING, true},
    {"offsets beyond 2^64", "1|8:0 4:2|v:1 v:56 v:0 z:16 v:0 v:18446744073709551615 v:0 z:16;3|8:2 4:1 8:56|",
     BY_READING, true},
    {"an entry beyond 2^32", "1|8:0 4:1|v:1 v:56 v:4294967296 z:16;3|8:1 4:1 8:56|", BY_READING, true},
    {"entries beyond 2^64", "1|8:0 4:2|v:1 v:56 v:1 z:16 v:0 v:0 v:18446744073709551615 z:16;3|8:2 4:1 8:56|",
     BY_READING, true},
    {"an entry that is not there", "1|8:0 4:1|v:1 v:56 v:1 z:16;3|8:1 4:1 8:56|", AS_LOST, false},
    {"a place where nothing begins", "1|8:0 4:1|v:1 v:57 v:0 z:16;3|8:1 4:1 8:56|", AS_LOST, false},
    {"a block of outcomes", "1|8:0 4:1|v:1 o: v:0 z:16;3|8:1 4:1 8:56|", AS_LOST, false},
    {"intents whose head is too short", "1|8:0 4:1|v:1 u: v:0 z:16;3|8:1 4:1 8:56|", AS_LOST, false},
    {"a segment that is not there", "1|8:0 4:1|v:9 v:56 v:0 z:16;3|8:1 4:1 8:56|", AS_LOST, false},
};

static void put_chains(struct logs *logs, const char *path, const char *blocks)
{
    GError *error = NULL;
    uint8_t tag[UNDO_CHAINS_TAG_LEN];
    auto_(blockfile) file = NULL;
    g_auto(GStrv) each = g_strsplit(blocks, ";", -1);
    undo_chains_tag_put(&logs->config, NULL, tag);
    kit_ok(file_unlink(&logs->fake.world, path, &error));
    kit_ok(blockfile_create(&file, &logs->fake.world, path, &UNDO_CHAINS_KIND, slice_of(tag, sizeof tag), &error));
    for (size_t i = 0; each[i]; i++) {
        g_auto(GStrv) parts = g_strsplit(each[i], "|", 3);
        g_autoptr(GByteArray) head = bytes_of(parts[1]), payload = bytes_of(parts[2] ? parts[2] : "");
        append(file, (unsigned)strtoul(parts[0], NULL, 10), head, payload);
    }
}

/* Whether they can be opened, and their chains be read; of what names no entry nothing is believed. */
static enum seen seen_by(struct logs *logs)
{
    GError *error = NULL;
    auto_(undo_chains) chains = NULL;
    auto_(arena) mem = arena_new(1 << 20);
    struct undo_chain_list list;
    bool opened = undo_chains_open(&chains, &logs->config, &error);
    if (opened && undo_chains_read(chains, 0, 9, mem, &list, &error)) {
        assert_int_equal(list.n, 1);
        assert_true(list.chains[0].lost);
        return AS_LOST;
    }
    assert_true(error_is(error, SLUICE_ERROR_CORRUPT));
    g_clear_error(&error);
    return opened ? BY_READING : BY_OPENING;
}

static void no_unsound_chains_go_back(void **state)
{
    struct logs logs;
    GError *error = NULL;
    logs_init(&logs, *state);
    logs_open(&logs);
    logs_intents(&logs, 1, 1, 1, &(struct move){"k", "A", "B"}, 1);
    outcomes_at = undo_here(logs.log).offset;
    logs_outcomes(&logs, 1, 1, 1, 1, 1);
    logs_close(&logs);
    unsound_at = put_unsound(&logs, &SEGMENT[0]);
    g_autofree char *path = g_build_filename(logs.dir, "chains", NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(CHAINS); i++) {
        g_autoptr(GString) text = g_string_new(NULL);
        struct document_lines into = {.line = keep_line, .self = text};
        print_message("# %s\n", CHAINS[i].what);
        put_chains(&logs, path, CHAINS[i].blocks);
        assert_int_equal(seen_by(&logs), MAX(CHAINS[i].seen, BY_OPENING));
        assert_int_equal(!undo_dump_chains(&logs.fake.world, path, &into, &error), CHAINS[i].alone);
        assert_int_equal(strstr(text->str, "\"damage\"") != NULL, CHAINS[i].alone);
        g_clear_error(&error);
        kit_ok(undo_chains_build(&logs.config, NULL, &error));
        auto_(undo_chains) chains = NULL;
        if (CHAINS[i].seen == BY_INDEX) { /* and so they are made anew */
            kit_ok(undo_chains_open(&chains, &logs.config, &error));
            assert_int_equal(undo_chains_count(chains), 1);
        }
    }
    logs_done(&logs);
}

static void chains_of_another_run_are_refused(void **state)
{
    struct logs logs;
    GError *error = NULL;
    struct undo_chains *chains;
    logs_init(&logs, *state);
    logs_open(&logs);
    kit_ok(undo_chains_build(&logs.config, NULL, &error));
    logs.config.run_uid[0]++;
    kit_refused(undo_chains_open(&chains, &logs.config, &error), CORRUPT, "of another run");
    logs_done(&logs);
}

/* --- dumps -------------------------------------------------------------------------------------------------------- */

struct patience {
    uint64_t lines;
    GString *text;
};

static bool take_some(void *self, const char *text, GError **error)
{
    struct patience *left = self;
    g_string_append(left->text, text);
    return left->lines-- > 0 || error_set(error, SLUICE_ERROR_CANCELLED, "enough");
}

/* Whichever line cannot be given, the dump ends with it. */
static void whichever_line_is_refused_the_dump_ends(void **state)
{
    struct logs logs;
    log_around(&logs, *state,
               &(struct unsound){"", UNDO_OUTCOMES, {1, 1, UINT64_MAX - 4, 0, 2, 0}, 0, 0, 1}); /* sound */
    g_autofree char *segment = logs_segment(&logs, 1), *chains = g_build_filename(logs.dir, "chains", NULL);
    put_chains(&logs, chains, "1|8:0 4:1|v:1 v:56 v:0 z:16;2|4:1|z:33;3|8:1 4:1 8:56|");
    static const unsigned most[] = {9, 5, 4};
    for (unsigned kind = 0; kind < G_N_ELEMENTS(most); kind++) {
        bool ok = false;
        unsigned given = 0;
        for (; !ok && given < 20; given++) {
            g_autoptr(GError) error = NULL;
            g_autoptr(GString) text = g_string_new(NULL);
            struct patience left = {given, text};
            struct document_lines into = {.line = take_some, .self = &left};
            ok = kind == 0   ? undo_dump(&logs.config, &into, &error)
                 : kind == 1 ? undo_dump_segment(&logs.fake.world, segment, &into, &error)
                             : undo_dump_chains(&logs.fake.world, chains, &into, &error);
            assert_true(ok || error_is(error, SLUICE_ERROR_CANCELLED));
            assert_true(!ok || kind == 2 || strstr(text->str, "\"first_number\":\"18446744073709551611\""));
        }
        assert_int_equal(given - 1, most[kind]);
    }
    logs_done(&logs);
}

#define IN_DIR(name) cmocka_unit_test_setup_teardown(name, kit_dir_setup, kit_dir_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIR(nothing_of_an_unsound_block_is_believed),
        IN_DIR(only_the_outcome_of_the_write_itself_makes_it_lost),
        IN_DIR(no_unsound_chains_go_back),
        IN_DIR(chains_of_another_run_are_refused),
        IN_DIR(whichever_line_is_refused_the_dump_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
