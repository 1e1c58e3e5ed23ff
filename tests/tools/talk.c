/* A connection of the Valkey driver in the hand of a test: commands from standard input, one a line, all sent as one
 * pipeline; a line of JSON for each reply, written as it comes.
 *
 *     talk URI < LINES
 *
 * The words of a line stand between blanks; `hex:00ff` is bytes, `fill:1000:x` as many letters. A reply is
 * ["bytes", HEX], ["integer", N], ["null"], ["array", [REPLY…]] and so on; bytes above a kilobyte are
 * ["digest", LENGTH, SHA256]. Ends with the exit status of the error, which goes to standard error. */
#include <inttypes.h>
#include <stdio.h>

#include "base/int.h"
#include "store/valkey/conn.h"

enum { SHOWN_BYTES = 1024, WORDS_MOST = 64 };

static const char *const NAMES[] = {
    [REPLY_NULL] = "null",   [REPLY_STATUS] = "status", [REPLY_ERROR] = "error", [REPLY_INTEGER] = "integer",
    [REPLY_BYTES] = "bytes", [REPLY_DOUBLE] = "double", [REPLY_BOOL] = "bool",   [REPLY_NUMBER] = "number",
    [REPLY_ARRAY] = "array", [REPLY_MAP] = "map",       [REPLY_PUSH] = "push",
};

static void print_bytes(const struct reply *reply)
{
    struct slice bytes = reply->bytes;
    if (bytes.len > SHOWN_BYTES) {
        g_autofree char *digest = g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes.data, bytes.len);
        printf("[\"digest\", %zu, \"%s\"]", bytes.len, digest);
        return;
    }
    printf("[\"%s\", \"", NAMES[reply->type]);
    for (size_t i = 0; i < bytes.len; i++)
        printf("%02x", bytes.data[i]);
    printf("\"]");
}

static void print_reply(const struct reply *reply)
{
    if (reply->type == REPLY_NULL)
        printf("[\"null\"]");
    else if (reply->type == REPLY_INTEGER || reply->type == REPLY_BOOL)
        printf("[\"%s\", %" PRId64 "]", NAMES[reply->type], reply->integer);
    else if (reply->type < REPLY_ARRAY)
        print_bytes(reply);
    else {
        printf("[\"%s\", [", NAMES[reply->type]);
        for (size_t i = 0; i < reply->n; i++) {
            printf("%s", i ? ", " : "");
            print_reply(&reply->items[i]);
        }
        printf("]]");
    }
}

/* A word of a line, decoded; the caller frees. */
static struct slice word_of(const char *word)
{
    uint64_t len;
    if (g_str_has_prefix(word, "hex:")) {
        size_t n = strlen(word + 4) / 2;
        uint8_t *bytes = g_malloc(n + 1);
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(g_ascii_xdigit_value(word[4 + 2 * i]) << 4 | g_ascii_xdigit_value(word[5 + 2 * i]));
        return slice_of(bytes, n);
    }
    const char *letter = g_str_has_prefix(word, "fill:") ? strrchr(word, ':') : NULL;
    if (letter && int_parse_u64(slice_of(word + 5, (size_t)(letter - word - 5)), &len))
        return slice_of(g_strnfill(len, letter[1]), len);
    return slice_of(g_strdup(word), strlen(word));
}

static void put_line(struct conn *conn, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", WORDS_MOST);
    struct slice args[WORDS_MOST];
    size_t n = 0;
    for (; words[n]; n++)
        args[n] = word_of(words[n]);
    conn_put(conn, args, n);
    while (n > 0)
        g_free((void *)(uintptr_t)args[--n].data);
}

static void put_lines(struct conn *conn)
{
    g_autofree char *line = NULL;
    size_t room = 0;
    for (ssize_t len; (len = getline(&line, &room, stdin)) > 0;) {
        line[len - (line[len - 1] == '\n')] = '\0';
        put_line(conn, line);
    }
}

static bool talk(const char *text, GError **error)
{
    const struct world *world = world_real();
    auto_(valkey_uri) uri = NULL;
    auto_(conn) conn = NULL;
    struct net_wait wait = {0};
    struct reply reply;
    if (!valkey_uri_parse(&uri, text, NULL, error) || !conn_open(&conn, world, uri, &uri->hosts[0], &wait, error))
        return false;
    put_lines(conn);
    while (conn_waiting(conn) > 0) {
        wait.deadline_us = world_monotonic_us(world) + uri->timeout_ms * 1000;
        if (!conn_next(conn, &wait, &reply, error))
            return false;
        print_reply(&reply);
        putchar('\n');
        fflush(stdout);
    }
    return true;
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: talk URI < LINES\n");
        return 2;
    }
    if (talk(argv[1], &error))
        return 0;
    fprintf(stderr, "%s\n", error->message);
    return error_exit_status(error);
}
