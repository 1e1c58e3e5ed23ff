/* The router of the Valkey driver in the hand of a test: commands from standard input, an answer of one JSON line each.
 *
 *     router URI < LINES
 *
 *     topology                             kind, epoch, unowned slots, nodes
 *     incr PREFIX FROM N DEADLINE_MS       adds 1 to two keys of one slot for each number, by a script: how many were
 *                                          answered, unknown and not sent; which (numbers) were unknown
 *     get PREFIX FROM N DEADLINE_MS        reads the first of them back: how many were answered, their sum
 *     settle DEADLINE_MS
 *     pace                                 from now on at the pace of servers that nobody feels
 *     open DATASET MAX MOST                begins to list a dataset's keys: MAX at a time, slots above MOST by SCAN
 *     next FILE DEADLINE_MS                the next of them, appended to the file, a line each; whether it is done
 *     again                                goes on at the cursor with a list of its own
 *     split COUNT ROUGH                    parts: their estimates
 *
 * A call that fails says its error's name and message. */
#include <inttypes.h>
#include <stdio.h>

#include "base/int.h"
#include "pace/servers.h"
#include "store/valkey/list.h"

enum {
    MEM_BYTES = 64 << 20,
    US_PER_MS = 1000,
    US_PER_S = 1000000,
    PROBE_US = 5000,
    LINE_BYTES = 4096,
    MOST_WORDS = 6,
    TEXT_BYTES = 96
};

/* Wrong on purpose for a store that counts writes twice: not idempotent, and of two keys, so that a slot half moved
 * refuses it. */
static const char SCRIPT[] = "redis.call('INCR', KEYS[2]) return redis.call('INCR', KEYS[1])";

struct tool {
    const struct world *world;
    struct valkey_uri *uri;
    struct routes *routes;
    struct router *router;
    struct pace *pace; /* NULL: none */
    struct arena *mem;
    char sha[41];
    struct key_template *template;
    struct list *list;
    struct list_wish listing;
    GByteArray *cursor; /* of the listing */
};

/* The commands of one line, and what came of them. */
struct round {
    struct command *commands;
    size_t n;
    uint64_t answered, unknown, not_sent, sum;
};

static struct slice text_slice(struct arena *mem, const char *format, ...) G_GNUC_PRINTF(2, 3);
static struct slice text_slice(struct arena *mem, const char *format, ...)
{
    char *text = arena_alloc(mem, TEXT_BYTES);
    va_list arguments;
    g_assert(text);
    va_start(arguments, format);
    g_vsnprintf(text, TEXT_BYTES, format, arguments);
    va_end(arguments);
    return slice_of_text(text);
}

static struct call call_of(const struct tool *tool, const char *ms)
{
    int64_t deadline_ms = 0;
    g_assert(int_parse_i64(slice_of_text(ms), &deadline_ms));
    int64_t now_us = world_monotonic_us(tool->world);
    return (struct call){.deadline_us = deadline_ms ? now_us + deadline_ms * US_PER_MS : 0, .mem = tool->mem};
}

/* --- rounds ------------------------------------------------------------------------------------------------------- */

static struct command incr_command(struct tool *tool, const char *prefix, uint64_t number)
{
    struct slice *args = arena_alloc(tool->mem, 5 * sizeof *args);
    g_assert(args);
    args[0] = slice_of_text("EVALSHA");
    args[1] = slice_of_text(tool->sha);
    args[2] = slice_of_text("2");
    args[3] = text_slice(tool->mem, "%s{%" PRIu64 "}", prefix, number);
    args[4] = text_slice(tool->mem, "%s{%" PRIu64 "}:twin", prefix, number);
    return (struct command){.args = args, .n_args = 5, .slot = slot_of(args[3]), .script = SCRIPT};
}

static struct command get_command(struct tool *tool, const char *prefix, uint64_t number)
{
    struct slice *args = arena_alloc(tool->mem, 2 * sizeof *args);
    g_assert(args);
    args[0] = slice_of_text("GET");
    args[1] = text_slice(tool->mem, "%s{%" PRIu64 "}", prefix, number);
    return (struct command){.args = args, .n_args = 2, .slot = slot_of(args[1]), .repeatable = true};
}

static bool take_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct round *round = self;
    uint64_t number = (uint64_t)reply->integer;
    if (reply->type == REPLY_ERROR)
        return error_set(error, SLUICE_ERROR_STORE, "command %zu: %.*s", i, (int)reply->bytes.len,
                         (const char *)reply->bytes.data);
    if (reply->type == REPLY_BYTES && !int_parse_u64(reply->bytes, &number))
        return error_set(error, SLUICE_ERROR_STORE, "command %zu: not a number", i);
    round->sum += number;
    return true;
}

static void print_error(const GError *error)
{
    g_autofree char *text = g_strescape(error ? error->message : "", NULL);
    printf("\"error\": \"%s\", \"message\": \"%s\"", error ? error_row((enum error_code)error->code)->name : "", text);
}

static void print_unknown(const struct round *round, uint64_t from)
{
    const char *comma = "";
    printf(", \"unknown\": [");
    for (size_t i = 0; i < round->n; i++) {
        if (round->commands[i].fate == ROUTE_UNKNOWN) {
            printf("%s%" PRIu64, comma, from + i);
            comma = ", ";
        }
    }
    printf("]");
}

static void count_fates(struct round *round)
{
    uint64_t *counts[] = {
        [ROUTE_NOT_SENT] = &round->not_sent, [ROUTE_ANSWERED] = &round->answered, [ROUTE_UNKNOWN] = &round->unknown};
    for (size_t i = 0; i < round->n; i++)
        *counts[round->commands[i].fate] += 1;
}

static void do_round(struct tool *tool, char **words, struct command (*make)(struct tool *, const char *, uint64_t))
{
    struct round round = {0};
    uint64_t from = 0, n = 0;
    g_autoptr(GError) error = NULL;
    g_assert(int_parse_u64(slice_of_text(words[2]), &from) && int_parse_u64(slice_of_text(words[3]), &n));
    round.n = n;
    round.commands = g_new0(struct command, n);
    for (size_t i = 0; i < n; i++)
        round.commands[i] = make(tool, words[1], from + i);
    struct call call = call_of(tool, words[4]);
    struct route_wish wish = {.commands = round.commands, .n = n, .answer = take_answer, .self = &round};
    router_run(tool->router, &call, &wish, &error);
    count_fates(&round);
    printf("{\"answered\": %" PRIu64 ", \"not_sent\": %" PRIu64 ", \"sum\": %" PRIu64 ", ", round.answered,
           round.not_sent, round.sum);
    print_error(error);
    print_unknown(&round, from);
    printf("}\n");
    g_free(round.commands);
}

static void do_incr(struct tool *tool, char **words)
{
    do_round(tool, words, incr_command);
}

static void do_get(struct tool *tool, char **words)
{
    do_round(tool, words, get_command);
}

static void do_settle(struct tool *tool, char **words)
{
    g_autoptr(GError) error = NULL;
    struct call call = call_of(tool, words[1]);
    router_settle(tool->router, &call, &error);
    printf("{");
    print_error(error);
    printf("}\n");
}

static void print_node(const struct valkey_node *node, bool first)
{
    printf("%s{\"at\": \"%s:%u\", \"primary\": %s, \"replicas\": %u, \"shard\": %u, \"run_id\": \"%s\"}",
           first ? "" : ", ", node->at.host, node->at.port, node->primary ? "true" : "false", node->replicas,
           node->shard, node->run_id ? node->run_id : "");
}

/* Asked anew. */
static void do_topology(struct tool *tool, char **words)
{
    struct topology *seen = routes_topology(tool->routes);
    struct net_wait wait = {.deadline_us = world_monotonic_us(tool->world) + 5000 * US_PER_MS};
    g_autoptr(GError) error = NULL;
    uint32_t unowned = 0;
    routes_refresh(tool->routes, seen, &wait, &error);
    topology_unref(seen);
    struct topology *topology = routes_topology(tool->routes);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        unowned += topology->owner[slot] < 0;
    printf("{\"cluster\": %s, \"epoch\": %" PRIu64 ", \"unowned\": %u, \"version\": \"%s\", \"server\": \"%s\", ",
           topology->kind == VALKEY_CLUSTER ? "true" : "false", topology->epoch, unowned, topology->version,
           topology->server);
    print_error(error);
    printf(", \"asked\": %zu, \"nodes\": [", topology->asked);
    for (size_t i = 0; i < topology->n; i++)
        print_node(&topology->nodes[i], i == 0);
    printf("]}\n");
    topology_unref(topology);
}

/* Another server is felt, for as long as a baseline takes: what goes to the real ones is a request every few
 * milliseconds. */
static void do_pace(struct tool *tool, char **words)
{
    const struct governor_promise promise = {.share = 0.1};
    int64_t now_us = world_monotonic_us(tool->world), began_us = now_us - 5 * US_PER_S;
    tool->pace = pace_new(&promise, began_us);
    struct pace_server *felt = pace_server(tool->pace, "felt");
    for (int64_t us = 0; us < 5 * US_PER_S; us += PROBE_US) {
        pace_felt(felt, began_us + us - PROBE_US / 10, began_us + us);
        if (us % GOVERNOR_TICK_US == 0)
            pace_tick(tool->pace, began_us + us, us);
    }
    routes_set_pace(tool->routes, tool->pace);
    printf("{\"error\": \"\"}\n");
}

/* --- listing ------------------------------------------------------------------------------------------------------ */

static uint64_t number_of(const char *text)
{
    uint64_t number = 0;
    g_assert(int_parse_u64(slice_of_text(text), &number));
    return number;
}

static void open_list(struct tool *tool)
{
    g_autoptr(GError) error = NULL;
    list_close(g_steal_pointer(&tool->list));
    tool->listing.cursor = slice_of(tool->cursor->data, tool->cursor->len);
    list_open(&tool->list, tool->router, &tool->listing, &error);
    printf("{");
    print_error(error);
    printf("}\n");
}

static void do_open(struct tool *tool, char **words)
{
    g_autoptr(GError) error = NULL;
    key_template_free(g_steal_pointer(&tool->template));
    g_byte_array_set_size(tool->cursor, 0);
    if (!key_template_parse(&tool->template, words[1], &error))
        g_error("%s", error->message);
    tool->listing = (struct list_wish){
        .template = tool->template,
        .max_keys = number_of(words[2]),
        .slot_most = number_of(words[3]),
    };
    open_list(tool);
}

static void do_again(struct tool *tool, char **words)
{
    open_list(tool);
}

static void do_next(struct tool *tool, char **words)
{
    g_autoptr(GError) error = NULL;
    struct call call = call_of(tool, words[2]);
    struct list_keys keys = {0};
    if (list_next(tool->list, &call, &keys, &error)) {
        FILE *file = fopen(words[1], "a");
        g_assert(file);
        for (size_t i = 0; i < keys.n; i++)
            fprintf(file, "%.*s\n", (int)keys.keys[i].len, (const char *)keys.keys[i].data);
        fclose(file);
        g_byte_array_set_size(tool->cursor, 0);
        put_bytes(tool->cursor, keys.cursor);
    }
    printf("{\"n\": %zu, \"done\": %s, ", keys.n, keys.done ? "true" : "false");
    print_error(error);
    printf("}\n");
}

static void do_split(struct tool *tool, char **words)
{
    g_autoptr(GError) error = NULL;
    struct part_list parts = {.parts = g_array_new(FALSE, FALSE, sizeof(struct part_bounds)), .mem = tool->mem};
    struct split_wish wish = {.count = (uint32_t)number_of(words[1]), .rough = number_of(words[2]) != 0};
    struct call call = call_of(tool, "5000");
    list_split(tool->router, &call, &wish, &parts, &error);
    printf("{\"records\": [");
    for (guint i = 0; i < parts.parts->len; i++)
        printf("%s%" PRIu64, i ? ", " : "", g_array_index(parts.parts, struct part_bounds, i).records);
    printf("], ");
    print_error(error);
    printf("}\n");
    g_array_free(parts.parts, TRUE);
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    guint words;
    void (*do_it)(struct tool *tool, char **words);
} VERBS[] = {{"topology", 1, do_topology}, {"incr", 5, do_incr},   {"get", 5, do_get},
             {"settle", 2, do_settle},     {"open", 4, do_open},   {"next", 3, do_next},
             {"again", 1, do_again},       {"split", 3, do_split}, {"pace", 1, do_pace}};

static bool do_line(struct tool *tool, char *line)
{
    g_auto(GStrv) words = g_strsplit(g_strchomp(line), " ", MOST_WORDS);
    for (size_t i = 0; i < G_N_ELEMENTS(VERBS); i++) {
        if (g_str_equal(words[0], VERBS[i].name) && g_strv_length(words) == VERBS[i].words) {
            arena_reset(tool->mem);
            VERBS[i].do_it(tool, words);
            fflush(stdout);
            return true;
        }
    }
    fprintf(stderr, "router: what is '%s'?\n", line);
    return false;
}

static bool tool_open(struct tool *tool, const char *uri, GError **error)
{
    struct net_wait wait = {.deadline_us = world_monotonic_us(tool->world) + 20000 * US_PER_MS};
    g_autofree char *here = g_get_current_dir();
    struct topology *topology;
    if (!valkey_uri_parse(&tool->uri, uri, here, error) ||
        !topology_ask(&topology, tool->world, tool->uri, NULL, &wait, error))
        return false;
    g_autofree char *sha = g_compute_checksum_for_string(G_CHECKSUM_SHA1, SCRIPT, -1);
    g_strlcpy(tool->sha, sha, sizeof tool->sha);
    tool->routes = routes_new(tool->world, tool->uri, topology);
    tool->router = router_new(tool->routes);
    tool->mem = arena_new(MEM_BYTES);
    tool->cursor = g_byte_array_new();
    topology_unref(topology);
    return true;
}

static void tool_close(struct tool *tool)
{
    list_close(tool->list);
    key_template_free(tool->template);
    if (tool->cursor)
        g_byte_array_free(tool->cursor, TRUE);
    router_free(tool->router);
    routes_free(tool->routes);
    pace_free(tool->pace);
    if (tool->mem)
        arena_free(tool->mem);
    if (tool->uri)
        valkey_uri_free(tool->uri);
}

int main(int argc, char **argv)
{
    struct tool tool = {.world = world_real()};
    g_autoptr(GError) error = NULL;
    char line[LINE_BYTES];
    if (argc != 2) {
        fprintf(stderr, "usage: router URI\n");
        return 2;
    }
    bool good = tool_open(&tool, argv[1], &error);
    printf("{");
    print_error(error);
    printf("}\n");
    fflush(stdout);
    while (good && fgets(line, sizeof line, stdin))
        good = do_line(&tool, line);
    tool_close(&tool);
    return good ? 0 : 1;
}
