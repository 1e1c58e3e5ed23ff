/* A connection that is cut before or after every write of a batch, and a write that reaches the server late: whatever
 * becomes of it, the fence tells exactly what was applied, and what it tells stays true. */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kit/kit.h"
#include "kit/servers.h"
#include "store/calls.h"
#include "store/valkey/script.h"

enum { OPS = 6, BUFFER = 1 << 16, MODES = 3 };

enum mode {
    CUT_BEFORE, /* the n-th write does not reach the server */
    CUT_AFTER,  /* its answer does not come back */
    CUT_LATE,   /* as CUT_BEFORE, but the server gets it when the test says so */
};

/* Between driver and server: one thread, connections one after the other or side by side. */
struct proxy {
    uint16_t server;
    int listens;
    uint16_t port;
    pthread_t thread;
    atomic_bool stop;
    const char *sha; /* of the script whose calls are counted */
    atomic_uint nth; /* of them from now on; 0: nothing is cut */
    enum mode mode;
    atomic_bool release, released; /* CUT_LATE */
    GByteArray *late;
    int late_fd;
    unsigned seen;
    atomic_bool mutes, muted; /* the answer to a takeover stays here while this holds; one does */
};

struct link {
    int client, server;
    GByteArray *up; /* of a command that is not whole */
    unsigned answers_left;
    bool muted;
    bool asked; /* something of what came together with this */
};

static int socket_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void send_all(int fd, const uint8_t *data, size_t len)
{
    for (ssize_t n; len > 0 && (n = send(fd, data, len, MSG_NOSIGNAL)) > 0; len -= (size_t)n)
        data += n;
}

/* The length of the first whole command; 0: there is none yet. */
static size_t command_len(const GByteArray *bytes)
{
    const char *at = (const char *)bytes->data, *end = at + bytes->len;
    if (bytes->len < 4 || !memchr(at, '\n', bytes->len))
        return 0;
    long n = strtol(at + 1, NULL, 10);
    at = (const char *)memchr(at, '\n', bytes->len) + 1;
    for (; n > 0; n--) {
        const char *line = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (!line)
            return 0;
        at = line + 1 + strtol(at + 1, NULL, 10) + 2;
    }
    return at <= end ? (size_t)(at - (const char *)bytes->data) : 0;
}

static bool calls(const GByteArray *bytes, size_t len, const char *sha)
{
    return g_strstr_len((const char *)bytes->data, (gssize)len, sha) != NULL;
}

/* What was sent before is answered before: nothing but the late command is lost with the connection. */
static void pass_answer(struct link *link)
{
    uint8_t data[BUFFER];
    ssize_t n = recv(link->server, data, sizeof data, 0);
    if (n > 0)
        send_all(link->client, data, (size_t)n);
}

static void link_close(struct link *link)
{
    close(link->client);
    if (link->server >= 0)
        close(link->server);
    g_byte_array_unref(link->up);
    g_free(link);
}

/* Whether the link goes on. */
static bool pass_command(struct proxy *proxy, struct link *link, size_t len)
{
    unsigned nth = atomic_load(&proxy->nth);
    bool here = nth && calls(link->up, len, proxy->sha) && ++proxy->seen == nth;
    if (here && proxy->mode == CUT_LATE) {
        if (link->asked)
            pass_answer(link);
        g_byte_array_set_size(proxy->late, 0);
        g_byte_array_append(proxy->late, link->up->data, (unsigned)len);
        proxy->late_fd = link->server;
        link->server = -1;
    }
    if (here && proxy->mode != CUT_AFTER) {
        atomic_store(&proxy->nth, 0);
        return false;
    }
    send_all(link->server, link->up->data, len);
    link->asked = true;
    if (atomic_load(&proxy->mutes) && calls(link->up, len, script_take.sha)) {
        uint8_t first;
        assert_int_equal(recv(link->server, &first, 1, MSG_PEEK), 1);
        link->muted = true;
        atomic_store(&proxy->muted, true);
    }
    if (here) { /* its answer is the last thing that the server gives, and stays here */
        uint8_t answers[BUFFER];
        unsigned wanted = nth;
        atomic_store(&proxy->nth, 0);
        for (ssize_t n; wanted && (n = recv(link->server, answers, sizeof answers, 0)) > 0;)
            for (ssize_t i = 0; i < n; i++)
                wanted -= wanted && answers[i] == '\n';
        return false;
    }
    g_byte_array_remove_range(link->up, 0, (unsigned)len);
    return true;
}

static bool pass_up(struct proxy *proxy, struct link *link)
{
    uint8_t data[BUFFER];
    ssize_t n = recv(link->client, data, sizeof data, 0);
    link->asked = false;
    if (n <= 0)
        return false;
    g_byte_array_append(link->up, data, (unsigned)n);
    for (size_t len; (len = command_len(link->up)) > 0;)
        if (!pass_command(proxy, link, len))
            return false;
    return true;
}

static bool pass_down(struct link *link)
{
    uint8_t data[BUFFER];
    ssize_t n = recv(link->server, data, sizeof data, 0);
    if (n <= 0)
        return false;
    send_all(link->client, data, (size_t)n);
    return true;
}

static void deliver_late(struct proxy *proxy)
{
    uint8_t data[BUFFER];
    if (proxy->late_fd < 0 || !atomic_load(&proxy->release))
        return;
    send_all(proxy->late_fd, proxy->late->data, proxy->late->len);
    send_all(proxy->late_fd, (const uint8_t *)"PING\r\n", strlen("PING\r\n"));
    for (ssize_t n; (n = recv(proxy->late_fd, data, sizeof data, 0)) > 0;)
        if (g_strstr_len((const char *)data, n, "PONG"))
            break;
    close(proxy->late_fd);
    proxy->late_fd = -1;
    atomic_store(&proxy->release, false);
    atomic_store(&proxy->released, true);
}

static void turn(struct proxy *proxy, GPtrArray *links)
{
    enum { MOST = 64, WAIT_MS = 5 };
    struct pollfd polls[MOST] = {{.fd = proxy->listens, .events = POLLIN}};
    unsigned n = links->len;
    for (unsigned i = 0; i < n; i++) {
        struct link *link = links->pdata[i];
        link->muted = link->muted && atomic_load(&proxy->mutes);
        polls[1 + 2 * i] = (struct pollfd){.fd = link->client, .events = POLLIN};
        polls[2 + 2 * i] = (struct pollfd){.fd = link->muted ? -1 : link->server, .events = POLLIN};
    }
    poll(polls, 1 + 2 * n, WAIT_MS);
    for (unsigned i = n; i > 0; i--) {
        struct link *link = links->pdata[i - 1];
        bool on = !polls[2 * i].revents || pass_down(link);
        on = on && (!polls[2 * i - 1].revents || pass_up(proxy, link));
        if (on)
            continue;
        link_close(link);
        g_ptr_array_remove_index_fast(links, i - 1);
    }
    if (polls[0].revents) {
        struct link *link = g_new0(struct link, 1);
        link->client = accept(proxy->listens, NULL, NULL);
        link->server = socket_to(proxy->server);
        link->up = g_byte_array_new();
        g_ptr_array_add(links, link);
    }
    deliver_late(proxy);
}

static void *serve(void *at)
{
    struct proxy *proxy = at;
    g_autoptr(GPtrArray) links = g_ptr_array_new();
    while (!atomic_load(&proxy->stop))
        turn(proxy, links);
    for (unsigned i = 0; i < links->len; i++)
        link_close(links->pdata[i]);
    return NULL;
}

static void proxy_start(struct proxy *proxy, uint16_t server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    *proxy = (struct proxy){.server = server, .sha = script_cas.sha, .late = g_byte_array_new(), .late_fd = -1};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    proxy->listens = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(proxy->listens, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(proxy->listens, SOMAXCONN), 0);
    assert_int_equal(getsockname(proxy->listens, (struct sockaddr *)&address, &len), 0);
    proxy->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&proxy->thread, NULL, serve, proxy), 0);
}

static void proxy_stop(struct proxy *proxy)
{
    atomic_store(&proxy->stop, true);
    pthread_join(proxy->thread, NULL);
    close(proxy->listens);
    if (proxy->late_fd >= 0)
        close(proxy->late_fd);
    g_byte_array_unref(proxy->late);
}

/* --- the box ------------------------------------------------------------------------------------------------------ */

struct box {
    struct servers servers;
    struct proxy proxy;
    struct store_registry *registry;
    struct store *store, *direct; /* through the proxy, and beside it */
    struct session *session, *beside;
    struct arena *mem;
    struct dataset ds;
    struct lane lane;
    uint64_t turns;
};

static int set_up(void **state)
{
    struct box *box = g_new0(struct box, 1);
    *state = box;
    servers_start_alone(&box->servers);
    if (!box->servers.program)
        return 0;
    proxy_start(&box->proxy, box->servers.ports[0]);
    box->mem = arena_new(64 << 20);
    box->ds = (struct dataset){.name = "cut:{key}"};
    return 0;
}

static int tear_down(void **state)
{
    struct box *box = *state;
    if (box->servers.program) {
        proxy_stop(&box->proxy);
        arena_free(box->mem);
    }
    servers_end(&box->servers);
    g_free(box);
    return 0;
}

static struct call call_of(struct box *box)
{
    return (struct call){.ds = &box->ds, .mem = box->mem};
}

static void opened(struct box *box, uint16_t port, struct store **ret, struct session **ret_session)
{
    GError *error = NULL;
    g_autofree char *uri = g_strdup_printf("valkey://127.0.0.1:%u", port);
    struct store_config config = {.uri = uri, .base_dir = box->servers.dir};
    kit_ok(store_open(ret, box->registry, &config, &error));
    kit_ok(store_session_open(ret_session, *ret, &error));
}

/* Everything anew: a process that holds a run of its own, in an empty server. */
static void begin(struct box *box)
{
    GError *error = NULL;
    struct fence before;
    struct call call = call_of(box);
    g_free(servers_ask(&box->servers, 0, "FLUSHALL", false));
    box->registry = store_registry_new(world_real(), NULL);
    opened(box, box->proxy.port, &box->store, &box->session);
    opened(box, box->servers.ports[0], &box->direct, &box->beside);
    box->lane = (struct lane){.lane = 1, .fence = {.part = 3}};
    memcpy(box->lane.fence.run, &(uint64_t){++box->turns}, sizeof(uint64_t));
    kit_ok(store_lane_open(box->session, &call, &box->lane, &before, &error));
    assert_false(before.present);
}

static void end(struct box *box)
{
    store_session_close(box->session);
    store_session_close(box->beside);
    store_release(box->registry, box->store);
    store_release(box->registry, box->direct);
    store_registry_free(box->registry);
    arena_reset(box->mem);
}

static struct slice key_of(struct box *box, unsigned i)
{
    g_autofree char *text = g_strdup_printf("k%u", i);
    struct slice key;
    assert_true(arena_copy(box->mem, slice_of_text(text), &key));
    return key;
}

static void make_ops(struct box *box, struct cas_op *ops)
{
    GError *error = NULL;
    bson_t document = BSON_INITIALIZER;
    struct slice raw;
    BSON_APPEND_UTF8(&document, "a", "b");
    struct slice bytes = slice_of(bson_get_data(&document), document.len);
    kit_ok(store_encode(session_driver(box->session), &box->ds, bytes, box->mem, &raw, &error));
    bson_destroy(&document);
    for (unsigned i = 0; i < OPS; i++)
        ops[i] = (struct cas_op){.key = key_of(box, i), .raw = raw, .number = i + 1};
}

static struct call begin_with(struct box *box, struct cas_op *ops)
{
    servers_or_skip(&box->servers);
    begin(box);
    make_ops(box, ops);
    return call_of(box);
}

static bool stands(struct box *box, unsigned i)
{
    GError *error = NULL;
    struct call call = call_of(box);
    struct record record = {.key = key_of(box, i)};
    kit_ok(store_read(box->beside, &call, &record, 1, &error));
    return record.presence == RECORD_PRESENT;
}

static unsigned assert_fence_is_right(struct box *box, const struct cas_op *ops)
{
    GError *error = NULL;
    struct call call = call_of(box);
    struct fence fence;
    unsigned applied = 0;
    kit_ok(store_fence_read(box->session, &call, &box->lane.fence, &fence, &error));
    assert_int_equal(fence.n, 1);
    assert_true(fence.lanes[0].open);
    for (unsigned i = 0; i < OPS; i++) {
        bool marked = fence_lane_applied(&fence.lanes[0], ops[i].number);
        assert_int_equal(marked, stands(box, i));
        assert_true(marked || ops[i].outcome != CAS_WRITTEN);
        assert_true(!marked || ops[i].outcome != CAS_NOT_SENT);
        applied += marked;
    }
    return applied;
}

static void let_the_late_one_arrive(struct box *box)
{
    atomic_store(&box->proxy.released, false);
    atomic_store(&box->proxy.release, true);
    while (!atomic_load(&box->proxy.released))
        g_thread_yield();
}

static void arm(struct box *box, enum mode mode, const char *sha, unsigned nth)
{
    box->proxy.mode = mode;
    box->proxy.sha = sha;
    box->proxy.seen = 0;
    atomic_store(&box->proxy.nth, nth);
}

/* Writes share a call as long as their numbers ascend: `each` of them do. */
static unsigned run_mode(struct box *box, enum mode mode, unsigned nth, unsigned each)
{
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct call call = begin_with(box, ops);
    for (unsigned i = 0; i < OPS; i++)
        ops[i].number = OPS - each - i / each * each + i % each + 1;
    arm(box, mode, script_cas.sha, nth);
    bool whole = store_cas(box->session, &call, &box->lane, ops, OPS, &error);
    assert_false(whole);
    assert_true(error_class(error) == ERROR_TRANSIENT);
    g_clear_error(&error);
    unsigned applied = assert_fence_is_right(box, ops);
    if (mode == CUT_LATE) {
        let_the_late_one_arrive(box);
        assert_int_equal(assert_fence_is_right(box, ops), applied);
    }
    kit_ok(store_cas(box->session, &call, &box->lane, ops, OPS, &error));
    for (unsigned i = 0; i < OPS; i++)
        assert_true(ops[i].outcome == CAS_WRITTEN || ops[i].outcome == CAS_DONE);
    assert_int_equal(assert_fence_is_right(box, ops), OPS);
    end(box);
    return applied;
}

static void every_cut(void **state, enum mode mode)
{
    struct box *box = *state;
    servers_or_skip(&box->servers);
    for (unsigned each = 1; each <= OPS; each *= each == 2 ? 3 : 2)
        for (unsigned nth = 1; nth <= OPS / each; nth++) {
            unsigned applied = run_mode(box, mode, nth, each);
            assert_in_range(applied, mode == CUT_AFTER ? nth * each : 0, (mode == CUT_AFTER ? nth : nth - 1) * each);
            assert_int_equal(applied % each, 0);
        }
}

static void a_write_that_does_not_arrive_is_not_marked(void **state)
{
    every_cut(state, CUT_BEFORE);
}

static void a_write_whose_answer_is_lost_is_marked(void **state)
{
    every_cut(state, CUT_AFTER);
}

static void a_write_that_arrives_after_the_fence_was_read_does_nothing(void **state)
{
    every_cut(state, CUT_LATE);
}

/* --- two processes ------------------------------------------------------------------------------------------------ */

/* Each opening of a store in a registry of its own is a process to the servers. */
static void a_process_that_wakes_writes_nothing(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence before;
    struct call call = begin_with(box, ops);
    kit_ok(store_cas(box->session, &call, &box->lane, ops, 2, &error));
    struct lane next = box->lane;
    next.lane = 2;
    kit_ok(store_lane_open(box->beside, &call, &next, &before, &error));
    assert_true(before.present && before.n == 1 && before.lanes[0].open && !before.lanes[0].partial);
    for (unsigned i = 0; i < OPS; i++)
        assert_int_equal(fence_lane_applied(&before.lanes[0], i + 1), i < 2);
    kit_ok(store_cas(box->session, &call, &box->lane, ops + 2, 2, &error));
    assert_int_equal(ops[2].outcome, CAS_FENCED);
    assert_int_equal(ops[3].outcome, CAS_FENCED);
    assert_false(stands(box, 2) || stands(box, 3));
    struct lane old = box->lane;
    kit_refused(store_lane_open(box->session, &call, &old, &before, &error), BEHIND, "older");
    ops[2].number = 1;
    kit_ok(store_cas(box->beside, &call, &next, ops + 2, 1, &error));
    assert_int_equal(ops[2].outcome, CAS_WRITTEN);
    end(box);
}

static void an_older_home_is_refused_and_disturbs_nobody(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence before;
    struct call call = begin_with(box, ops);
    struct lane same = box->lane;
    kit_refused(store_lane_open(box->beside, &call, &same, &before, &error), BEHIND, "older");
    kit_ok(store_cas(box->session, &call, &box->lane, ops, 1, &error));
    assert_int_equal(ops[0].outcome, CAS_WRITTEN);
    end(box);
}

/* Whose marks are gone while its records stand: nobody may take what is not marked for not applied. */
static void a_fence_deleted_by_hand_is_told(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence before;
    struct call call = begin_with(box, ops);
    kit_ok(store_cas(box->session, &call, &box->lane, ops, 2, &error));
    char key[64] = "DEL sluice:fence:";
    for (size_t i = 0; i < 16; i++)
        g_snprintf(key + strlen(key), 3, "%02x", box->lane.fence.run[i]);
    g_free(servers_ask(&box->servers, 0, key, false));
    kit_refused(store_cas(box->session, &call, &box->lane, ops + 2, 1, &error), UNSETTLED, "deleted");
    assert_int_equal(ops[2].outcome, CAS_NOT_SENT);
    struct lane next = box->lane;
    next.lane = 2;
    kit_ok(store_lane_open(box->session, &call, &next, &before, &error));
    for (size_t i = 0; i < before.n; i++)
        assert_true(before.lanes[i].partial);
    ops[2].number = 1;
    kit_ok(store_cas(box->session, &call, &next, ops + 2, 1, &error));
    assert_int_equal(ops[2].outcome, CAS_WRITTEN);
    end(box);
}

static bool place_has(struct box *box, const char *field)
{
    g_autoptr(GString) command = g_string_new("HEXISTS sluice:fence:");
    for (size_t i = 0; i < sizeof box->lane.fence.run; i++)
        g_string_append_printf(command, "%02x", box->lane.fence.run[i]);
    g_string_append_printf(command, " %s", field);
    g_autofree char *said = servers_ask(&box->servers, 0, command->str, false);
    return strcmp(said, ":1\r\n") == 0;
}

static void write_and_settle(struct box *box, const struct lane *lane, struct cas_op *op, size_t n)
{
    GError *error = NULL;
    struct call call = call_of(box);
    kit_ok(store_cas(box->session, &call, lane, op, n, &error));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(op[i].outcome, CAS_WRITTEN);
    kit_ok(store_settle(box->session, &call, &error));
}

/* Of a partition that is through, marks go from its places once its record has them: no sooner, and none is lost. */
static void what_is_pruned_stands_in_the_record(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence before;
    struct call call = begin_with(box, ops);
    struct lane next = box->lane;
    next.fence.part = 4;
    kit_ok(store_lane_open(box->session, &call, &next, &before, &error));
    write_and_settle(box, &box->lane, ops, 3);
    for (unsigned i = 0; i < 3; i++)
        ops[3 + i].number = i + 1;
    write_and_settle(box, &next, ops + 3, 1);
    assert_true(place_has(box, "3"));
    write_and_settle(box, &next, ops + 4, 1);
    assert_false(place_has(box, "3"));
    assert_true(place_has(box, "4"));
    struct lane again = box->lane;
    again.lane = 2;
    kit_ok(store_lane_open(box->beside, &call, &again, &before, &error));
    assert_true(before.n == 1 && !before.lanes[0].partial);
    for (unsigned number = 1; number <= OPS; number++)
        assert_int_equal(fence_lane_applied(&before.lanes[0], number), number <= 3);
    end(box);
}

/* --- what arrives behind its time --------------------------------------------------------------------------------- */

static struct lane lane_of_part(const struct box *box, uint32_t part)
{
    struct lane lane = box->lane;
    lane.fence.part = part;
    return lane;
}

static void open_lane(struct box *box, struct session *session, const struct lane *lane)
{
    GError *error = NULL;
    struct fence before;
    struct call call = call_of(box);
    kit_ok(store_lane_open(session, &call, lane, &before, &error));
}

static void write_one(struct box *box, const struct lane *lane, struct cas_op *op, uint64_t number)
{
    op->number = number;
    write_and_settle(box, lane, op, 1);
}

/* A partition's record goes along with the writes of another one; marks that a newer one has are removed. */
static void a_record_that_arrives_late_takes_no_marks_away(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence before;
    struct call call = begin_with(box, ops);
    struct lane other = lane_of_part(box, 4), next = box->lane;
    open_lane(box, box->session, &other);
    write_one(box, &box->lane, &ops[0], 1);
    arm(box, CUT_LATE, script_record.sha, 1);
    write_one(box, &other, &ops[1], 1);
    write_one(box, &box->lane, &ops[2], 2);
    write_one(box, &other, &ops[3], 2);
    write_one(box, &other, &ops[4], 3);
    let_the_late_one_arrive(box);
    next.lane = 2;
    kit_ok(store_lane_open(box->beside, &call, &next, &before, &error));
    assert_true(before.present && before.n == 1);
    assert_true(fence_lane_applied(&before.lanes[0], 1) && fence_lane_applied(&before.lanes[0], 2));
    end(box);
}

struct reading {
    struct box *box;
    struct arena *mem;
};

static void *read_fence(void *at)
{
    struct reading *reading = at;
    GError *error = NULL;
    struct fence fence;
    struct call call = {.ds = &reading->box->ds, .mem = reading->mem};
    bool ok = store_fence_read(reading->box->session, &call, &reading->box->lane.fence, &fence, &error);
    g_clear_error(&error);
    return ok ? reading : NULL;
}

/* Two threads of a process. The place got its new epoch for the one's lost write; the other's was sent with it already,
 * before the first had heard of it: that takeover says nothing of this write. */
static void a_takeover_vouches_for_older_writes_only(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence fence;
    struct session *second;
    pthread_t thread;
    void *read;
    struct call call = begin_with(box, ops);
    struct lane other = lane_of_part(box, 4);
    kit_ok(store_session_open(&second, box->store, &error));
    open_lane(box, second, &other);
    write_one(box, &box->lane, &ops[0], 1);
    arm(box, CUT_BEFORE, script_cas.sha, 1);
    ops[1].number = 2;
    assert_false(store_cas(box->session, &call, &box->lane, ops + 1, 1, &error));
    g_clear_error(&error);
    struct reading reading = {.box = box, .mem = arena_new(1 << 20)};
    atomic_store(&box->proxy.muted, false);
    atomic_store(&box->proxy.mutes, true);
    assert_int_equal(pthread_create(&thread, NULL, read_fence, &reading), 0);
    while (!atomic_load(&box->proxy.muted))
        g_thread_yield();
    arm(box, CUT_LATE, script_cas.sha, 2); /* the first meets the new epoch */
    ops[2].number = 1;
    assert_false(store_cas(second, &call, &other, ops + 2, 1, &error));
    g_clear_error(&error);
    assert_int_equal(ops[2].outcome, CAS_UNKNOWN);
    atomic_store(&box->proxy.mutes, false);
    pthread_join(thread, &read);
    assert_non_null(read);
    kit_ok(store_fence_read(second, &call, &other.fence, &fence, &error));
    assert_false(fence_lane_applied(&fence.lanes[0], 1));
    let_the_late_one_arrive(box);
    assert_false(stands(box, 2));
    store_session_close(second);
    arena_free(reading.mem);
    end(box);
}

/* --- what outlives a server --------------------------------------------------------------------------------------- */

static void wait_until(struct box *box, const char *command, const char *says)
{
    for (bool there = false; !there;) {
        g_autofree char *reply = servers_ask(&box->servers, 0, command, true);
        there = strstr(reply, says) != NULL;
    }
}

/* A replica that is promoted without it would let the holder before write on. */
static void a_takeover_is_with_the_replicas(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct fence before;
    servers_or_skip(&box->servers);
    begin(box);
    g_autofree char *primary = g_strdup_printf("127.0.0.1 %u", box->servers.ports[0]);
    const char *more[] = {"--replicaof", primary, NULL};
    unsigned replica = servers_start(&box->servers, more);
    wait_until(box, "INFO replication", "state=online");
    kill(box->servers.pids[replica], SIGSTOP);
    struct lane other = lane_of_part(box, 4);
    struct call call = call_of(box);
    call.deadline_us = world_monotonic_us(world_real()) + 500000;
    kit_refused(store_lane_open(box->beside, &call, &other, &before, &error), TIMED_OUT, "replica");
    kill(box->servers.pids[replica], SIGCONT);
    call.deadline_us = 0;
    kit_ok(store_lane_open(box->beside, &call, &other, &before, &error));
    end(box);
}

/* --- rights and locks --------------------------------------------------------------------------------------------- */

static void a_right_that_is_missing_leaves_no_mark(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct cas_op ops[OPS];
    struct fence fence;
    struct call call = begin_with(box, ops);
    write_one(box, &box->lane, &ops[0], 1);
    struct record record = {.key = ops[0].key};
    kit_ok(store_read(box->beside, &call, &record, 1, &error));
    ops[0].etag = record.etag;
    ops[0].verb = CAS_DELETE;
    ops[0].number = 2;
    g_free(servers_ask(&box->servers, 0, "ACL SETUSER default -unlink", false));
    kit_refused(store_cas(box->session, &call, &box->lane, ops, 1, &error), NOT_PERMITTED, "UNLINK");
    g_free(servers_ask(&box->servers, 0, "ACL SETUSER default +unlink", false));
    kit_ok(store_fence_read(box->session, &call, &box->lane.fence, &fence, &error));
    assert_false(fence_lane_applied(&fence.lanes[0], 2));
    assert_true(stands(box, 0));
    end(box);
}

static void nothing_stays_behind_the_last_lock(void **state)
{
    struct box *box = *state;
    GError *error = NULL;
    struct store_lock lock = {.run = "r.1", .host = "h", .home = "/h", .run_uid = {7}};
    servers_or_skip(&box->servers);
    begin(box);
    struct call call = call_of(box);
    kit_ok(store_lock(box->session, &call, &lock, false, &error));
    kit_ok(store_unlock(box->session, &call, lock.run_uid, &error));
    arm(box, CUT_LATE, script_lock.sha, 2);
    kit_ok(store_lock(box->session, &call, &lock, false, &error));
    kit_ok(store_unlock(box->session, &call, lock.run_uid, &error));
    let_the_late_one_arrive(box);
    g_autofree char *left = servers_ask(&box->servers, 0, "EXISTS sluice:locks", false);
    assert_string_equal(g_strchomp(left), ":0");
    end(box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_that_does_not_arrive_is_not_marked),
        cmocka_unit_test(a_write_whose_answer_is_lost_is_marked),
        cmocka_unit_test(a_write_that_arrives_after_the_fence_was_read_does_nothing),
        cmocka_unit_test(a_process_that_wakes_writes_nothing),
        cmocka_unit_test(an_older_home_is_refused_and_disturbs_nobody),
        cmocka_unit_test(a_fence_deleted_by_hand_is_told),
        cmocka_unit_test(what_is_pruned_stands_in_the_record),
        cmocka_unit_test(a_record_that_arrives_late_takes_no_marks_away),
        cmocka_unit_test(a_takeover_vouches_for_older_writes_only),
        cmocka_unit_test(a_takeover_is_with_the_replicas),
        cmocka_unit_test(a_right_that_is_missing_leaves_no_mark),
        cmocka_unit_test(nothing_stays_behind_the_last_lock),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
