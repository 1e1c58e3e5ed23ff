/* Witnesses on the wire: who has the data, put behind what was written, found again, and what stands where one is
 * missing (docs/drivers/valkey.md, "Lost after its checkpoint"). */
#include "base/int.h"
#include "store/valkey/history.h"
#include "store/valkey/link.h"
#include "store/valkey/refusal.h"
#include "store/valkey/valkey_store.h"

#define LOOK_US  (INT64_C(3) * 1000 * 1000)
#define PAUSE_US (INT64_C(200) * 1000)

enum { PUT_ROUNDS = 16, FIELD_BYTES = 16 };

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* What was asked, and the topology by which. */
struct asked {
    struct history *history;
    struct topology *topology;
    GArray *nodes; /* of size_t: which of the topology's has slots, one a server of the history */
    GArray
        *bound; /* of uint64_t, likewise: the connection through which it was asked, as its witness will go; 0: none */
};

static void asked_reset(struct asked *asked)
{
    g_clear_pointer(&asked->history, history_free);
    g_clear_pointer(&asked->nodes, g_array_unref);
    g_clear_pointer(&asked->bound, g_array_unref);
    g_clear_pointer(&asked->topology, topology_unref);
}

static void asked_begin(struct asked *asked, struct router *router)
{
    *asked = (struct asked){.history = history_new(),
                            .topology = router_topology(router),
                            .nodes = g_array_new(FALSE, FALSE, sizeof(size_t)),
                            .bound = g_array_new(FALSE, TRUE, sizeof(uint64_t))};
    g_autofree bool *owners = topology_owners(asked->topology);
    for (size_t i = 0; i < asked->topology->n; i++)
        if (owners[i]) {
            history_add(asked->history, asked->topology->nodes[i].id, asked->topology->owner, (int32_t)i);
            g_array_append_val(asked->nodes, i);
        }
    g_array_set_size(asked->bound, asked->nodes->len);
}

static const struct valkey_host *host_of(const struct asked *asked, guint server)
{
    return &asked->topology->nodes[g_array_index(asked->nodes, size_t, server)].at;
}

static bool has_written(const struct asked *asked, struct router *router, guint server)
{
    return link_of(router, host_of(asked, server))->wrote;
}

/* All that this router has written on is on servers that have slots still. */
static bool all_written_are_there(const struct asked *asked, struct router *router)
{
    guint wrote = 0, there = 0;
    for (guint i = 0; i < router->links->len; i++)
        wrote += ((const struct link *)g_ptr_array_index(router->links, i))->wrote;
    for (guint i = 0; i < asked->nodes->len; i++)
        there += has_written(asked, router, i);
    return wrote == there;
}

/* Of a server on which nothing was written since the line nothing is claimed: what it was then may stand in the next
 * one, as long as all have the slots that they had. A slow one is not waited for by those who have nothing there. */
static bool may_carry(const struct asked *asked, struct router *router, const struct history *was)
{
    return was && asked->nodes->len > 1 && history_slots_stay(was, asked->history) &&
           history_slots_stay(asked->history, was) && all_written_are_there(asked, router);
}

struct answers {
    const struct asked *asked;
    const guint *of; /* which server a command is for */
    struct node_state *states;
};

static bool info_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    const struct answers *answers = self;
    if (reply->type == REPLY_ERROR)
        return refusal_set(reply, host_of(answers->asked, answers->of[i]), "INFO", error);
    link_state(reply->bytes, &answers->states[i]);
    return true;
}

static bool take_states(struct asked *asked, struct router *router, const struct answers *answers, size_t n,
                        GError **error)
{
    for (size_t i = 0; i < n; i++) {
        guint server = answers->of[i];
        const struct valkey_host *at = host_of(asked, server);
        if (!answers->states[i].primary)
            return error_set(error, SLUICE_ERROR_UNREACHABLE, "%s:%u: it is a replica by now", at->host, at->port);
        history_asked(asked->history->servers->pdata[server], &answers->states[i]);
        g_array_index(asked->bound, uint64_t, server) = link_of(router, at)->serial;
    }
    return true;
}

/* Whom to ask: all; or, of those that an earlier line has, only those that were written on, and one more. */
struct ask_wish {
    const struct history *was; /* NULL: all */
    int32_t place;             /* whoever has this slot is asked in any case; -1: nobody is for that */
};

static bool is_at(const struct asked *asked, guint server, int32_t place)
{
    return place >= 0 && asked->topology->owner[place] == (int32_t)g_array_index(asked->nodes, size_t, server);
}

/* All at once. */
static bool ask_all(struct router *router, const struct call *call, const struct ask_wish *whom, struct asked *asked,
                    GError **error)
{
    guint servers = asked->nodes->len;
    g_autofree struct command *commands = g_new0(struct command, servers + 1);
    g_autofree struct node_state *states = g_new0(struct node_state, servers + 1);
    g_autofree guint *of = g_new(guint, servers + 1);
    bool carry = may_carry(asked, router, whom->was);
    size_t n = 0;
    for (guint i = 0; i < servers; i++) {
        if (carry && !has_written(asked, router, i) && !is_at(asked, i, whom->place)) {
            history_carried(asked->history->servers->pdata[i], whom->was);
            continue;
        }
        of[n] = i;
        commands[n++] = (struct command){.args = LINK_LOOK,
                                         .n_args = G_N_ELEMENTS(LINK_LOOK),
                                         .slot = -1,
                                         .at = host_of(asked, i),
                                         .repeatable = true};
    }
    struct answers answers = {.asked = asked, .of = of, .states = states};
    struct route_wish wish = {.commands = commands, .n = n, .unpaced = true, .answer = info_answer, .self = &answers};
    return (n == 0 || router_run(router, call, &wish, error)) && take_states(asked, router, &answers, n, error);
}

/* A server that is gone would be waited for until the deadline, although another has its place. */
static struct call short_call(const struct router *router, const struct call *call)
{
    struct call one = *call;
    one.deadline_us = link_wait(router, call, LOOK_US).deadline_us;
    return one;
}

/* Behind a failure: another server may have the place by now. false: none has, nor will have; *io_failed says that. In
 * vain otherwise is no matter: who tries again is told. */
static bool look_anew(struct router *router, const struct call *call, GError **io_failed)
{
    g_autoptr(GError) lost = NULL;
    if (router_refresh(router, call, &lost) || !error_is(lost, SLUICE_ERROR_SHARD_LOST))
        return true;
    g_clear_error(io_failed);
    *io_failed = g_steal_pointer(&lost);
    return false;
}

/* Behind the n-th failure: whether it is worth another try, by which another server may have the place. */
static bool again(struct router *router, const struct call *call, unsigned n, GError **io_failed)
{
    if (n > 0)
        world_sleep_us(router->world, PAUSE_US, call->cancel);
    return error_class(*io_failed) == ERROR_TRANSIENT && call_goes_on(call, router->world, NULL) &&
           look_anew(router, call, io_failed);
}

static bool ask(struct router *router, const struct call *call, const struct ask_wish *whom, struct asked *ret,
                GError **error)
{
    for (unsigned n = 0;; n++) {
        g_autoptr(GError) failed = NULL;
        struct call one = short_call(router, call);
        asked_begin(ret, router);
        if (ask_all(router, &one, whom, ret, &failed))
            return true;
        asked_reset(ret);
        if (!again(router, call, n, &failed)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
    }
}

/* --- putting ------------------------------------------------------------------------------------------------------ */

struct putting {
    struct session *session;
    const struct call *call;
    const struct witness *witness;
    struct fence_run *run;
    bool put, unloaded;
    GByteArray *epoch; /* that the script met instead */
};

static bool put_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct putting *putting = self;
    putting->unloaded = reply_is_error(reply, "NOSCRIPT");
    if (putting->unloaded)
        return true;
    if (reply->type == REPLY_ERROR && reply_is_error(reply, "MOVED")) /* of a place that has moved meanwhile */
        return error_set(error, SLUICE_ERROR_UNREACHABLE, "a slot has moved while a witness was being put");
    if (reply->type == REPLY_ERROR)
        return valkey_refused(reply, "putting a witness", error);
    putting->put = reply->type == REPLY_INTEGER;
    if (putting->put)
        return true;
    if (!reply_is_array(reply, 2))
        return error_set(error, SLUICE_ERROR_STORE, "the server answers a script with something else");
    g_byte_array_set_size(putting->epoch, 0);
    g_byte_array_append(putting->epoch, reply->items[1].bytes.data, (unsigned)reply->items[1].bytes.len);
    return true;
}

static bool load_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    return reply->type != REPLY_ERROR || valkey_refused(reply, "loading a script", error);
}

static bool load(struct putting *putting, const struct valkey_host *at, uint64_t bound, GError **error)
{
    struct slice args[] = {slice_of_text("SCRIPT"), slice_of_text("LOAD"), slice_of_text(script_witness.text)};
    struct command command = {.args = args, .n_args = G_N_ELEMENTS(args), .slot = -1, .at = at, .repeatable = true};
    struct route_wish wish = {.commands = &command, .n = 1, .bound = bound, .answer = load_answer};
    return router_run(valkey_session_of(putting->session)->router, putting->call, &wish, error);
}

static bool put_once(struct putting *putting, const struct valkey_host *at, uint64_t bound, uint32_t place,
                     uint64_t epoch, GError **error)
{
    struct fences *fences = valkey_store_of(putting->session)->fences;
    const struct witness *witness = putting->witness;
    g_autoptr(GString) key = g_string_new(NULL);
    char field[FIELD_BYTES], lane[FIELD_BYTES], number[DECIMAL_MOST + 1], epoch_text[FENCE_EPOCH_BYTES];
    fence_key(fences, putting->run, place, key);
    fence_epoch_put(fences, epoch, epoch_text);
    g_snprintf(field, sizeof field, "w%u", witness->fence.part);
    g_snprintf(lane, sizeof lane, "%u", witness->lane);
    g_snprintf(number, sizeof number, "%" G_GUINT64_FORMAT, witness->number);
    struct slice args[] = {slice_of_text("EVALSHA"),  slice_of_text(script_witness.sha),
                           slice_of_text("1"),        slice_of(key->str, key->len),
                           slice_of_text(epoch_text), slice_of_text(field),
                           slice_of_text(lane),       slice_of_text(number)};
    struct command command = {.args = args, .n_args = G_N_ELEMENTS(args), .slot = -1, .at = at};
    struct route_wish wish = {.commands = &command, .n = 1, .bound = bound, .answer = put_answer, .self = putting};
    if (!router_run(valkey_session_of(putting->session)->router, putting->call, &wish, error))
        return error_add(error, "key %s", key->str);
    return command.fate == ROUTE_ANSWERED ||
           error_set(error, SLUICE_ERROR_UNREACHABLE, "the connection was lost while a witness was being put");
}

/* What the place says that is not ours, or no more. */
static bool met(struct putting *putting, uint32_t place, uint64_t sent, GError **error)
{
    struct fences *fences = valkey_store_of(putting->session)->fences;
    auto_hold(&fences->lock);
    switch (fence_answered(fences, putting->run, place, sent, slice_of(putting->epoch->data, putting->epoch->len))) {
    case FENCE_AGAIN:
        return true;
    case FENCE_LOST:
        return fence_lost(fences, putting->run, place, error);
    case FENCE_ANOTHERS:
        break;
    }
    return error_set(error, SLUICE_ERROR_FENCED, "run %s: another process has taken it over", putting->run->hex);
}

static bool put_on(struct putting *putting, const struct valkey_host *at, uint64_t bound, uint32_t place,
                   GError **error)
{
    struct fences *fences = valkey_store_of(putting->session)->fences;
    putting->put = false;
    for (unsigned round = 0; round < PUT_ROUNDS && !putting->put; round++) {
        uint64_t epoch;
        {
            auto_hold(&fences->lock);
            epoch = putting->run->places[place].epoch;
        }
        if (!put_once(putting, at, bound, place, epoch, error))
            return false;
        if (putting->unloaded) {
            if (!load(putting, at, bound, error))
                return false;
            putting->put = false;
        } else if (!putting->put && !met(putting, place, epoch, error)) {
            return false;
        }
    }
    return putting->put || error_set(error, SLUICE_ERROR_BUSY,
                                     "run %s: its places are being taken over again and again", putting->run->hex);
}

/* Where the session has written, and everywhere where that is asked for, or nobody knows which server has it now. */
static void cover(const struct putting *putting, const struct asked *asked, bool everywhere)
{
    struct router *router = valkey_session_of(putting->session)->router;
    for (guint i = 0; i < asked->nodes->len; i++)
        ((struct history_server *)asked->history->servers->pdata[i])->covered =
            everywhere || has_written(asked, router, i);
}

static bool put_on_all(struct putting *putting, const struct asked *asked, GError **error)
{
    for (guint i = 0; i < asked->nodes->len; i++) {
        const struct history_server *server = asked->history->servers->pdata[i];
        if (server->covered &&
            !put_on(putting, host_of(asked, i), g_array_index(asked->bound, uint64_t, i), history_place(server), error))
            return false;
    }
    return true;
}

/* --- noting ------------------------------------------------------------------------------------------------------- */

/* What this process knows of fences, it knows of servers that are no longer the same. What it remembers of them is what
 * they were when any session asked them last. */
static void notice(struct valkey_store *store, struct history *now)
{
    struct fences *fences = store->fences;
    auto_(history) before = NULL;
    g_autoptr(GString) text = g_string_new(NULL);
    auto_hold(&fences->lock);
    if (store->history && history_read(slice_of_text(store->history), &before)) {
        if (!history_same(before, now))
            fences_suspect(fences);
        history_remember(now, before);
    }
    history_put(now, text);
    g_free(store->history);
    store->history = g_string_free(g_steal_pointer(&text), FALSE);
}

static bool is_same(const struct history *was, struct history *now, bool *io_everywhere, GError **error)
{
    if (!was)
        return true;
    now->since = was->next;
    *io_everywhere |= !history_slots_stay(was, now);
    return history_same(was, now) || error_set(error, SLUICE_ERROR_UNSETTLED,
                                               "a server was replaced or started anew before its writes were settled");
}

static struct fence_run *run_of(struct valkey_store *store, const uint8_t uid[16], uint64_t *ret_tick)
{
    auto_hold(&store->fences->lock);
    struct fence_run *run = fences_run(store->fences, uid);
    *ret_tick = run->tick;
    return run;
}

struct noting {
    struct session *session;
    const struct call *call;
    const struct witness *witness;
    struct slice was;
    GString *text; /* of the history as it is now */
};

static bool put_all(const struct noting *noting, struct fence_run *run, const struct asked *asked, bool everywhere,
                    GError **error)
{
    struct putting putting = {.session = noting->session, .call = noting->call, .witness = noting->witness, .run = run};
    if (!noting->witness->lane)
        return true;
    putting.epoch = g_byte_array_new();
    cover(&putting, asked, everywhere);
    bool put = put_on_all(&putting, asked, error);
    g_byte_array_unref(putting.epoch);
    return put;
}

/* What any session was told last; NULL: none was. */
static struct history *remembered(struct valkey_store *store)
{
    struct history *last = NULL;
    auto_hold(&store->fences->lock);
    if (store->history)
        history_read(slice_of_text(store->history), &last);
    return last;
}

/* Behind what was written, those are asked that it was written on. Where a lane is to be opened, all: by that what is
 * read of fences is of these servers. Of a partition of which nothing was ever written nothing is read; of a server on
 * which it writes later it is enough that this is what it was told to be at some time before. */
static bool note_once(const struct noting *noting, GError **error)
{
    struct asked asked = {0};
    const struct witness *witness = noting->witness;
    struct valkey_store *store = valkey_store_of(noting->session);
    bool everywhere = witness->everywhere;
    struct ask_wish whom = {.place = -1};
    uint32_t near;
    auto_(history) was = NULL;
    auto_(history) last = NULL;
    if (noting->was.len)
        history_read(noting->was, &was);
    if (witness->lane && !everywhere) {
        whom.was = was;
    } else if (!witness->lane && valkey_place_near(noting->session, noting->call, witness->near, &near)) {
        last = was ? NULL : remembered(store);
        whom = (struct ask_wish){.was = was ? was : last, .place = (int32_t)near};
    }
    if (!ask(valkey_session_of(noting->session)->router, noting->call, &whom, &asked, error))
        return false;
    struct fence_run *run = run_of(store, witness->fence.run, &asked.history->next);
    bool ok = is_same(was, asked.history, &everywhere, error) && put_all(noting, run, &asked, everywhere, error);
    g_string_truncate(noting->text, 0);
    history_put(asked.history, noting->text);
    notice(store, asked.history);
    asked_reset(&asked);
    return ok;
}

/* A place may move, and a cluster be down for as long as a failover takes, though nothing but a witness is to be put:
 * that is followed and waited out here, for nobody else asks who has what. */
bool valkey_history_note(struct session *session, const struct call *call, const struct witness *witness,
                         struct slice was, const char **ret, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    struct noting noting = {.session = session, .call = call, .witness = witness, .was = was, .text = text};
    for (unsigned n = 0;; n++) {
        g_autoptr(GError) failed = NULL;
        if (note_once(&noting, &failed))
            break;
        if (!again(valkey_session_of(session)->router, call, n, &failed)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
    }
    *ret = arena_text(call->mem, slice_of(text->str, text->len));
    return *ret || error_set(error, SLUICE_ERROR_TOO_BIG, "the names of the servers do not fit into memory");
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

static bool look_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    struct history *history = self;
    if (reply->type == REPLY_ERROR)
        return valkey_refused(reply, "reading witnesses", error);
    if ((reply->type != REPLY_ARRAY && reply->type != REPLY_MAP) || reply->n % 2)
        return error_set(error, SLUICE_ERROR_STORE, "the server answers HGETALL with something else");
    for (size_t k = 0; k < reply->n; k += 2)
        history_witness(history->servers->pdata[i], reply->items[k].bytes, reply->items[k + 1].bytes);
    return true;
}

bool valkey_history_look(struct session *session, const struct call *call, const uint8_t uid[16], struct history **ret,
                         GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    struct asked asked = {0};
    uint64_t tick;
    struct fence_run *run = run_of(store, uid, &tick);
    if (!ask(valkey_session_of(session)->router, call, &(struct ask_wish){.place = -1}, &asked, error))
        return false;
    unsigned n = asked.history->servers->len;
    g_autofree struct command *commands = g_new0(struct command, n + 1);
    g_autofree struct slice *args = g_new(struct slice, 2 * (size_t)n + 1);
    g_autoptr(GStringChunk) texts = g_string_chunk_new(4096);
    g_autoptr(GString) key = g_string_new(NULL);
    for (unsigned i = 0; i < n; i++) {
        uint32_t place = history_place(asked.history->servers->pdata[i]);
        fence_key(store->fences, run, place, key);
        args[2 * i] = slice_of_text("HGETALL");
        args[2 * i + 1] = slice_of(g_string_chunk_insert(texts, key->str), key->len);
        commands[i] = (struct command){
            .args = args + 2 * i, .n_args = 2, .slot = store->cluster ? (int32_t)place : 0, .repeatable = true};
    }
    struct route_wish wish = {.commands = commands, .n = n, .answer = look_answer, .self = asked.history};
    bool ok = router_run(valkey_session_of(session)->router, call, &wish, error);
    notice(store, asked.history);
    if (ok)
        *ret = g_steal_pointer(&asked.history);
    asked_reset(&asked);
    return ok;
}

/* --- what stands -------------------------------------------------------------------------------------------------- */

struct standings {
    struct standing_look *io;
    const struct history_where *where;
    const uint32_t *places; /* one of io each */
    const size_t *asked;    /* which of io a command is for */
};

#define NEVER (UINT64_C(1) << 40)

static uint64_t birth_of(const struct reply *reply)
{
    uint64_t birth = 0;
    const uint8_t *dash = reply->bytes.len ? memchr(reply->bytes.data, '-', reply->bytes.len) : NULL;
    bool read = dash && int_parse_u64(slice_of(reply->bytes.data, (size_t)(dash - reply->bytes.data)), &birth);
    return read ? birth : NEVER;
}

static bool has(const struct marks *marks, uint64_t number)
{
    for (size_t i = 0; i < marks_pairs(marks); i++) {
        uint32_t first, last;
        marks_pair(marks, i, &first, &last);
        if (number >= first && number <= last)
            return true;
    }
    return false;
}

/* Of a place that came to be later nothing can be told, nor of what it may have forgotten since, nor of a lane whose
 * marks a higher one's took the place of. */
static enum standing told(const struct standing_look *look, uint64_t since, const struct reply *fields, GError **error)
{
    const struct reply *birth = &fields->items[0], *field = &fields->items[1], *forgot = &fields->items[2];
    uint64_t forgot_at = 0;
    struct marks marks;
    bool whole = birth->type == REPLY_BYTES && fence_tick_of(birth_of(birth)) <= since;
    if (field->type != REPLY_BYTES) {
        bool forgotten =
            forgot->type == REPLY_BYTES && (!fence_tick_read(forgot->bytes, &forgot_at) || forgot_at > since);
        return whole && !forgotten ? STANDING_NO : STANDING_UNKNOWN;
    }
    if (!marks_read(field->bytes, &marks, error))
        return STANDING_UNKNOWN;
    if (marks.lane == look->lane && has(&marks, look->number))
        return STANDING_YES;
    bool above = marks.lane > look->lane || (marks.lane == look->lane && look->number <= marks.base);
    return whole && !above ? STANDING_NO : STANDING_UNKNOWN;
}

static bool stands_answer(void *self, size_t i, const struct reply *reply, GError **error)
{
    const struct standings *standings = self;
    size_t at = standings->asked[i];
    GError *failed = NULL;
    if (reply->type == REPLY_ERROR)
        return valkey_refused(reply, "reading a fence", error);
    if (!reply_is_array(reply, 3))
        return error_set(error, SLUICE_ERROR_STORE, "the server answers HMGET with something else");
    standings->io[at].ret = told(&standings->io[at], standings->where->since[standings->places[at]], reply, &failed);
    if (failed)
        g_propagate_error(error, failed);
    return !failed;
}

static bool place_each(struct session *session, const struct call *call, struct standings *standings, uint32_t *places,
                       size_t n, GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    const struct valkey_dataset *dataset;
    struct arena *mem = valkey_session_of(session)->mem;
    if (!valkey_records_of(session, call->ds, &dataset, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct slice key;
        arena_reset(mem);
        if (!key_template_to_server(dataset->template, standings->io[i].key, mem, &key, error))
            return false;
        places[i] = valkey_place_of(store, key);
    }
    return true;
}

enum { LOOK_ARGS = 5 };

/* What is asked of one place, and room for it. */
struct asking {
    struct command command;
    struct slice args[LOOK_ARGS];
    GString *key;
};

static void asking_init(struct asking *asking, const struct valkey_store *store, const struct fence_run *run,
                        uint32_t place, const char *field)
{
    asking->key = g_string_new(NULL);
    fence_key(store->fences, run, place, asking->key);
    asking->args[0] = slice_of_text("HMGET");
    asking->args[1] = slice_of(asking->key->str, asking->key->len);
    asking->args[2] = slice_of_text("b");
    asking->args[3] = slice_of_text(field);
    asking->args[4] = slice_of_text("x");
    asking->command = (struct command){
        .args = asking->args, .n_args = LOOK_ARGS, .slot = store->cluster ? (int32_t)place : 0, .repeatable = true};
}

static bool ask_places(struct session *session, const struct call *call, const struct standing_wish *wish,
                       struct standings *standings, size_t n, GError **error)
{
    struct valkey_store *store = valkey_store_of(session);
    uint64_t tick;
    struct fence_run *run = run_of(store, wish->fence.run, &tick);
    g_autofree struct asking *asking = g_new0(struct asking, n + 1);
    g_autofree struct command *commands = g_new(struct command, n + 1);
    char field[FIELD_BYTES];
    g_snprintf(field, sizeof field, "%u", wish->fence.part);
    for (size_t i = 0; i < n; i++) {
        asking_init(&asking[i], store, run, standings->places[standings->asked[i]], field);
        commands[i] = asking[i].command;
    }
    struct route_wish route = {.commands = commands, .n = n, .answer = stands_answer, .self = standings};
    bool ok = n == 0 || router_run(valkey_session_of(session)->router, call, &route, error);
    for (size_t i = 0; i < n; i++)
        g_string_free(asking[i].key, TRUE);
    return ok;
}

bool valkey_history_stands(struct session *session, const struct call *call, const struct standing_wish *wish,
                           GError **error)
{
    g_autofree struct history_where *lost = g_new(struct history_where, 1);
    g_autofree uint32_t *places = g_new(uint32_t, wish->n + 1);
    g_autofree size_t *asked = g_new(size_t, wish->n + 1);
    struct standings standings = {.io = wish->io, .where = lost, .places = places, .asked = asked};
    size_t n = 0;
    history_where(slice_of_text(wish->where), lost);
    if (!place_each(session, call, &standings, places, wish->n, error))
        return false;
    for (size_t i = 0; i < wish->n; i++) {
        wish->io[i].ret = STANDING_YES;
        if (lost->there[places[i]])
            asked[n++] = i;
    }
    return ask_places(session, call, wish, &standings, n, error);
}
