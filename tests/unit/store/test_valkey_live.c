/* The forms against the servers themselves: what their scripts digest, what MATCH matches, and what becomes of a value
 * that is dumped, taken apart, put together and restored. Each server that is installed; a client that is not ours. */
#include <hiredis/hiredis.h>
#include <math.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "kit/kit.h"
#include "kit/servers.h"
#include "store/valkey/dump.h"
#include "store/valkey/form.h"
#include "store/valkey/template.h"

/* --- a server ----------------------------------------------------------------------------------------------------- */

struct live {
    void *dir;
    GPid pid;
    redisContext *client;
    struct arena *mem;
    struct form_work *work;
    GRand *dice;
};

/* Until it says that it is ready. */
static void wait_for(int log)
{
    g_autoptr(GString) said = g_string_new(NULL);
    char bytes[512];
    while (!strstr(said->str, "eady to accept connections")) {
        ssize_t n = read(log, bytes, sizeof bytes);
        if (n <= 0)
            fail_msg("the server ended: %s", said->str);
        g_string_append_len(said, bytes, n);
    }
}

static void die_with_parent(gpointer unused)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* Skips the test where there is none; the caller frees. */
static char *path_of(const char *program)
{
    char *path = servers_find(program, g_str_equal(program, "valkey-server") ? "SLUICE_VALKEY" : NULL);
    if (!path)
        kit_skip("%s is not installed", program);
    return path;
}

static void live_begin(struct live *live, const char *program)
{
    g_autofree char *path = path_of(program);
    *live = (struct live){0};
    assert_int_equal(kit_dir_setup(&live->dir), 0);
    g_autofree char *socket = g_build_filename(live->dir, "socket", NULL);
    char *argv[] = {path, "--port", "0",       "--unixsocket",           socket, "--save",
                    "",   "--dir",  live->dir, "--enable-debug-command", "yes",  NULL};
    int log;
    assert_true(g_spawn_async_with_pipes(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, die_with_parent, NULL, &live->pid,
                                         NULL, &log, NULL, NULL));
    wait_for(log);
    live->client = redisConnectUnix(socket);
    assert_true(live->client && !live->client->err);
    live->mem = arena_new(256 << 20);
    live->work = form_work_new();
    live->dice = g_rand_new_with_seed(5);
}

static void live_end(struct live *live)
{
    redisFree(live->client);
    kill(live->pid, SIGKILL);
    waitpid(live->pid, NULL, 0);
    kit_dir_teardown(&live->dir);
    arena_free(live->mem);
    form_work_free(live->work);
    g_rand_free(live->dice);
}

static redisReply *tell(struct live *live, const GArray *args)
{
    g_autofree const char **texts = g_new(const char *, args->len);
    g_autofree size_t *lens = g_new(size_t, args->len);
    for (guint i = 0; i < args->len; i++) {
        texts[i] = (const char *)g_array_index(args, struct slice, i).data;
        lens[i] = g_array_index(args, struct slice, i).len;
    }
    redisReply *reply = redisCommandArgv(live->client, (int)args->len, texts, lens);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", texts[0], reply->str);
    return reply;
}

static void put_arg(GArray *args, struct slice arg)
{
    g_array_append_val(args, arg);
}

/* Words up to NULL. */
static GArray *words(const char *first, ...)
{
    GArray *args = g_array_new(FALSE, FALSE, sizeof(struct slice));
    va_list more;
    va_start(more, first);
    for (const char *word = first; word; word = va_arg(more, const char *))
        put_arg(args, slice_of_text(word));
    va_end(more);
    return args;
}

static redisReply *ask(struct live *live, GArray *args)
{
    redisReply *reply = tell(live, args);
    g_array_unref(args);
    return reply;
}

static void run(struct live *live, GArray *args)
{
    freeReplyObject(ask(live, args));
}

static char *text_of(redisReply *reply)
{
    char *text = g_strndup(reply->str, reply->len);
    freeReplyObject(reply);
    return text;
}

/* --- replies as our own parser gives them ------------------------------------------------------------------------- */

static struct reply ours(const redisReply *reply, struct arena *mem)
{
    struct reply ret = {.integer = reply->integer, .bytes = slice_of(reply->str, reply->len)};
    switch (reply->type) {
    case REDIS_REPLY_STRING:
        ret.type = REPLY_BYTES;
        break;
    case REDIS_REPLY_INTEGER:
        ret.type = REPLY_INTEGER;
        break;
    case REDIS_REPLY_NIL:
        ret.type = REPLY_NULL;
        break;
    case REDIS_REPLY_ARRAY:
        ret = (struct reply){.type = REPLY_ARRAY, .n = reply->elements};
        ret.items = arena_alloc(mem, reply->elements * sizeof *ret.items);
        for (size_t i = 0; i < reply->elements; i++)
            ret.items[i] = ours(reply->element[i], mem);
        break;
    default:
        fail_msg("a reply of type %d: %s", reply->type, reply->str);
    }
    return ret;
}

static struct record image_of(struct live *live, const struct form *form, const char *key)
{
    GError *error = NULL;
    struct record image = {0};
    redisReply *probe = ask(live, words(form->probe, key, NULL));
    redisReply *expiry = ask(live, words("PEXPIRETIME", key, NULL));
    struct reply replies[2] = {ours(probe, live->mem), ours(expiry, live->mem)};
    kit_ok(form->image(replies, slice_of_text(key), live->work, live->mem, &image, &error));
    if (image.presence == RECORD_FAULT)
        fail_msg("%s: %s", key, image.fault.text);
    freeReplyObject(probe);
    freeReplyObject(expiry);
    return image;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

static struct slice some_bytes(struct live *live)
{
    static const size_t LENGTHS[] = {0,   1,   5,   19,   31,   32,    33,    63,    64,   127,
                                     128, 255, 256, 4095, 4096, 16383, 16384, 65535, 65536};
    int dice = g_rand_int_range(live->dice, 0, 100);
    size_t len = dice < 60 ? (size_t)dice / 2 : LENGTHS[(size_t)dice % G_N_ELEMENTS(LENGTHS)];
    if (dice >= 60 && dice < 75) { /* looks like a number */
        char *text = arena_alloc(live->mem, 32);
        int64_t value = (int64_t)((uint64_t)g_rand_int(live->dice) << 32 | g_rand_int(live->dice));
        return slice_of(
            text, (size_t)g_snprintf(text, 32, "%" G_GINT64_FORMAT, value >> g_rand_int_range(live->dice, 0, 64)));
    }
    uint8_t *bytes = arena_alloc(live->mem, len), letter = (uint8_t)g_rand_int(live->dice);
    for (size_t i = 0; i < len; i++)
        bytes[i] = dice & 1 ? letter : (uint8_t)g_rand_int(live->dice);
    return slice_of(bytes, len);
}

static size_t some_number(struct live *live)
{
    static const int MOST[] = {1, 3, 15, 16, 17, 40, 130, 600};
    return (size_t)g_rand_int_range(live->dice, 1, 1 + MOST[g_rand_int_range(live->dice, 0, 8)]);
}

static void make(struct live *live, const char *command, const char *key, size_t members, size_t each)
{
    GArray *args = words(command, key, NULL);
    for (size_t i = 0; i < members; i++) {
        char *score = arena_alloc(live->mem, 64);
        double values[] = {(double)i, -1.5 * (double)i, 1e300, g_rand_double(live->dice), HUGE_VAL, -HUGE_VAL, 3};
        if (g_str_equal(command, "ZADD")) {
            g_snprintf(score, 64, "%.17g", values[g_rand_int_range(live->dice, 0, G_N_ELEMENTS(values))]);
            put_arg(args, slice_of_text(score));
        }
        for (size_t e = 0; e < each; e++)
            put_arg(args, some_bytes(live));
    }
    run(live, args);
}

static void make_stream(struct live *live, const char *key)
{
    size_t n = some_number(live);
    for (size_t i = 0; i < n; i++) {
        GArray *args = words("XADD", key, "*", "name", NULL);
        put_arg(args, some_bytes(live));
        for (int more = g_rand_int_range(live->dice, 0, 3); more > 0; more--) {
            put_arg(args, i % 3 ? slice_of_text("more") : some_bytes(live));
            put_arg(args, some_bytes(live));
        }
        run(live, args);
    }
    run(live, words("XGROUP", "CREATE", key, "g2", "$", NULL));
    run(live, words("XGROUP", "CREATE", key, "g1", "0", NULL));
    run(live, words("XREADGROUP", "GROUP", "g1", "anna", "COUNT", "7", "STREAMS", key, ">", NULL));
    run(live, words("XREADGROUP", "GROUP", "g1", "bert", "COUNT", "3", "STREAMS", key, ">", NULL));
    run(live, words("XGROUP", "CREATECONSUMER", key, "g1", "nobody", NULL));
    if (n % 2) {
        g_autofree char *script = g_strdup_printf("local e = redis.call('XRANGE', KEYS[1], '-', '+')\n"
                                                  "redis.call('XDEL', KEYS[1], e[1][1], e[#e][1])\n"
                                                  "redis.call('XACK', KEYS[1], 'g1', e[2] and e[2][1] or '0-1')");
        run(live, words("EVAL", script, "1", key, NULL));
    }
}

static void make_any(struct live *live, int type, const char *key)
{
    run(live, words("DEL", key, NULL));
    switch (type) {
    case 0:
        make(live, "SET", key, 1, 1);
        return;
    case 1:
        make(live, "RPUSH", key, some_number(live), 1);
        return;
    case 2:
        make(live, "SADD", key, some_number(live), 1);
        return;
    case 3:
        make(live, "ZADD", key, some_number(live), 1);
        return;
    case 4:
        make(live, "HSET", key, some_number(live), 2);
        return;
    case 5: /* an intset */
        for (size_t i = some_number(live); i > 0; i--) {
            g_autofree char *number = g_strdup_printf("%d", (int)g_rand_int(live->dice) >> (i % 32));
            run(live, words("SADD", key, number, NULL));
        }
        return;
    default:
        make_stream(live, key);
    }
}

enum { TYPES = 7 };

/* --- what holds --------------------------------------------------------------------------------------------------- */

static const struct dataset RAW = {.name = "*"}, HASH = {.name = "{id}"}, JSON = {.name = "{id}", .form = FORM_JSON};

static void etags_are_those_of_the_script(void **state)
{
    static const char SCRIPT[] = "local value = redis.call(ARGV[1], KEYS[1])\n"
                                 "local expiry = string.format('%.0f', redis.call('PEXPIRETIME', KEYS[1]))\n"
                                 "local text = string.sub(ARGV[1], 1, 1) .. expiry .. ':' .. cmsgpack.pack(value)\n"
                                 "return string.sub(redis.sha1hex(text), 1, 32)";
    struct live live;
    live_begin(&live, *state);
    for (int round = 0; round < 700; round++) {
        const struct dataset *ds = round % 3 == 0 ? &HASH : round % 3 == 1 ? &JSON : &RAW;
        const struct form *form = form_of(ds);
        arena_reset(live.mem);
        make_any(&live, ds == &HASH ? 4 : ds == &JSON ? 0 : round % TYPES, "k");
        if (round % 2)
            run(&live, words("PEXPIREAT", "k", "4102444800123", NULL));
        struct record image = image_of(&live, form, "k");
        assert_int_equal(image.presence, RECORD_PRESENT);
        assert_int_equal(image.expires_at_ms, round % 2 ? 4102444800123 : EXPIRES_NEVER);
        g_autofree char *etag = text_of(ask(&live, words("EVAL", SCRIPT, "1", "k", form->probe, NULL)));
        kit_equal_text(slice_of(image.etag.bytes, image.etag.len), etag);
    }
    live_end(&live);
}

static void restore(struct live *live, struct slice raw, const char *key)
{
    GError *error = NULL;
    g_autoptr(GArray) args = g_array_new(FALSE, FALSE, sizeof(struct slice));
    kit_ok(form_of(&RAW)->write_args(raw, live->mem, args, &error));
    kit_equal_text(g_array_index(args, struct slice, 0), "RESTORE");
    kit_equal_text(g_array_index(args, struct slice, 1), "3");
    GArray *command = words("RESTORE", key, NULL);
    for (guint i = 2; i < args->len; i++)
        put_arg(command, g_array_index(args, struct slice, i));
    run(live, command); /* in the place of what stands there */
}

static void append_text(GString *into, const redisReply *reply)
{
    g_string_append_printf(into, "(%d %lld ", reply->type, reply->integer);
    g_string_append_len(into, reply->str, reply->str ? (gssize)reply->len : 0);
    for (size_t i = 0; i < reply->elements; i++) {
        const redisReply *item = reply->element[i];
        append_text(into, item);
        /* How it lies in memory, and when a consumer last had success, are not of the value. */
        if (item->type == REDIS_REPLY_STRING && i + 1 < reply->elements &&
            (g_str_equal(item->str, "radix-tree-keys") || g_str_equal(item->str, "radix-tree-nodes") ||
             g_str_equal(item->str, "active-time")))
            i++;
    }
    g_string_append(into, ")");
}

static GString *stream_text(struct live *live, const char *key)
{
    GString *text = g_string_new(NULL);
    redisReply *reply = ask(live, words("XINFO", "STREAM", key, "FULL", "COUNT", "0", NULL));
    append_text(text, reply);
    freeReplyObject(reply);
    return text;
}

static void is_the_same(struct live *live, const char *one, const char *two, bool stream)
{
    redisReply *digests = ask(live, words("DEBUG", "DIGEST-VALUE", one, two, NULL));
    assert_int_equal(digests->elements, 2);
    assert_string_equal(digests->element[0]->str, digests->element[1]->str);
    freeReplyObject(digests);
    if (!stream)
        return;
    GString *first = stream_text(live, one), *second = stream_text(live, two);
    assert_int_equal(first->len, second->len);
    assert_memory_equal(first->str, second->str, first->len);
    g_string_free(first, TRUE);
    g_string_free(second, TRUE);
}

/* Whatever comes instead of a payload is refused, or is some value. */
static void damage_is_harmless(struct live *live)
{
    redisReply *dumped = ask(live, words("DUMP", "a", NULL));
    for (int i = 0; i < 30; i++) {
        struct slice value, payload;
        uint8_t *bytes = g_memdup2(dumped->str, dumped->len);
        size_t len = i % 3 ? dumped->len : (size_t)g_rand_int_range(live->dice, 0, (int)dumped->len);
        for (int flips = g_rand_int_range(live->dice, 1, 4); flips > 0 && len > 0; flips--)
            bytes[(size_t)g_rand_int(live->dice) % MIN(len, (size_t)300)] = (uint8_t)g_rand_int(live->dice);
        if (dump_read(slice_of(bytes, len), live->mem, &value, NULL))
            assert_true(!dump_check(value, NULL) || dump_write(value, live->mem, &payload, NULL));
        g_free(bytes);
    }
    freeReplyObject(dumped);
}

static void any_value_is_restored_as_it_was(void **state)
{
    struct live live;
    live_begin(&live, *state);
    for (int round = 0; round < 600; round++) {
        GError *error = NULL;
        make_any(&live, round % TYPES, "a");
        damage_is_harmless(&live);
        arena_reset(live.mem); /* a damaged length takes what there is */
        struct record image = image_of(&live, form_of(&RAW), "a");
        restore(&live, image.raw, "b");
        is_the_same(&live, "a", "b", round % TYPES == 6);
        assert_true(slice_equal(image_of(&live, form_of(&RAW), "b").raw, image.raw));
        struct slice document = SLICE_EMPTY, again = SLICE_EMPTY;
        kit_ok(form_of(&RAW)->decode(&RAW, image.raw, live.mem, &document, &error));
        kit_ok(document_check(document, &error));
        kit_ok(form_of(&RAW)->encode(&RAW, document, live.mem, &again, &error));
        assert_true(slice_equal(image.raw, again));
        g_autoptr(GString) json = g_string_new(NULL);
        kit_ok(document_to_json(document, json, &error));
        kit_ok(document_from_json(slice_of(json->str, json->len), live.mem, &document, NULL, &error));
        kit_ok(form_of(&RAW)->encode(&RAW, document, live.mem, &again, &error));
        assert_true(slice_equal(image.raw, again));
    }
    live_end(&live);
}

static char *digest_of(struct live *live, const char *key)
{
    redisReply *digests = ask(live, words("DEBUG", "DIGEST-VALUE", key, NULL));
    char *text = g_strdup(digests->element[0]->str);
    freeReplyObject(digests);
    return text;
}

static void a_value_goes_to_a_server_of_another_version(void **state)
{
    const char *const *programs = *state;
    struct live from, to;
    g_free(path_of(programs[1])); /* before the first is started */
    live_begin(&from, programs[0]);
    live_begin(&to, programs[1]);
    for (int round = 0; round < 200; round++) {
        arena_reset(from.mem);
        arena_reset(to.mem);
        make_any(&from, round % TYPES, "k");
        struct record image = image_of(&from, form_of(&RAW), "k");
        restore(&to, image.raw, "k");
        assert_true(slice_equal(image_of(&to, form_of(&RAW), "k").raw, image.raw));
        g_autofree char *one = digest_of(&from, "k"), *two = digest_of(&to, "k");
        if (round % TYPES != 3) /* of scores a digest is of their text, which the versions write differently */
            assert_string_equal(one, two);
    }
    live_end(&from);
    live_end(&to);
}

static void a_hash_is_written_as_it_was(void **state)
{
    struct live live;
    live_begin(&live, *state);
    for (int round = 0; round < 100; round++) {
        GError *error = NULL;
        g_autoptr(GArray) args = g_array_new(FALSE, FALSE, sizeof(struct slice));
        arena_reset(live.mem);
        make_any(&live, 4, "a");
        struct record image = image_of(&live, form_of(&HASH), "a");
        kit_ok(form_of(&HASH)->write_args(image.raw, live.mem, args, &error));
        GArray *command = words("HSET", "b", NULL);
        for (guint i = 2; i < args->len; i++)
            put_arg(command, g_array_index(args, struct slice, i));
        run(&live, words("DEL", "b", NULL));
        run(&live, command);
        is_the_same(&live, "a", "b", false);
    }
    live_end(&live);
}

static bool matches(struct live *live, const struct key_template *template, const char *key)
{
    redisReply *found = ask(live, words("KEYS", key_template_glob(template), NULL));
    bool there = false;
    for (size_t i = 0; i < found->elements; i++)
        there |= g_str_equal(found->element[i]->str, key);
    freeReplyObject(found);
    return there;
}

static void globs_are_matched_as_the_server_matches(void **state)
{
    static const char LETTERS[] = "aabb***??[]^-\\:{}", IN_KEYS[] = "ab*?[]^-\\:{}";
    struct live live;
    int there = 0;
    live_begin(&live, *state);
    for (int round = 0; round < 6000; round++) {
        char glob[12] = {0}, key[8] = {0};
        struct key_template *template = NULL;
        struct slice from;
        bool is_ours;
        for (int i = g_rand_int_range(live.dice, 1, 11); i > 0; i--)
            glob[i - 1] = LETTERS[g_rand_int_range(live.dice, 0, sizeof LETTERS - 1)];
        for (int i = g_rand_int_range(live.dice, 1, 7); i > 0; i--)
            key[i - 1] = IN_KEYS[g_rand_int_range(live.dice, 0, round % 2 ? 2 : sizeof IN_KEYS - 1)];
        if (!key_template_parse(&template, glob, NULL))
            continue;
        run(&live, words("SET", key, "", NULL));
        assert_true(key_template_from_server(template, slice_of_text(key), live.mem, &from, &is_ours, NULL));
        bool found = matches(&live, template, key);
        if (key_template_places(template) == 0 ? is_ours != found : is_ours && !found)
            fail_msg("'%s' and '%s': %d, the server says %d", glob, key, is_ours, found);
        there += found;
        run(&live, words("DEL", key, NULL));
        key_template_free(template);
    }
    assert_true(there > 200);
    live_end(&live);
}

int main(void)
{
    static char redis[] = "redis-server", valkey[] = "valkey-server";
    static char *older_to_newer[] = {redis, valkey}, *newer_to_older[] = {valkey, redis};
    const struct CMUnitTest tests[] = {
#define EACH(name) {#name "(redis)", name, NULL, NULL, redis}, {#name "(valkey)", name, NULL, NULL, valkey}
        EACH(etags_are_those_of_the_script),
        EACH(any_value_is_restored_as_it_was),
        {"a_value_goes_to_a_newer_server", a_value_goes_to_a_server_of_another_version, NULL, NULL, older_to_newer},
        {"a_value_goes_to_an_older_server", a_value_goes_to_a_server_of_another_version, NULL, NULL, newer_to_older},
        EACH(a_hash_is_written_as_it_was),
        EACH(globs_are_matched_as_the_server_matches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
