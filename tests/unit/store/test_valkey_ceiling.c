/* Whether sizes are asked before hashes are read, and several strings read at once: by what a server's allocator says
 * of what lives in it. */
#include "kit/kit.h"
#include "kit/peer.h"
#include "store/calls.h"
#include "store/valkey/allocator.h"

/* --- what the allocator says -------------------------------------------------------------------------------------- */

#define BEGIN_OF(page) "___ Begin jemalloc statistics ___\nVersion: \"5.3.0-0-g54eaed1d8b5\"\nPage size: " page "\n"
#define BEGIN          BEGIN_OF("4096")
#define MERGED         "Merged arenas stats:\nlarge:                        4272128             603\n"
#define HEAD           "large:          size ind    allocated      nmalloc (#/sec)  curlextents\n"
#define ROWS                                                                                                           \
    "               16384  36        49152           84       0            3\n"                                        \
    "               20480  37            0          442       0            0\n"                                        \
    "                     ---\n"                                                                                       \
    "              458752  55       458752            1       0            1\n"
#define TABLE "             2097152  64      2097152            1       0            1\n"
#define END   "extents:        size ind       ndirty\n                4096   0            0\narenas[0]:\n"
#define OTHER "arenas[1]:\n" HEAD TABLE END

#define KIB(n) ((uint64_t)(n) << 10)

static void the_largest_that_lives_is_told(void **state)
{
    static const struct {
        const char *text;
        uint64_t table_bytes, largest; /* 0: it does not say */
    } CASES[] = {
        {BEGIN MERGED HEAD ROWS TABLE END OTHER, 0, KIB(2048)},
        {BEGIN MERGED HEAD ROWS TABLE END OTHER, KIB(1000), KIB(448)}, /* the table that is known to be there */
        {BEGIN MERGED HEAD ROWS END OTHER, 0, KIB(448)},               /* of all arenas, not of the second */
        {BEGIN MERGED HEAD "     ---\n" END, 0, KIB(16)},
        {BEGIN HEAD ROWS END, 0, KIB(448)}, /* one arena */
        {BEGIN_OF("65536") MERGED HEAD "  458752 55 458752 1\n" END, 0, KIB(448)},
        {BEGIN_OF("65536") MERGED HEAD "     ---\n" END, 0, KIB(256)},
        {BEGIN_OF("x") MERGED HEAD ROWS END, 0, 0},
        {BEGIN_OF("65536") MERGED HEAD ROWS END, 0, 0},
        /* two that can be the table: whichever is, the larger one bounds the rest */
        {BEGIN MERGED HEAD ROWS TABLE "  4194304 68 4194304 1\n" END, KIB(1000), KIB(4096)},
        {BEGIN MERGED HEAD ROWS "  2097152 64 4194304 2\n" END, KIB(1000), KIB(2048)},
        {BEGIN MERGED HEAD ROWS "  2621440 65 2621440 1\n" TABLE END, KIB(1000), KIB(2560)}, /* no power of two */
        {BEGIN MERGED HEAD ROWS TABLE END, KIB(4096),
         0}, /* what is known to be there is not: this says something else */
        {"Stats not supported for the current allocator", 0, 0},
        {BEGIN MERGED, 0, 0},
        {BEGIN MERGED HEAD ROWS, 0, 0},    /* cut off */
        {BEGIN HEAD ROWS END OTHER, 0, 0}, /* two arenas, not together */
        {MERGED HEAD ROWS END, 0, 0},      /* of which version */
        {BEGIN MERGED HEAD "  16384 36 x\n" END, 0, 0},
        {BEGIN MERGED HEAD "  16384 36\n" END, 0, 0},
        {BEGIN MERGED HEAD "  16384 36 16385\n" END, 0, 0},
        {BEGIN MERGED HEAD "  0 36 0\n" END, 0, 0},
        {"", 0, 0},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++) {
        uint64_t largest = 0;
        bool told = allocator_largest(slice_of_text(CASES[i].text), CASES[i].table_bytes, &largest);
        if (told != (CASES[i].largest > 0) || largest != CASES[i].largest)
            fail_msg("case %zu: %d, %" G_GUINT64_FORMAT, i, told, largest);
    }
}

/* --- what is asked then ------------------------------------------------------------------------------------------- */

enum { KEYS = 40, LARGE_AT = 7, OTHER_AT = 9, NONE_AT = 11 };

struct talk {
    const char *version, *stats, *keyspace;
    bool pairs, refuses;            /* RESP3 as HRANDFIELD has it; it is not permitted */
    unsigned most_fields;           /* that LARGE_AT has */
    unsigned leaves_at;             /* it hangs up when it is asked for fields so often; 0: never */
    atomic_uint few, sizes, stated; /* how often it was asked for fields, for sizes, for what the allocator says, */
    atomic_uint strings, several;   /* for a string, for several; for … */
    atomic_uint again;              /* … fields once it was asked for the sizes of all */
};

static bool say_bulk(int fd, const char *text)
{
    g_autofree char *reply = g_strdup_printf("$%zu\r\n%s\r\n", strlen(text), text);
    return peer_say_text(fd, reply);
}

static bool say_info(const struct talk *talk, int fd)
{
    g_autofree char *info =
        g_strdup_printf("redis_version:%s\r\nrun_id:a\r\nrole:master\r\nconnected_slaves:0\r\nmaster_replid:b\r\n"
                        "master_replid2:0000000000000000000000000000000000000000\r\nmaster_repl_offset:0\r\n"
                        "cluster_enabled:0\r\naof_enabled:0\r\n%s",
                        talk->version, talk->keyspace);
    return say_bulk(fd, info);
}

static bool say_fields(int fd, unsigned n, bool pairs, const char *head)
{
    g_autoptr(GString) reply = g_string_new(NULL);
    g_string_append_printf(reply, "%s%u\r\n", head, pairs || *head == '%' ? n : 2 * n);
    for (unsigned i = 0; i < n; i++)
        g_string_append_printf(reply, "%s$3\r\nf%02u\r\n$2\r\nv%u\r\n", pairs ? "*2\r\n" : "", i, i % 10);
    return peer_say_text(fd, reply->str);
}

static bool say_hash(const struct talk *talk, const char *asked, int fd)
{
    unsigned at = 0, n = 2;
    sscanf(strchr(asked, ' ') + 1, "k%u", &at);
    bool few = g_str_has_prefix(asked, "HRANDFIELD");
    if (at == OTHER_AT)
        return peer_say_text(fd, "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
    if (at == LARGE_AT)
        n = talk->most_fields;
    if (at == NONE_AT)
        n = 0;
    if (few && at == LARGE_AT && g_str_has_prefix(strchr(strchr(asked, ' ') + 1, ' '), " 18 "))
        n = MIN(n, 18);
    return say_fields(fd, n, few && talk->pairs, few ? "*" : "%");
}

/* As many as were asked for. */
static bool say_strings(const char *asked, int fd)
{
    g_auto(GStrv) words = g_strsplit(asked, " ", -1);
    g_autoptr(GString) reply = g_string_new(NULL);
    unsigned n = g_strv_length(words) - 1;
    g_string_append_printf(reply, "*%u\r\n", n);
    for (unsigned i = 0; i < n; i++)
        g_string_append(reply, "$5\r\nvalue\r\n");
    return peer_say_text(fd, reply->str);
}

static bool answer(struct talk *talk, const char *asked, int fd)
{
    if (g_str_has_prefix(asked, "HELLO"))
        return peer_say_text(fd, "%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n");
    if (g_str_has_prefix(asked, "INFO"))
        return say_info(talk, fd);
    if (strcmp(asked, "MEMORY MALLOC-STATS") == 0) {
        talk->stated++;
        return talk->stats ? say_bulk(fd, talk->stats) : peer_say_text(fd, "-NOPERM no permissions to run it\r\n");
    }
    if (g_str_has_prefix(asked, "MEMORY USAGE")) {
        talk->sizes++;
        return peer_say_text(fd, g_str_has_suffix(asked, "k11") ? "_\r\n" : ":100\r\n");
    }
    if (g_str_has_prefix(asked, "PEXPIRETIME"))
        return peer_say_text(fd, g_str_has_suffix(asked, "k11") ? ":-2\r\n" : ":-1\r\n");
    if (g_str_has_prefix(asked, "GETRANGE")) {
        talk->strings++;
        return say_bulk(fd, "value");
    }
    if (g_str_has_prefix(asked, "MGET")) {
        talk->several++;
        return say_strings(asked, fd);
    }
    if (g_str_has_prefix(asked, "HRANDFIELD")) {
        talk->few++;
        talk->again += talk->sizes >= KEYS;
        if (talk->few == talk->leaves_at)
            return false;
        if (talk->refuses)
            return peer_say_text(fd, "-NOPERM this user has no permissions to run the 'hrandfield' command\r\n");
    }
    return say_hash(talk, asked, fd);
}

static void serve(struct peer *peer, int fd)
{
    struct talk *talk = peer_self(peer);
    for (bool more = true; more;) {
        g_autofree char *asked = peer_command(fd);
        more = asked && answer(talk, asked, fd);
    }
}

/* Of each: what stands there, however it was asked for. */
static void check_record(const struct talk *talk, const struct record *record, unsigned at)
{
    if (at == OTHER_AT) {
        assert_int_equal(record->presence, RECORD_FAULT);
        return;
    }
    assert_int_equal(record->presence, at == NONE_AT ? RECORD_ABSENT : RECORD_PRESENT);
    size_t n = at == LARGE_AT ? talk->most_fields : at == NONE_AT ? 0 : 2;
    assert_int_equal(record->raw.len, n ? 1 + n * 7 : 0); /* of each field two lengths, three bytes and two */
    assert_true(!n || memcmp(record->raw.data, "H\3f00\2v0", 8) == 0);
}

/* Reads them all, so many times. */
static void read_records(struct talk *talk, const struct dataset *ds, unsigned times)
{
    GError *error = NULL;
    struct store *store;
    struct session *session;
    talk->version = talk->version ? talk->version : "7.0.15";
    talk->keyspace = talk->keyspace ? talk->keyspace : "db0:keys=40,expires=0,avg_ttl=0\r\n";
    talk->most_fields = talk->most_fields ? talk->most_fields : 2;
    auto_(arena) mem = arena_new(64 << 20);
    auto_(peer) peer = peer_start(serve, talk);
    g_autofree char *uri = g_strdup_printf("valkey://127.0.0.1:%u?timeout=20s", peer_port(peer));
    struct store_config config = {.uri = uri, .base_dir = ".", .read_only = true};
    struct call call = {.ds = ds, .mem = mem, .no_etag = ds->form == FORM_RAW};
    struct store_registry *registry = store_registry_new(world_real(), NULL);
    kit_ok(store_open(&store, registry, &config, &error));
    kit_ok(store_session_open(&session, store, &error));
    for (unsigned time = 0; time < times; time++) {
        struct record records[KEYS] = {0};
        char names[KEYS][8];
        for (unsigned i = 0; i < KEYS; i++) {
            g_snprintf(names[i], sizeof names[i], "%u", i);
            records[i].key = slice_of_text(names[i]);
        }
        kit_ok(store_read(session, &call, records, KEYS, &error));
        for (unsigned i = 0; i < KEYS; i++)
            if (ds->form == FORM_HASH)
                check_record(talk, &records[i], i);
            else if (records[i].presence == RECORD_PRESENT || i != NONE_AT)
                kit_equal_text(records[i].raw, "Rsvalue");
    }
    store_session_close(session);
    store_release(registry, store);
    store_registry_free(registry);
}

static void read_hashes(struct talk *talk, unsigned times)
{
    static const struct dataset HASHES = {.name = "k{id}", .form = FORM_HASH};
    read_records(talk, &HASHES, times);
}

static void read_strings(struct talk *talk, unsigned times)
{
    static const struct dataset STRINGS = {.name = "k{id}", .form = FORM_RAW};
    read_records(talk, &STRINGS, times);
}

/* But for what is no hash: what that is, its own command tells. */
static void where_nothing_is_large_no_size_is_asked(void **state)
{
    for (int pairs = 0; pairs <= 1; pairs++) {
        struct talk talk = {.stats = BEGIN MERGED HEAD ROWS END, .pairs = pairs, .most_fields = 17};
        talk.keyspace = pairs ? "db0:keys=40,expires=1\r\n" : NULL; /* then once more, with the expiries */
        read_hashes(&talk, 3);
        assert_int_equal(talk.few, (3 + pairs) * KEYS);
        assert_int_equal(talk.sizes, 3);
        assert_int_equal(talk.stated, 1); /* what is said holds for a while */
    }
}

/* HRANDFIELD gives so many of its fields, whichever they are. */
static void of_a_hash_of_more_fields_the_size_is_asked(void **state)
{
    static const unsigned FIELDS[] = {18, 19, 60};
    for (size_t i = 0; i < G_N_ELEMENTS(FIELDS); i++) {
        struct talk talk = {.stats = BEGIN MERGED HEAD ROWS END, .pairs = i == 1, .most_fields = FIELDS[i]};
        read_hashes(&talk, 1);
        assert_int_equal(talk.few, KEYS);
        assert_int_equal(talk.sizes, 2);
    }
}

static void where_something_large_lives_sizes_are_asked(void **state)
{
    static const struct {
        const char *stats, *version, *keyspace;
    } CASES[] = {
        {.stats = BEGIN MERGED HEAD ROWS TABLE END},
        {.stats = BEGIN MERGED HEAD ROWS "  536870912 96 536870912 1\n" END},
        {.stats = NULL},
        {.stats = "Stats not supported for the current allocator"},
        /* a table, and something as large; a table where there is none so large */
        {.stats = BEGIN MERGED HEAD ROWS "  2097152 64 4194304 2\n" END, .keyspace = "db0:keys=200000,expires=0\r\n"},
        {.stats = BEGIN MERGED HEAD ROWS TABLE END, .keyspace = "db0:keys=200000,expires=0\r\n", .version = "7.4.1"},
        {.stats = BEGIN MERGED HEAD ROWS TABLE END,
         .keyspace = "db0:keys=200000,expires=0\r\nserver_name:valkey\r\n",
         .version = "7.2.4"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(CASES); i++) {
        struct talk talk = {.stats = CASES[i].stats, .version = CASES[i].version, .keyspace = CASES[i].keyspace};
        read_hashes(&talk, 2);
        if (talk.few != 0 || talk.sizes != 2 * KEYS || talk.stated != 1)
            fail_msg("case %zu: fields %u, sizes %u, stated %u", i, talk.few, talk.sizes, talk.stated);
    }
}

static void the_table_of_the_keys_is_known_to_be_there(void **state)
{
    struct talk talk = {.stats = BEGIN MERGED HEAD ROWS TABLE END, .keyspace = "db0:keys=200000,expires=0\r\n"};
    read_hashes(&talk, 1);
    assert_int_equal(talk.few, KEYS);
    assert_int_equal(talk.sizes, 1);
}

/* Another server may have come instead, with something large. */
static void who_is_lost_from_sight_is_asked_anew_what_lives_there(void **state)
{
    struct talk talk = {.stats = BEGIN MERGED HEAD ROWS END, .leaves_at = KEYS + 2};
    read_hashes(&talk, 3); /* hangs up in the second, the third knows what is known of nobody */
    assert_true(talk.few > 3 * KEYS);
    assert_true(talk.stated >= 2);
}

static void who_may_not_asks_sizes_and_tries_no_more(void **state)
{
    struct talk talk = {.stats = BEGIN MERGED HEAD ROWS END, .refuses = true};
    read_hashes(&talk, 2);
    assert_int_equal(talk.again, 0);
    assert_in_range(talk.few, 1, KEYS);
    assert_int_equal(talk.sizes, 2 * KEYS);
}

static void where_nothing_is_large_strings_are_read_together(void **state)
{
    struct talk talk = {.stats = BEGIN MERGED HEAD ROWS END};
    read_strings(&talk, 2);
    assert_int_equal(talk.several, 2 * 3); /* 40 of them, 16 at most in one */
    assert_int_equal(talk.strings, 0);
    assert_int_equal(talk.stated, 1);
}

static void where_something_large_lives_or_expires_each_string_is_read_alone(void **state)
{
    struct talk large = {.stats = BEGIN MERGED HEAD ROWS TABLE END};
    struct talk mortal = {.stats = BEGIN MERGED HEAD ROWS END, .keyspace = "db0:keys=40,expires=1\r\n"};
    read_strings(&large, 2);
    assert_int_equal(large.several, 0);
    assert_int_equal(large.strings, 2 * KEYS);
    assert_int_equal(large.stated, 1); /* not soon again */
    read_strings(&mortal, 1);
    assert_int_equal(mortal.strings, KEYS); /* what came by MGET did not count: it may expire */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_that_lives_is_told),
        cmocka_unit_test(where_nothing_is_large_no_size_is_asked),
        cmocka_unit_test(of_a_hash_of_more_fields_the_size_is_asked),
        cmocka_unit_test(where_something_large_lives_sizes_are_asked),
        cmocka_unit_test(the_table_of_the_keys_is_known_to_be_there),
        cmocka_unit_test(who_is_lost_from_sight_is_asked_anew_what_lives_there),
        cmocka_unit_test(who_may_not_asks_sizes_and_tries_no_more),
        cmocka_unit_test(where_nothing_is_large_strings_are_read_together),
        cmocka_unit_test(where_something_large_lives_or_expires_each_string_is_read_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
