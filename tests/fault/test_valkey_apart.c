/* Numbered writes of and over values that no script could handle at once, on a server: what is written, what is left,
 * and that no command that reads the whole of one was ever given. */
#include "kit/kit.h"
#include "kit/servers.h"
#include "store/calls.h"

enum { MIB = 1 << 20 };

struct box {
    struct servers servers;
    struct store_registry *registry;
    struct store *store;
    struct session *session;
    struct arena *mem;
    struct dataset raw, hash;
    struct call call;
    struct lane lane;
    uint64_t number;
};

static void box_open(struct box *box)
{
    GError *error = NULL;
    struct fence before;
    g_autofree char *uri = g_strdup_printf("valkey://127.0.0.1:%u", box->servers.ports[0]);
    struct store_config config = {.uri = uri, .base_dir = box->servers.dir};
    box->registry = store_registry_new(world_real(), NULL);
    box->mem = arena_new((size_t)64 * MIB);
    box->raw = (struct dataset){.name = "*", .form = FORM_RAW, .in_pieces = true};
    box->hash = (struct dataset){.name = "h:*", .form = FORM_HASH};
    box->call = (struct call){.ds = &box->raw, .mem = box->mem};
    kit_ok(store_open(&box->store, box->registry, &config, &error));
    kit_ok(store_session_open(&box->session, box->store, &error));
    box->lane = (struct lane){.lane = 1, .fence = {.part = 1, .run = {7}}};
    kit_ok(store_lane_open(box->session, &box->call, &box->lane, &before, &error));
}

static int set_up(void **state)
{
    struct box *box = g_new0(struct box, 1);
    *state = box;
    servers_start_alone(&box->servers);
    if (box->servers.program)
        box_open(box);
    return 0;
}

static int tear_down(void **state)
{
    struct box *box = *state;
    if (box->servers.program) {
        store_session_close(box->session);
        store_release(box->registry, box->store);
        store_registry_free(box->registry);
        arena_free(box->mem);
    }
    servers_end(&box->servers);
    g_free(box);
    return 0;
}

static struct box *begin(void **state)
{
    struct box *box = *state;
    servers_or_skip(&box->servers);
    arena_reset(box->mem);
    return box;
}

static void tell(struct box *box, const char *command)
{
    g_autofree char *said = servers_ask(&box->servers, 0, command, false);
    if (said[0] == '-')
        fail_msg("%s: %s", command, said);
}

static void says(struct box *box, const char *command, const char *wanted)
{
    g_autofree char *said = servers_ask(&box->servers, 0, command, false);
    if (strcmp(said, wanted) != 0)
        fail_msg("%s: %s, not %s", command, said, wanted);
}

/* Nor by a script. */
static void nobody_asked(struct box *box, const char *statistic)
{
    g_autofree char *said = servers_ask(&box->servers, 0, "INFO commandstats", true);
    assert_null(strstr(said, statistic));
}

static struct record look(struct box *box, const char *key)
{
    GError *error = NULL;
    struct record record = {.key = slice_of_text(key)};
    kit_ok(store_read(box->session, &box->call, &record, 1, &error));
    return record;
}

static struct cas_op put(struct box *box, const char *key, struct slice raw, struct etag etag)
{
    return (struct cas_op){
        .key = slice_of_text(key), .raw = raw, .etag = etag, .number = ++box->number, .verb = CAS_PUT};
}

static void write_op(struct box *box, struct cas_op *op, enum cas_outcome wanted)
{
    GError *error = NULL;
    kit_ok(store_cas(box->session, &box->call, &box->lane, op, 1, &error));
    if (op->outcome != wanted)
        fail_msg("outcome %d, not %d: %s", (int)op->outcome, (int)wanted, op->fault.text ? op->fault.text : "");
    says(box, "EVAL \"return(#redis.call('KEYS','sluice:big:*'))\" 0", ":0\r\n");
}

#define SMALL  slice_of("Rssmall", 7)
#define ABSENT ((struct etag){0})

static struct slice string_of(struct box *box, size_t len)
{
    uint8_t *bytes = arena_alloc(box->mem, len + 2);
    assert_non_null(bytes);
    memset(bytes, 'x', len + 2);
    memcpy(bytes, "Rs", 2);
    return slice_of(bytes, len + 2);
}

static void what_became_large_since_it_was_read_is_not_read_by_the_script(void **state)
{
    struct box *box = begin(state);
    tell(box, "SET grows small");
    struct record before = look(box, "grows");
    tell(box, "SETRANGE grows 3000000 x");
    tell(box, "CONFIG RESETSTAT");
    struct cas_op op = put(box, "grows", SMALL, before.etag);
    write_op(box, &op, CAS_CHANGED);
    assert_int_equal(op.live.presence, RECORD_PRESENT);
    assert_int_equal(op.live.raw.len, 3000001 + 2);
    nobody_asked(box, "cmdstat_dump");
    struct cas_op again = put(box, "grows", SMALL, op.live.etag);
    write_op(box, &again, CAS_WRITTEN);
    says(box, "GET grows", "$5\r\nsmall\r\n");
}

static void what_appeared_and_is_large_is_not_read_by_the_script(void **state)
{
    struct box *box = begin(state);
    tell(box, "SETRANGE appears 3000000 x");
    tell(box, "CONFIG RESETSTAT");
    struct cas_op op = put(box, "appears", SMALL, ABSENT);
    write_op(box, &op, CAS_CHANGED);
    assert_int_equal(op.live.raw.len, 3000001 + 2);
    nobody_asked(box, "cmdstat_dump");
}

static void what_became_too_large_to_be_a_document_is_told_without_reading_it(void **state)
{
    struct box *box = begin(state);
    box->call.ds = &box->hash;
    tell(box, "HSET h:a f x");
    struct record before = look(box, "h:a");
    tell(box, "EVAL \"return(redis.call('HSET',KEYS[1],'f',('x'):rep(17825792)))\" 1 h:a");
    tell(box, "CONFIG RESETSTAT");
    struct cas_op op = put(box, "h:a", before.raw, before.etag);
    write_op(box, &op, CAS_CHANGED);
    assert_int_equal(op.live.presence, RECORD_FAULT);
    assert_int_equal(op.live.fault.code, SLUICE_ERROR_TOO_BIG);
    nobody_asked(box, "cmdstat_hgetall");
    box->call.ds = &box->raw;
}

static void a_large_value_is_put_together_and_renamed_once(void **state)
{
    struct box *box = begin(state);
    struct cas_op op = put(box, "large", string_of(box, (size_t)2 * MIB), ABSENT);
    op.expires_at_ms = INT64_C(4000000000000);
    write_op(box, &op, CAS_WRITTEN);
    says(box, "STRLEN large", ":2097152\r\n");
    says(box, "PEXPIRETIME large", ":4000000000000\r\n");
    tell(box, "SET large changed");
    write_op(box, &op, CAS_DONE); /* the same number */
    says(box, "GET large", "$7\r\nchanged\r\n");
}

static void over_what_the_application_has_written_since_nothing_is_renamed(void **state)
{
    struct box *box = begin(state);
    tell(box, "SETRANGE theirs 3000000 x");
    struct record before = look(box, "theirs");
    tell(box, "APPEND theirs y");
    struct cas_op op = put(box, "theirs", string_of(box, (size_t)2 * MIB), before.etag);
    write_op(box, &op, CAS_CHANGED);
    assert_int_equal(op.live.raw.len, 3000002 + 2);
    says(box, "STRLEN theirs", ":3000002\r\n");
    struct cas_op gone = put(box, "theirs", SLICE_EMPTY, op.live.etag);
    gone.verb = CAS_DELETE;
    tell(box, "PEXPIRE theirs 3600000"); /* no change of the value */
    write_op(box, &gone, CAS_CHANGED);
    struct cas_op last = put(box, "theirs", SLICE_EMPTY, gone.live.etag);
    last.verb = CAS_DELETE;
    write_op(box, &last, CAS_WRITTEN);
    says(box, "EXISTS theirs", ":0\r\n");
}

static void what_is_put_together_for_nothing_is_taken_away(void **state)
{
    struct box *box = begin(state);
    GError *error = NULL;
    struct fence before;
    struct lane old = box->lane;
    struct cas_op op = put(box, "late", string_of(box, (size_t)2 * MIB), ABSENT);
    box->lane.lane++;
    kit_ok(store_lane_open(box->session, &box->call, &box->lane, &before, &error));
    kit_ok(store_cas(box->session, &box->call, &old, &op, 1, &error));
    assert_int_equal(op.outcome, CAS_FENCED);
    says(box, "EXISTS late", ":0\r\n");
    says(box, "EVAL \"return(#redis.call('KEYS','sluice:big:*'))\" 0", ":0\r\n");
    box->number = 0;
}

/* The value that stands for it cannot be fetched: nobody gave a source. */
static void of_what_only_a_digest_is_known_nothing_is_written(void **state)
{
    struct box *box = begin(state);
    uint8_t bytes[34] = "Ps";
    struct cas_op op = put(box, "digest", slice_of(bytes, sizeof bytes), ABSENT);
    write_op(box, &op, CAS_REFUSED);
    assert_non_null(strstr(op.fault.text, "only its digest is known"));
    says(box, "EXISTS digest", ":0\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_became_large_since_it_was_read_is_not_read_by_the_script),
        cmocka_unit_test(what_appeared_and_is_large_is_not_read_by_the_script),
        cmocka_unit_test(what_became_too_large_to_be_a_document_is_told_without_reading_it),
        cmocka_unit_test(a_large_value_is_put_together_and_renamed_once),
        cmocka_unit_test(over_what_the_application_has_written_since_nothing_is_renamed),
        cmocka_unit_test(what_is_put_together_for_nothing_is_taken_away),
        cmocka_unit_test(of_what_only_a_digest_is_known_nothing_is_written),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
