/* One connection of the Valkey driver with a full pipeline:
 *
 *     pipeline URI set|get COUNT DEPTH BYTES
 *
 * Commands go out DEPTH at a time and their replies are read, as redis-benchmark -c 1 -P DEPTH does it. One line of
 * JSON: seconds, and microseconds a command that this process had of the processor, its own and the system's apart. */
#include <stdio.h>
#include <sys/resource.h>

#include "base/int.h"
#include "store/valkey/conn.h"

enum { KEYS = 100000, KEY_BYTES = 16 };

struct pipeline {
    struct conn *conn;
    struct net_wait wait;
    struct slice value; /* empty: GET */
    uint64_t count, depth, seed;
    uint64_t bytes; /* of what came back */
};

static void put_one(struct pipeline *pipeline)
{
    char key[KEY_BYTES + 1];
    pipeline->seed = pipeline->seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    uint64_t number = (pipeline->seed >> 33) % KEYS;
    memcpy(key, "key:000000000000", KEY_BYTES + 1);
    for (char *at = key + KEY_BYTES; number > 0; number /= 10)
        *--at = (char)('0' + number % 10);
    const struct slice get[] = {slice_of("GET", 3), slice_of(key, KEY_BYTES)};
    const struct slice set[] = {slice_of("SET", 3), slice_of(key, KEY_BYTES), pipeline->value};
    conn_put(pipeline->conn, pipeline->value.len ? set : get, pipeline->value.len ? 3 : 2);
}

static bool run(struct pipeline *pipeline, GError **error)
{
    struct reply reply;
    for (uint64_t left = pipeline->count; left > 0;) {
        uint64_t n = MIN(left, pipeline->depth);
        for (uint64_t i = 0; i < n; i++)
            put_one(pipeline);
        for (uint64_t i = 0; i < n; i++) {
            if (!conn_next(pipeline->conn, &pipeline->wait, &reply, error))
                return false;
            pipeline->bytes += reply.bytes.len;
        }
        left -= n;
    }
    return true;
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static bool measure(struct pipeline *pipeline, const struct world *world, GError **error)
{
    struct rusage before, after;
    int64_t began_us = world_monotonic_us(world);
    getrusage(RUSAGE_SELF, &before);
    if (!run(pipeline, error))
        return false;
    getrusage(RUSAGE_SELF, &after);
    double each_us = 1e6 / (double)pipeline->count;
    printf("{\"seconds\": %.6f, \"own_us\": %.3f, \"system_us\": %.3f, \"bytes\": %" G_GUINT64_FORMAT "}\n",
           (double)(world_monotonic_us(world) - began_us) / 1e6,
           (seconds_of(after.ru_utime) - seconds_of(before.ru_utime)) * each_us,
           (seconds_of(after.ru_stime) - seconds_of(before.ru_stime)) * each_us, pipeline->bytes);
    return true;
}

static bool number_of(const char *text, uint64_t *ret)
{
    return int_parse_u64(slice_of_text(text), ret) && *ret > 0;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    const struct world *world = world_real();
    auto_(valkey_uri) uri = NULL;
    auto_(conn) conn = NULL;
    struct pipeline pipeline = {.seed = 1};
    uint64_t bytes;
    if (argc != 6 || !number_of(argv[3], &pipeline.count) || !number_of(argv[4], &pipeline.depth) ||
        !number_of(argv[5], &bytes)) {
        fprintf(stderr, "usage: pipeline URI set|get COUNT DEPTH BYTES\n");
        return 2;
    }
    g_autofree char *value = g_strnfill(bytes, 'v');
    pipeline.value = g_str_equal(argv[2], "set") ? slice_of(value, bytes) : SLICE_EMPTY;
    bool measured = valkey_uri_parse(&uri, argv[1], NULL, &error) &&
                    conn_open(&conn, world, uri, &uri->hosts[0], &pipeline.wait, &error);
    pipeline.conn = conn;
    measured = measured && measure(&pipeline, world, &error);
    if (!measured)
        fprintf(stderr, "%s\n", error->message);
    return measured ? 0 : error_exit_status(error);
}
