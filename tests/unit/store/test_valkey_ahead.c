/* SCANs that are sent ahead, against a server that answers by rote: that the next one is on its way before the keys of
 * one are taken, that no more are sent than are wanted, and that no key is missing where a reply is lost. */
#include "base/int.h"
#include "store/valkey/list_parts.h"
#include "test_valkey_kit.h"

enum { CALLS = 40, EACH = 30, KEYS = CALLS * EACH, NOWHERE = -1 };

/* What the server has said and heard. Its own thread's but for what is atomic. */
struct rote {
    struct world world;
    struct world_net net;
    struct list *list;
    GArray *taken;    /* of guint: keys that were taken when each SCAN was sent */
    int loses;        /* the SCAN that is not answered, once, and with it its connection; NOWHERE: none */
    bool begins_anew; /* the server that is met then is another one */
    atomic_bool closed;
    atomic_int heard, lost, scanned[CALLS]; /* SCANs in all; connections that were closed; SCANs of each cursor */
};

static int64_t send_seen(void *self, int fd, const void *from, size_t len)
{
    struct rote *rote = self;
    if (rote->list && memmem(from, len, "\r\nSCAN\r\n", 8))
        g_array_append_val(rote->taken, rote->list->found->len);
    return world_real()->net->send(world_real()->net_self, fd, from, len);
}

static void rote_init(struct rote *rote, int loses)
{
    *rote = (struct rote){.world = *world_real(), .loses = loses};
    rote->taken = g_array_new(FALSE, FALSE, sizeof(guint));
    rote->net = *rote->world.net;
    rote->net.send = send_seen;
    rote->world.net = &rote->net;
    rote->world.net_self = rote;
}

/* --- the server --------------------------------------------------------------------------------------------------- */

/* The one that the text begins with. */
static int number(const char *text)
{
    return (int)g_ascii_strtoll(text, NULL, 10);
}

static char *bytes_of(const char *text)
{
    return g_strdup_printf("$%zu\r\n%s\r\n", strlen(text), text);
}

static char *info(struct rote *rote)
{
    bool other = rote->begins_anew && atomic_load(&rote->lost) > 0;
    g_autofree char *text = g_strdup_printf("redis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:%040d\r\n"
                                            "role:master\r\nmaster_replid:%040d\r\ncluster_enabled:0\r\n",
                                            1 + other, 1 + other);
    return bytes_of(text);
}

/* The cursor is the number of the call: its keys, and where the next one goes on. */
static char *page(int call)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *next = g_strdup_printf("%d", (call + 1) % CALLS), *cursor = bytes_of(next);
    g_string_append_printf(text, "*2\r\n%s*%d\r\n", cursor, EACH);
    for (int i = 0; i < EACH; i++)
        g_string_append_printf(text, "$7\r\nk:%05d\r\n", call * EACH + i);
    return g_strdup(text->str);
}

/* NULL: it is not answered, and nothing after it. */
static char *scan(struct rote *rote, const char *asked)
{
    int call = number(asked + strlen("SCAN "));
    assert_in_range(call, 0, CALLS - 1);
    atomic_fetch_add(&rote->heard, 1);
    atomic_fetch_add(&rote->scanned[call], 1);
    if (call != rote->loses || atomic_load(&rote->lost) > 0)
        return page(call);
    atomic_fetch_add(&rote->lost, 1);
    return NULL;
}

static char *answer(struct rote *rote, const char *asked)
{
    if (g_str_has_prefix(asked, "HELLO"))
        return g_strdup("%1\r\n$6\r\nserver\r\n$5\r\nredis\r\n");
    if (g_str_has_prefix(asked, "INFO"))
        return info(rote);
    return g_str_has_prefix(asked, "SCAN ") ? scan(rote, asked) : g_strdup("-ERR not by rote\r\n");
}

/* The other one, which was asked who it is behind the last keys: it closes, so that who asks for the servers is heard.
 */
static bool closes(struct rote *rote, const char *asked)
{
    bool behind = g_str_equal(asked, "INFO server replication persistence") && atomic_load(&rote->scanned[CALLS - 1]);
    return rote->begins_anew && behind && !atomic_exchange(&rote->closed, true);
}

static void serve(struct peer *peer, int fd)
{
    struct rote *rote = peer_self(peer);
    for (bool goes_on = true; goes_on;) {
        g_autofree char *asked = peer_command(fd);
        g_autofree char *said = asked ? answer(rote, asked) : NULL;
        goes_on = said && peer_say_text(fd, said) && !closes(rote, asked);
    }
}

/* --- who lists ---------------------------------------------------------------------------------------------------- */

static uint64_t key_number(struct slice key)
{
    uint64_t number = KEYS;
    assert_true(key.len == 7 && int_parse_u64(slice_of(key.data + 2, 5), &number) && number < KEYS);
    return number;
}

/* All keys, by as many list_next() as it takes; each is seen at least once. */
static unsigned list_all(struct rote *rote, struct router *router, size_t most)
{
    GError *error = NULL;
    auto_(key_template) template = NULL;
    auto_(arena) mem = arena_new(1 << 22);
    g_autofree bool *seen = g_new0(bool, KEYS);
    struct list_keys keys = {0};
    struct call call = {.mem = mem};
    unsigned nexts = 0, missing = 0;
    kit_ok(key_template_parse(&template, "k:{id}", &error));
    struct list_wish wish = {.template = template, .max_keys = most};
    auto_(list) list = NULL;
    kit_ok(list_open(&list, router, &wish, &error));
    rote->list = list;
    for (; !keys.done; nexts++) {
        arena_reset(mem);
        kit_ok(list_next(list, &call, &keys, &error));
        for (size_t i = 0; i < keys.n; i++)
            seen[key_number(keys.keys[i])] = true;
    }
    rote->list = NULL;
    for (size_t i = 0; i < KEYS; i++)
        missing += !seen[i];
    assert_int_equal(missing, 0);
    return nexts;
}

static unsigned list_by(struct rote *rote, size_t most)
{
    struct lone_router lone;
    auto_(peer) peer = peer_start(serve, rote);
    lone_router_init(&lone, &rote->world, peer);
    unsigned nexts = list_all(rote, lone.router, most);
    lone_router_done(&lone);
    return nexts;
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void the_next_one_is_sent_before_the_keys_of_one_are_taken(void **state)
{
    struct rote rote;
    rote_init(&rote, NOWHERE);
    assert_int_equal(list_by(&rote, 10 * KEYS), 1);
    assert_int_equal(rote.taken->len, CALLS);
    for (guint i = 0; i < rote.taken->len; i++)
        assert_int_equal(g_array_index(rote.taken, guint, i), i == 0 ? 0 : (i - 1) * EACH);
    g_array_unref(rote.taken);
}

/* 1,000 keys are the least that one list_next() is given: the last SCAN before them has nothing behind it. */
static void what_would_be_more_than_is_wanted_is_not_sent(void **state)
{
    struct rote rote;
    rote_init(&rote, NOWHERE);
    assert_int_equal(list_by(&rote, 1000), 2);
    assert_int_equal(atomic_load(&rote.heard), CALLS); /* none was answered for nothing */
    g_array_unref(rote.taken);
}

static void where_a_reply_is_lost_it_is_asked_for_again_and_no_key_is_missing(void **state)
{
    static const int AT[] = {0, 1, CALLS / 2, CALLS - 1};
    for (size_t i = 0; i < G_N_ELEMENTS(AT); i++) {
        struct rote rote;
        rote_init(&rote, AT[i]);
        list_by(&rote, 10 * KEYS);
        assert_int_equal(atomic_load(&rote.lost), 1);
        for (int call = 0; call < CALLS; call++)
            assert_int_equal(atomic_load(&rote.scanned[call]), call == AT[i] ? 2 : 1);
        g_array_unref(rote.taken);
    }
}

/* A cursor of another process is worth nothing, however far the one before it had come. */
static void where_the_server_is_another_one_behind_it_the_listing_begins_anew(void **state)
{
    static const struct {
        int loses;
        size_t most;
    } ROWS[] = {{CALLS / 2, 10 * KEYS}, {CALLS - 2, 1000}};
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++) {
        struct rote rote;
        rote_init(&rote, ROWS[i].loses);
        rote.begins_anew = true;
        list_by(&rote, ROWS[i].most);
        assert_int_equal(atomic_load(&rote.scanned[0]), 2);
        assert_int_equal(atomic_load(&rote.scanned[ROWS[i].loses - 1]), 2);
        g_array_unref(rote.taken);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_one_is_sent_before_the_keys_of_one_are_taken),
        cmocka_unit_test(what_would_be_more_than_is_wanted_is_not_sent),
        cmocka_unit_test(where_a_reply_is_lost_it_is_asked_for_again_and_no_key_is_missing),
        cmocka_unit_test(where_the_server_is_another_one_behind_it_the_listing_begins_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
