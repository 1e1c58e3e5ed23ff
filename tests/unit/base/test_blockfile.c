#include "base/blockfile.h"

#include <errno.h>

#include "base/seal.h"
#include "kit/fake_world.h"
#include "kit/kit.h"

static const struct blockfile_kind kind = {
    .magic = "sl-test", .version = 3, .block_magic = 0x4b4f4c42, .sealed_as = "undo"};

struct fixture {
    char *dir, *path;
    struct fake_world fake;
    struct arena *mem;
};

static int setup(void **state)
{
    void *dir;
    if (kit_dir_setup(&dir) != 0)
        return -1;
    struct fixture *fixture = g_new0(struct fixture, 1);
    fake_world_init(&fixture->fake);
    fixture->dir = dir;
    fixture->path = g_build_filename(fixture->dir, "a", NULL);
    fixture->mem = arena_new(64 << 20);
    *state = fixture;
    return 0;
}

/* Every run has the key 0x5a5a…; the self is a flag: whether it still has. */
static bool find_key(void *self, const uint8_t uid[16], const char *what, struct seal_key *ret, bool *ret_found,
                     GError **error)
{
    assert_string_equal(what, "undo");
    memset(ret->bytes, 0x5a ^ uid[4], sizeof ret->bytes); /* uid: "run fix.1" */
    *ret_found = *(const bool *)self;
    return true;
}

static const struct world_seals seals = {.find = find_key};
static bool has_key = true;

static int setup_sealed(void **state)
{
    if (setup(state) != 0)
        return -1;
    struct fixture *fixture = *state;
    fixture->fake.world.seals = &seals;
    fixture->fake.world.seals_self = &has_key;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    void *dir = fixture->dir;
    assert_int_equal(fixture->fake.opened, fixture->fake.closed);
    arena_free(fixture->mem);
    g_free(fixture->path);
    g_free(fixture);
    return kit_dir_teardown(&dir);
}

static struct blockfile *create(struct fixture *fixture)
{
    GError *error = NULL;
    struct blockfile *file = NULL;
    kit_ok(blockfile_create(&file, &fixture->fake.world, fixture->path, &kind, slice_of_text("run fix.1"), &error));
    return file;
}

static struct blockfile *reopen(struct fixture *fixture, bool append)
{
    GError *error = NULL;
    struct blockfile *file = NULL;
    kit_ok(blockfile_open(&file, &fixture->fake.world, fixture->path, &kind, append, &error));
    return file;
}

static uint64_t append(struct blockfile *file, const char *head, const char *payload)
{
    GError *error = NULL;
    uint64_t offset;
    kit_ok(blockfile_append(
        file,
        &(struct block_draft){.type = 7, .pack = true, .head = slice_of_text(head), .payload = slice_of_text(payload)},
        &offset, &error));
    return offset;
}

static enum block_result read_at(struct fixture *fixture, struct blockfile *file, uint64_t offset, struct block *ret)
{
    GError *error = NULL;
    enum block_result result = blockfile_read(file, offset, false, fixture->mem, ret, &error);
    assert_null(error);
    return result;
}

/* Three blocks: "h0" with 3,000 bytes, "h1" with 3,001, "h2" with 3,002. */
static void write_three(struct fixture *fixture)
{
    auto_(blockfile) file = create(fixture);
    for (size_t i = 0; i < 3; i++) {
        g_autofree char *payload = g_strnfill(3000 + i, (char)('a' + i));
        const char head[] = {'h', (char)('0' + i), '\0'};
        append(file, head, payload);
    }
}

static void flip(struct fixture *fixture, uint64_t offset)
{
    g_autofree char *content = NULL;
    size_t len;
    assert_true(g_file_get_contents(fixture->path, &content, &len, NULL));
    assert_true(offset < len);
    content[offset] = (char)(content[offset] ^ 0x10);
    assert_true(g_file_set_contents(fixture->path, content, (gssize)len, NULL));
}

static void what_is_appended_is_read_back(void **state)
{
    auto_(blockfile) file = create(*state);
    GError *error = NULL;
    g_autofree char *large = g_strnfill(1 << 20, 'z');
    uint64_t first = append(file, "head", large), second;
    assert_int_equal(first, blockfile_begin(file));
    kit_ok(blockfile_append(file,
                            &(struct block_draft){
                                .type = 8,
                                .pack = true,
                            },
                            &second, &error));
    kit_ok(blockfile_sync_durable(file, &error));
    struct block block;
    assert_int_equal(read_at(*state, file, first, &block), BLOCK_OK);
    kit_equal_text(block.head, "head");
    kit_equal_text(block.payload, large);
    assert_true(block.type == 7 && block.offset == first && block.end == second);
    assert_int_equal(read_at(*state, file, second, &block), BLOCK_OK);
    assert_true(block.type == 8 && block.head.len == 0 && block.payload.len == 0);
    assert_true(block.end == blockfile_end(file));
    assert_int_equal(read_at(*state, file, block.end, &block), BLOCK_END);
}

static void the_tag_and_the_blocks_survive_reopening(void **state)
{
    write_three(*state);
    auto_(blockfile) file = reopen(*state, true);
    assert_string_equal((const char *)blockfile_tag(file).data, "run fix.1");
    assert_int_equal(blockfile_tag(file).len, 32);
    assert_int_equal(blockfile_version(file), 3);
    append(file, "h3", "more");
    struct block block = {.end = blockfile_begin(file)};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(read_at(*state, file, block.end, &block), BLOCK_OK);
        assert_int_equal(block.head.data[1], '0' + i);
        assert_int_equal(block.payload.len, i < 3 ? 3000 + i : 4);
    }
    assert_int_equal(read_at(*state, file, block.end, &block), BLOCK_END);
}

static void packing_happens_only_where_asked_and_where_it_pays(void **state)
{
    auto_(blockfile) file = create(*state);
    GError *error = NULL;
    uint8_t noise[1000];
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)fake_next(&seed);
    static const uint8_t zeros[1000];
    const struct {
        const uint8_t *bytes;
        bool pack, smaller;
    } rows[] = {{zeros, true, true}, {zeros, false, false}, {noise, true, false}, {noise, false, false}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint64_t offset, begin = blockfile_end(file);
        kit_ok(blockfile_append(
            file, &(struct block_draft){.type = 1, .pack = rows[i].pack, .payload = slice_of(rows[i].bytes, 1000)},
            &offset, &error));
        assert_int_equal(blockfile_end(file) - begin < 1000, rows[i].smaller);
        struct block block;
        assert_int_equal(read_at(*state, file, offset, &block), BLOCK_OK);
        assert_true(slice_equal(block.payload, slice_of(rows[i].bytes, 1000)));
        /* Packed beforehand it is the same block. */
        auto_(block_packer) packer = block_packer_new();
        uint64_t len = blockfile_end(file) - begin, end = blockfile_end(file);
        struct block_draft draft = {.type = 1, .payload = slice_of(rows[i].bytes, 1000)};
        draft.packed = rows[i].pack ? block_packer_pack(packer, draft.payload) : SLICE_EMPTY;
        assert_int_equal(draft.packed.len > 0, rows[i].smaller);
        kit_ok(blockfile_append(file, &draft, &offset, &error));
        assert_int_equal(blockfile_end(file) - end, len);
        assert_int_equal(read_at(*state, file, offset, &block), BLOCK_OK);
        assert_true(slice_equal(block.payload, draft.payload));
    }
}

static void a_block_is_one_write_and_a_head_one_read(void **state)
{
    struct fixture *fixture = *state;
    auto_(blockfile) file = create(fixture);
    GError *error = NULL;
    g_autofree char *large = g_strnfill(1 << 20, 'z');
    uint64_t writes = fixture->fake.writes, offset;
    kit_ok(blockfile_append(
        file, &(struct block_draft){.type = 1, .head = slice_of_text("head"), .payload = slice_of_text(large)}, &offset,
        &error));
    assert_int_equal(fixture->fake.writes - writes, 1);
    struct block block;
    uint64_t reads = fixture->fake.reads;
    assert_int_equal(blockfile_read(file, offset, true, fixture->mem, &block, &error), BLOCK_OK);
    assert_int_equal(fixture->fake.reads - reads, 1);
    kit_equal_text(block.head, "head");
    assert_int_equal(block.payload.len, 0);
    assert_int_equal(block.end, blockfile_end(file));
}

static void a_head_larger_than_the_first_read_is_whole(void **state)
{
    auto_(blockfile) file = create(*state);
    g_autofree char *head = g_strnfill(10000, 'h');
    struct block block;
    uint64_t offset = append(file, head, "payload");
    assert_int_equal(read_at(*state, file, offset, &block), BLOCK_OK);
    kit_equal_text(block.head, head);
    kit_equal_text(block.payload, "payload");
}

/* Reads block after block as far as the ends lead; counts what is damaged. What is not must be right. */
static size_t count_damaged(struct fixture *fixture, struct blockfile *file)
{
    struct block block = {.end = blockfile_begin(file)};
    size_t damaged = 0;
    enum block_result result;
    while (block.end && (result = read_at(fixture, file, block.end, &block)) != BLOCK_END) {
        damaged += result == BLOCK_DAMAGED;
        if (result == BLOCK_OK)
            assert_int_equal(block.payload.len, 3000 + block.head.data[1] - '0');
    }
    return damaged;
}

/* Whatever byte of the file is flipped: it is seen, and nothing wrong is handed out. */
static void no_flipped_byte_goes_unnoticed(void **state)
{
    struct fixture *fixture = *state;
    write_three(fixture);
    GError *error = NULL;
    struct blockfile *file = reopen(fixture, false);
    uint64_t end = blockfile_end(file), begin = blockfile_begin(file);
    blockfile_free(file);
    for (uint64_t offset = 0; offset < end; offset++) {
        flip(fixture, offset);
        file = NULL;
        bool opened = blockfile_open(&file, &fixture->fake.world, fixture->path, &kind, false, &error);
        assert_int_equal(opened, offset >= begin);
        g_clear_error(&error);
        if (opened)
            assert_true(count_damaged(fixture, file) > 0);
        blockfile_free(file);
        arena_reset(fixture->mem);
        flip(fixture, offset);
    }
}

static void damage_of_the_payload_leaves_head_and_end(void **state)
{
    struct fixture *fixture = *state;
    write_three(fixture);
    auto_(blockfile) file = reopen(fixture, false);
    GError *error = NULL;
    struct block first, second;
    assert_int_equal(read_at(fixture, file, blockfile_begin(file), &first), BLOCK_OK);
    assert_int_equal(read_at(fixture, file, first.end, &second), BLOCK_OK);
    flip(fixture, second.end - 1);
    auto_(blockfile) damaged = reopen(fixture, false);
    struct block block;
    assert_int_equal(read_at(fixture, damaged, first.end, &block), BLOCK_DAMAGED);
    kit_equal_text(block.head, "h1");
    assert_true(block.end == second.end);
    assert_int_equal(blockfile_read(damaged, first.end, true, fixture->mem, &block, &error), BLOCK_OK);
}

static void what_follows_damaged_lengths_is_found_again(void **state)
{
    struct fixture *fixture = *state;
    write_three(fixture);
    struct blockfile *file = reopen(fixture, false);
    struct block first, second;
    assert_int_equal(read_at(fixture, file, blockfile_begin(file), &first), BLOCK_OK);
    assert_int_equal(read_at(fixture, file, first.end, &second), BLOCK_OK);
    blockfile_free(file);
    flip(fixture, first.end + 15); /* the highest byte of stored_len */
    auto_(blockfile) damaged = reopen(fixture, false);
    GError *error = NULL;
    struct block block;
    uint64_t found = 0;
    assert_int_equal(read_at(fixture, damaged, first.end, &block), BLOCK_DAMAGED);
    assert_true(block.end == 0 && block.head.len == 0);
    assert_int_equal(blockfile_find(damaged, first.end, fixture->mem, &found, &error), BLOCK_OK);
    assert_true(found == second.end);
    assert_int_equal(blockfile_find(damaged, found + 1, fixture->mem, &found, &error), BLOCK_END);
}

static void a_block_is_found_wherever_it_begins(void **state)
{
    struct fixture *fixture = *state;
    for (size_t gap = 65536 - 96; gap < 65536 + 8; gap++) { /* the magic at, before and across the border of a step */
        auto_(blockfile) file = create(fixture);
        GError *error = NULL;
        g_autofree char *noise = g_strnfill(gap, 'K');
        uint64_t first, second, found = 0;
        kit_ok(
            blockfile_append(file, &(struct block_draft){.type = 1, .payload = slice_of_text(noise)}, &first, &error));
        second = append(file, "second", "payload");
        assert_int_equal(blockfile_find(file, first + 1, fixture->mem, &found, &error), BLOCK_OK);
        assert_true(found == second);
        kit_ok(file_unlink(&fixture->fake.world, fixture->path, &error));
    }
}

/* Wherever a crash has torn the file: what stands before is read, the tail is damage, and cutting mends it. */
static void a_torn_tail_is_seen_and_can_be_cut(void **state)
{
    struct fixture *fixture = *state;
    write_three(fixture);
    struct blockfile *whole = reopen(fixture, false);
    struct block second;
    assert_int_equal(read_at(fixture, whole, blockfile_begin(whole), &second), BLOCK_OK);
    assert_int_equal(read_at(fixture, whole, second.end, &second), BLOCK_OK);
    uint64_t third = second.end, end = blockfile_end(whole);
    blockfile_free(whole);
    GError *error = NULL;
    for (uint64_t cut = end - 1; cut > third; cut--) {
        auto_(blockfile) file = reopen(fixture, true);
        struct block block;
        kit_ok(blockfile_cut(file, cut, &error));
        assert_int_equal(read_at(fixture, file, third, &block), BLOCK_DAMAGED);
        assert_true(block.end == 0);
    }
    auto_(blockfile) file = reopen(fixture, true);
    struct block block;
    kit_ok(blockfile_cut(file, third, &error));
    assert_int_equal(read_at(fixture, file, third, &block), BLOCK_END);
    append(file, "h9", "after the cut");
    assert_int_equal(read_at(fixture, file, third, &block), BLOCK_OK);
    kit_equal_text(block.payload, "after the cut");
}

static void a_failed_append_is_taken_back(void **state)
{
    struct fixture *fixture = *state;
    auto_(blockfile) file = create(fixture);
    GError *error = NULL;
    uint64_t end = blockfile_end(file), offset = 7;
    fake_world_arm(&fixture->fake, (struct fake_fault){.call = "pwrite", .nth = 1, .number = ENOSPC});
    kit_refused(
        blockfile_append(file, &(struct block_draft){.type = 1, .payload = slice_of_text("text")}, &offset, &error),
        NO_SPACE, "/a");
    assert_int_equal(offset, 7);
    append(file, "h", "fits now");
    struct block block;
    assert_int_equal(read_at(fixture, file, end, &block), BLOCK_OK);
    kit_equal_text(block.payload, "fits now");
}

static void nothing_follows_a_torn_block(void **state)
{
    struct fixture *fixture = *state;
    auto_(blockfile) file = create(fixture);
    GError *error = NULL;
    fake_world_arm(&fixture->fake, (struct fake_fault){.nth = 1, .number = EIO, .lasting = true});
    kit_refused(
        blockfile_append(file, &(struct block_draft){.type = 1, .payload = slice_of_text("text")}, NULL, &error), STORE,
        "/a");
    fake_world_arm(&fixture->fake, (struct fake_fault){0});
    kit_refused(
        blockfile_append(file, &(struct block_draft){.type = 1, .payload = slice_of_text("text")}, NULL, &error), STORE,
        "could not be taken back");
    kit_ok(blockfile_cut(file, blockfile_end(file), &error));
    append(file, "h", "after the cut");
}

static void foreign_new_and_short_files_are_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct world *world = &fixture->fake.world;
    GError *error = NULL;
    struct blockfile *file = NULL;
    kit_refused(blockfile_open(&file, world, fixture->path, &kind, true, &error), NOT_FOUND, "/a");
    blockfile_free(create(fixture));
    kit_refused(blockfile_create(&file, world, fixture->path, &kind, SLICE_EMPTY, &error), REFUSED,
                "/a: cannot create");
    struct blockfile_kind other = kind;
    other.magic[0] = 'x';
    kit_refused(blockfile_open(&file, world, fixture->path, &other, false, &error), CORRUPT, "does not begin like");
    struct blockfile_kind older = kind;
    older.version = 2;
    kit_refused(blockfile_open(&file, world, fixture->path, &older, false, &error), CORRUPT, "newer sluice (format 3");
    assert_true(g_file_set_contents(fixture->path, "sl-test", 7, NULL));
    kit_refused(blockfile_open(&file, world, fixture->path, &kind, false, &error), CORRUPT, "ends inside its header");
    assert_null(file);
}

static void what_does_not_fit_the_memory_is_an_error(void **state)
{
    struct fixture *fixture = *state;
    auto_(blockfile) file = create(fixture);
    auto_(arena) small = arena_new(1000);
    GError *error = NULL;
    g_autofree char *large = g_strnfill(100000, 'z');
    struct block block;
    uint64_t offset = append(file, "h", large);
    assert_int_equal(blockfile_read(file, offset, false, small, &block, &error), BLOCK_FAILED);
    kit_refused(false, TOO_BIG, "larger than the memory given");
    assert_int_equal(blockfile_read(file, offset, true, small, &block, &error), BLOCK_OK);
}

static void a_reader_sees_what_was_appended_later(void **state)
{
    auto_(blockfile) writer = create(*state);
    auto_(blockfile) reader = reopen(*state, false);
    struct block block;
    assert_int_equal(read_at(*state, reader, blockfile_begin(reader), &block), BLOCK_END);
    append(writer, "h", "later");
    assert_int_equal(read_at(*state, reader, blockfile_begin(reader), &block), BLOCK_OK);
    kit_equal_text(block.payload, "later");
}

static void creation_syncs_the_directory(void **state)
{
    struct fixture *fixture = *state;
    auto_(blockfile) file = create(fixture);
    GError *error = NULL;
    assert_int_equal(fixture->fake.synced, 1);
    kit_ok(blockfile_sync_durable(file, &error));
    assert_int_equal(fixture->fake.synced, 2);
}

static void what_is_sealed_shows_nothing_and_opens_only_by_its_key_where_it_was_put(void **state)
{
    struct fixture *fixture = *state;
    const char *secret = "a text that nobody may read, long enough to be packed, packed, packed, packed, packed";
    GError *error = NULL;
    struct block block;
    struct blockfile *file = create(fixture);
    uint64_t first = append(file, "h", secret), second = append(file, "h", secret);
    append(file, "h", "short");
    uint64_t third = append(file, "alone", "");
    blockfile_free(file);
    file = reopen(fixture, false);
    assert_int_equal(read_at(fixture, file, third, &block), BLOCK_OK);
    assert_int_equal(block.payload.len, 0);
    blockfile_free(file);
    gchar *bytes;
    gsize len;
    assert_true(g_file_get_contents(fixture->path, &bytes, &len, NULL));
    assert_null(memmem(bytes, len, "nobody", 6));
    assert_null(memmem(bytes, len, "short", 5));
    file = reopen(fixture, false);
    assert_memory_not_equal(bytes + first, bytes + second, second - first);
    assert_int_equal(read_at(fixture, file, second, &block), BLOCK_OK);
    kit_equal_text(block.payload, secret);
    blockfile_free(file);
    /* The first block, whole, in the second's place: its sums hold, but it was sealed for another. */
    memcpy(bytes + second, bytes + first, second - first);
    assert_true(g_file_set_contents(fixture->path, bytes, (gssize)len, NULL));
    g_free(bytes);
    file = reopen(fixture, false);
    assert_int_equal(read_at(fixture, file, first, &block), BLOCK_OK);
    assert_int_equal(read_at(fixture, file, second, &block), BLOCK_DAMAGED);
    blockfile_free(file);
    fixture->fake.world.seals = NULL;
    kit_refused(blockfile_open(&file, &fixture->fake.world, fixture->path, &kind, false, &error), REFUSED,
                "it is sealed, and its key is not in this home");
}

#define block_test(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define sealed_test(name) cmocka_unit_test_setup_teardown(name, setup_sealed, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        block_test(what_is_appended_is_read_back),
        block_test(the_tag_and_the_blocks_survive_reopening),
        block_test(packing_happens_only_where_asked_and_where_it_pays),
        block_test(a_block_is_one_write_and_a_head_one_read),
        block_test(a_head_larger_than_the_first_read_is_whole),
        block_test(no_flipped_byte_goes_unnoticed),
        block_test(damage_of_the_payload_leaves_head_and_end),
        block_test(what_follows_damaged_lengths_is_found_again),
        block_test(a_block_is_found_wherever_it_begins),
        block_test(a_torn_tail_is_seen_and_can_be_cut),
        block_test(a_failed_append_is_taken_back),
        block_test(nothing_follows_a_torn_block),
        block_test(foreign_new_and_short_files_are_refused),
        block_test(what_does_not_fit_the_memory_is_an_error),
        block_test(a_reader_sees_what_was_appended_later),
        block_test(creation_syncs_the_directory),
        sealed_test(what_is_sealed_shows_nothing_and_opens_only_by_its_key_where_it_was_put),
        sealed_test(what_is_appended_is_read_back),
        sealed_test(the_tag_and_the_blocks_survive_reopening),
        sealed_test(packing_happens_only_where_asked_and_where_it_pays),
        sealed_test(a_block_is_one_write_and_a_head_one_read),
        sealed_test(a_head_larger_than_the_first_read_is_whole),
        sealed_test(no_flipped_byte_goes_unnoticed),
        sealed_test(damage_of_the_payload_leaves_head_and_end),
        sealed_test(what_follows_damaged_lengths_is_found_again),
        sealed_test(a_block_is_found_wherever_it_begins),
        sealed_test(a_torn_tail_is_seen_and_can_be_cut),
        sealed_test(a_failed_append_is_taken_back),
        sealed_test(nothing_follows_a_torn_block),
        sealed_test(foreign_new_and_short_files_are_refused),
        sealed_test(what_does_not_fit_the_memory_is_an_error),
        sealed_test(a_reader_sees_what_was_appended_later),
        sealed_test(creation_syncs_the_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
