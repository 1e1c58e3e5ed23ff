/* Live traffic: an open loop of reads and writes on keys of its own, so many a second at random (exponential) times,
 * whatever has been answered. A latency counts from when a request was due. With hiredis, not with our own client.
 *
 *     live [--cluster] [--rate N] [--keys N] [--window S] [--seed N] PORT...
 *
 * A line of JSON for every window, until its standard input is closed; a number that comes there is the new rate. */
#include <errno.h>
#include <hiredis/hiredis.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NODES = 16, LANES = 4, IN_FLIGHT = 65536, SAMPLES = 1 << 22, VALUE = 100, SLOTS = 16384 };

struct lane {
    redisContext *redis;
    double due_us[IN_FLIGHT]; /* a ring */
    size_t first, n;
    bool wants_out;
};

struct node {
    int port;
    struct lane lanes[LANES];
    uint32_t *keys;
    size_t n_keys;
};

static struct {
    struct node nodes[NODES];
    size_t n;
    double rate, window_us;
    uint64_t keys, seed, errors, late;
    bool cluster;
    float *samples;
    size_t n_samples;
} live = {.rate = 1000, .window_us = 1e7, .keys = 10000, .seed = 1};

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double chance(void)
{
    live.seed = live.seed * 6364136223846793005u + 1442695040888963407u;
    return ((double)(live.seed >> 11) + 0.5) / 9007199254740992.0;
}

static void end(const char *why)
{
    fprintf(stderr, "live: %s\n", why);
    exit(1);
}

/* --- keys --------------------------------------------------------------------------------------------------------- */

static void add_key(struct node *node, uint32_t key)
{
    if ((node->n_keys & (node->n_keys - 1)) == 0)
        node->keys = realloc(node->keys, sizeof *node->keys * (node->n_keys ? 2 * node->n_keys : 1));
    if (!node->keys)
        end("out of memory");
    node->keys[node->n_keys++] = key;
}

static struct node *node_of_port(long long port)
{
    for (size_t i = 0; i < live.n; i++)
        if (live.nodes[i].port == port)
            return &live.nodes[i];
    return NULL;
}

static void read_slots(redisContext *redis, struct node **owner)
{
    redisReply *reply = redisCommand(redis, "CLUSTER SLOTS");
    if (!reply || reply->type != REDIS_REPLY_ARRAY)
        end("CLUSTER SLOTS is not answered");
    for (size_t i = 0; i < reply->elements; i++) {
        redisReply *range = reply->element[i];
        for (long long slot = range->element[0]->integer; slot <= range->element[1]->integer; slot++)
            owner[slot] = node_of_port(range->element[2]->element[1]->integer);
    }
    freeReplyObject(reply);
}

/* Every key to the node that has it, and a value. */
static void make_keys(void)
{
    struct node **owner = calloc(SLOTS, sizeof *owner);
    redisContext *redis = redisConnect("127.0.0.1", live.nodes[0].port);
    char value[VALUE + 1];
    memset(value, 'v', VALUE);
    value[VALUE] = 0;
    if (!owner || !redis || redis->err)
        end("cannot connect");
    if (live.cluster)
        read_slots(redis, owner);
    for (uint32_t i = 0; i < live.keys; i++) {
        redisReply *slot = live.cluster ? redisCommand(redis, "CLUSTER KEYSLOT live:%u", i) : NULL;
        struct node *node = live.cluster ? owner[slot->integer] : &live.nodes[0];
        if (slot)
            freeReplyObject(slot);
        if (node)
            add_key(node, i);
    }
    redisFree(redis);
    free(owner);
    for (size_t i = 0; i < live.n; i++) {
        redis = redisConnect("127.0.0.1", live.nodes[i].port);
        for (size_t k = 0; k < live.nodes[i].n_keys; k++)
            freeReplyObject(redisCommand(redis, "SET live:%u %s", live.nodes[i].keys[k], value));
        redisFree(redis);
    }
}

/* --- the loop ----------------------------------------------------------------------------------------------------- */

static void send_one(double due_us)
{
    static char value[VALUE];
    size_t total = 0, at;
    struct node *node = live.nodes;
    for (size_t i = 0; i < live.n; i++)
        total += live.nodes[i].n_keys;
    at = (size_t)(chance() * (double)total);
    while (at >= node->n_keys)
        at -= node++->n_keys;
    struct lane *lane = &node->lanes[(size_t)(chance() * LANES)];
    if (lane->n == IN_FLIGHT) {
        live.late++;
        return;
    }
    if (chance() < 0.8)
        redisAppendCommand(lane->redis, "GET live:%u", node->keys[at]);
    else
        redisAppendCommand(lane->redis, "SET live:%u %b", node->keys[at], value, (size_t)VALUE);
    lane->due_us[(lane->first + lane->n++) % IN_FLIGHT] = due_us;
}

static void take(struct lane *lane)
{
    void *reply;
    while (lane->n > 0 && redisGetReplyFromReader(lane->redis, &reply) == REDIS_OK && reply) {
        live.errors += ((redisReply *)reply)->type == REDIS_REPLY_ERROR;
        freeReplyObject(reply);
        if (live.n_samples < SAMPLES)
            live.samples[live.n_samples++] = (float)(now_us() - lane->due_us[lane->first]);
        lane->first = (lane->first + 1) % IN_FLIGHT;
        lane->n--;
    }
}

static void move(struct lane *lane)
{
    int done = 0;
    if (redisBufferWrite(lane->redis, &done) != REDIS_OK)
        end(lane->redis->errstr);
    lane->wants_out = !done;
}

static void rest(double until_us)
{
    struct pollfd fds[NODES * LANES + 1];
    struct lane *of[NODES * LANES + 1];
    nfds_t n = 0;
    fds[n++] = (struct pollfd){.fd = 0, .events = POLLIN};
    for (size_t i = 0; i < live.n; i++)
        for (size_t k = 0; k < LANES; k++) {
            struct lane *lane = &live.nodes[i].lanes[k];
            of[n] = lane;
            fds[n++] =
                (struct pollfd){.fd = lane->redis->fd, .events = (short)(POLLIN | (lane->wants_out ? POLLOUT : 0))};
        }
    double left = fmax(0, until_us - now_us());
    struct timespec wait = {.tv_sec = (time_t)(left / 1e6), .tv_nsec = (long)(fmod(left, 1e6) * 1e3)};
    if (ppoll(fds, n, &wait, NULL) <= 0)
        return;
    if (fds[0].revents) {
        char line[64];
        ssize_t got = read(0, line, sizeof line - 1);
        if (got <= 0)
            exit(0);
        line[got] = 0;
        live.rate = strtod(line, NULL);
    }
    for (nfds_t i = 1; i < n; i++) {
        if (fds[i].revents & POLLOUT)
            move(of[i]);
        if (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) {
            if (redisBufferRead(of[i]->redis) != REDIS_OK)
                end(of[i]->redis->errstr);
            take(of[i]);
        }
    }
}

static int by_number(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double quantile(double q)
{
    return live.n_samples ? (double)live.samples[(size_t)(q * (double)(live.n_samples - 1))] : 0;
}

static void tell(double at_us)
{
    qsort(live.samples, live.n_samples, sizeof *live.samples, by_number);
    printf("{\"at_s\": %.3f, \"n\": %zu, \"p50_us\": %.1f, \"p95_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
           "\"max_us\": %.1f, \"errors\": %llu, \"late\": %llu}\n",
           at_us / 1e6, live.n_samples, quantile(0.5), quantile(0.95), quantile(0.99), quantile(0.999), quantile(1),
           (unsigned long long)live.errors, (unsigned long long)live.late);
    fflush(stdout);
    live.n_samples = 0;
}

static void go(void)
{
    double due = now_us(), window = due + live.window_us;
    for (;;) {
        double now = now_us();
        while (due <= now) {
            send_one(due);
            due += -log(chance()) * 1e6 / live.rate;
        }
        for (size_t i = 0; i < live.n; i++)
            for (size_t k = 0; k < LANES; k++)
                move(&live.nodes[i].lanes[k]);
        if (now >= window) {
            tell(now);
            window += live.window_us;
        }
        rest(fmin(due, window));
    }
}

static bool option(char **argv, int *at, const char *name, double *ret)
{
    if (strcmp(argv[*at], name) != 0 || !argv[*at + 1])
        return false;
    *ret = strtod(argv[++*at], NULL);
    return true;
}

int main(int argc, char **argv)
{
    double keys = 10000, window = 10, seed = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--cluster") == 0)
            live.cluster = true;
        else if (!option(argv, &i, "--rate", &live.rate) && !option(argv, &i, "--keys", &keys) &&
                 !option(argv, &i, "--window", &window) && !option(argv, &i, "--seed", &seed) && live.n < NODES)
            live.nodes[live.n++].port = (int)strtol(argv[i], NULL, 10);
    }
    live.keys = (uint64_t)keys;
    live.window_us = window * 1e6;
    live.seed = (uint64_t)seed;
    live.samples = malloc(SAMPLES * sizeof *live.samples);
    if (live.n == 0 || !live.samples)
        end("no ports");
    make_keys();
    for (size_t i = 0; i < live.n; i++)
        for (size_t k = 0; k < LANES; k++) {
            live.nodes[i].lanes[k].redis = redisConnectNonBlock("127.0.0.1", live.nodes[i].port);
            if (!live.nodes[i].lanes[k].redis || live.nodes[i].lanes[k].redis->err)
                end("cannot connect");
        }
    go();
}
