#include "cut.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 1 << 16 };

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

/* Until everything that was sent is executed; the answers stay here. */
static void answered(int fd)
{
    uint8_t data[BUFFER];
    send_all(fd, (const uint8_t *)"PING\r\n", strlen("PING\r\n"));
    for (ssize_t n; (n = recv(fd, data, sizeof data, 0)) > 0;)
        if (g_strstr_len((const char *)data, n, "PONG"))
            break;
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
        atomic_store(&proxy->nth, 0);
        answered(link->server);
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
    if (proxy->late_fd < 0 || !atomic_load(&proxy->release))
        return;
    send_all(proxy->late_fd, proxy->late->data, proxy->late->len);
    answered(proxy->late_fd);
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

int cut_set_up(void **state)
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

int cut_tear_down(void **state)
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

struct call cut_call_of(struct box *box)
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
void cut_begin(struct box *box)
{
    GError *error = NULL;
    struct fence before;
    struct call call = cut_call_of(box);
    g_free(servers_ask(&box->servers, 0, "FLUSHALL", false));
    box->registry = store_registry_new(world_real(), NULL);
    opened(box, box->proxy.port, &box->store, &box->session);
    opened(box, box->servers.ports[0], &box->direct, &box->beside);
    box->lane = (struct lane){.lane = 1, .fence = {.part = 3}};
    memcpy(box->lane.fence.run, &(uint64_t){++box->turns}, sizeof(uint64_t));
    kit_ok(store_lane_open(box->session, &call, &box->lane, &before, &error));
    assert_false(before.present);
}

void cut_end(struct box *box)
{
    store_session_close(box->session);
    store_session_close(box->beside);
    store_release(box->registry, box->store);
    store_release(box->registry, box->direct);
    store_registry_free(box->registry);
    arena_reset(box->mem);
}

struct slice cut_key_of(struct box *box, unsigned i)
{
    g_autofree char *text = g_strdup_printf("%sk%u", box->ds.form == FORM_RAW ? "cut:" : "", i);
    struct slice key;
    assert_true(arena_copy(box->mem, slice_of_text(text), &key));
    return key;
}

bool cut_stands(struct box *box, unsigned i)
{
    GError *error = NULL;
    struct call call = cut_call_of(box);
    struct record record = {.key = cut_key_of(box, i)};
    kit_ok(store_read(box->beside, &call, &record, 1, &error));
    return record.presence == RECORD_PRESENT;
}

unsigned cut_assert_fence_is_right(struct box *box, const struct cas_op *ops, unsigned n)
{
    GError *error = NULL;
    struct call call = cut_call_of(box);
    struct fence fence;
    unsigned applied = 0;
    kit_ok(store_fence_read(box->session, &call, &box->lane.fence, &fence, &error));
    assert_int_equal(fence.n, 1);
    assert_true(fence.lanes[0].open);
    for (unsigned i = 0; i < n; i++) {
        bool marked = fence_lane_applied(&fence.lanes[0], ops[i].number);
        assert_int_equal(marked, cut_stands(box, i));
        assert_true(marked || ops[i].outcome != CAS_WRITTEN);
        assert_true(!marked || ops[i].outcome != CAS_NOT_SENT);
        applied += marked;
    }
    return applied;
}

void cut_let_the_late_one_arrive(struct box *box)
{
    atomic_store(&box->proxy.released, false);
    atomic_store(&box->proxy.release, true);
    while (!atomic_load(&box->proxy.released))
        g_thread_yield();
}

void cut_arm(struct box *box, enum mode mode, const char *sha, unsigned nth)
{
    box->proxy.mode = mode;
    box->proxy.sha = sha;
    box->proxy.seen = 0;
    atomic_store(&box->proxy.nth, nth);
}

struct lane cut_open_next(struct box *box, const struct call *call, struct fence *ret_before)
{
    GError *error = NULL;
    struct lane next = box->lane;
    next.lane++;
    kit_ok(store_lane_open(box->beside, call, &next, ret_before, &error));
    return next;
}
