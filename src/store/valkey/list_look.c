#include "base/int.h"
#include "store/valkey/info.h"
#include "store/valkey/link.h"
#include "store/valkey/list_parts.h"
#include "store/valkey/refusal.h"

enum { FRAME = 2 };            /* INFO and CLUSTER NODES, in front of the questions */
enum { DEAR = 16, CHEAP = 4 }; /* so many questions are commands each; of more, about small slots, so many are one */

static void take_info(struct claim *claim, const struct reply *reply)
{
    struct node_state state;
    link_state(reply->bytes, &state);
    memcpy(claim->run_id, state.run_id, sizeof claim->run_id);
    memcpy(claim->replid, state.replid, sizeof claim->replid);
}

/* --- a moment ----------------------------------------------------------------------------------------------------- */

void list_moment_init(struct list_moment *moment, const struct valkey_host *at)
{
    *moment = (struct list_moment){.at = at,
                                   .questions = g_array_new(FALSE, FALSE, sizeof(struct command)),
                                   .about = g_array_new(FALSE, FALSE, sizeof(size_t))};
    claim_init(&moment->claim);
}

void list_moment_done(struct list_moment *moment)
{
    claim_done(&moment->claim);
    g_clear_pointer(&moment->questions, g_array_unref);
    g_clear_pointer(&moment->about, g_array_unref);
    *moment = (struct list_moment){.at = NULL};
}

void list_moment_reset(struct list_moment *moment)
{
    const struct valkey_host *at = moment->at;
    list_moment_done(moment);
    list_moment_init(moment, at);
}

size_t list_question(struct list *list, uint32_t slot, bool keys, uint64_t most, struct slice args[4])
{
    args[0] = slice_of_text("CLUSTER");
    args[1] = slice_of_text(keys ? "GETKEYSINSLOT" : "COUNTKEYSINSLOT");
    args[2] = list_number(list, slot);
    args[3] = list_number(list, most);
    return keys ? 4 : 3;
}

bool list_moment_put(struct list *list, struct list_moment *moment, size_t about, const struct slice *args, size_t n,
                     GError **error)
{
    struct slice copy;
    if (!arena_copy(list->mem, slice_of(args, n * sizeof *args), &copy))
        return error_set(error, SLUICE_ERROR_INTERNAL, "listing keys: too many questions at once");
    struct command command = {.args = (const struct slice *)(const void *)copy.data, .n_args = n};
    g_array_append_val(moment->questions, command);
    g_array_append_val(moment->about, about);
    return true;
}

/* `cmdstat_NAME:calls=N,…`; a command that nobody called has no line. */
static uint64_t calls_of(struct slice info, const char *line)
{
    struct slice text;
    uint64_t calls;
    size_t head = strlen("calls=");
    if (!info_text(info, line, &text) || text.len <= head)
        return 0;
    const uint8_t *from = text.data + head, *end = memchr(from, ',', text.len - head);
    return end && int_parse_u64(slice_of(from, (size_t)(end - from)), &calls) ? calls : 0;
}

static bool take_frame(struct list_moment *moment, const struct reply *frame, GError **error)
{
    for (size_t i = 0; i < FRAME; i++) {
        if (frame[i].type == REPLY_ERROR)
            return refusal_set(&frame[i], moment->at, i == 0 ? "INFO" : "CLUSTER NODES", error);
    }
    take_info(&moment->claim, &frame[0]);
    moment->arrived = calls_of(frame[0].bytes, "cmdstat_restore-asking") + calls_of(frame[0].bytes, "cmdstat_restore");
    return claim_read(&moment->claim, frame[1].bytes, error);
}

static bool take_moment(void *self, size_t i, const struct reply *reply, GError **error)
{
    const struct list_moments *of = self;
    struct list_moment *moment = &of->moments[i];
    size_t n = moment->about->len;
    if (!reply_is_array(reply, FRAME + n))
        return refusal_set(reply, moment->at, "EXEC", error);
    bool good = take_frame(moment, reply->items, error);
    for (size_t k = 0; good && k < n; k++)
        good = of->answer(of->self, i, g_array_index(moment->about, size_t, k), &reply->items[FRAME + k], error);
    return good;
}

/* As the server feels it: MULTI and EXEC around it. */
static uint32_t weight_of(size_t questions)
{
    size_t of_questions = questions <= DEAR ? questions : MAX(DEAR, questions / CHEAP);
    return 1 + FRAME + (uint32_t)of_questions;
}

bool list_ask(const struct list_moments *of, GError **error)
{
    static const struct slice exec = {.data = (const uint8_t *)"EXEC", .len = 4};
    struct slice info[] = {LINK_LOOK[0], LINK_LOOK[1], LINK_LOOK[2], LINK_LOOK[3], slice_of_text("commandstats")};
    size_t n_info = G_N_ELEMENTS(info) - !of->arrivals;
    struct slice nodes[] = {slice_of_text("CLUSTER"), slice_of_text("NODES")};
    const struct command frame[FRAME] = {{.args = info, .n_args = n_info},
                                         {.args = nodes, .n_args = G_N_ELEMENTS(nodes)}};
    g_autofree struct command *commands = g_new0(struct command, of->n);
    for (size_t i = 0; i < of->n; i++) {
        struct list_moment *moment = &of->moments[i];
        g_array_prepend_vals(moment->questions, frame, FRAME);
        commands[i] = (struct command){
            .args = &exec,
            .n_args = 1,
            .slot = -1,
            .at = moment->at,
            .repeatable = true,
            .parts = (const struct command *)(const void *)moment->questions->data,
            .n_parts = moment->questions->len,
            .weight = weight_of(moment->about->len),
        };
    }
    struct route_wish wish = {.commands = commands, .n = of->n, .answer = take_moment, .self = (void *)(uintptr_t)of};
    return router_run(of->list->router, of->call, &wish, error);
}

const struct valkey_host *list_target(const struct topology *topology, const struct claim_move *move)
{
    for (size_t i = 0; move && i < topology->n; i++) {
        if (g_str_equal(topology->nodes[i].id, move->to))
            return &topology->nodes[i].at;
    }
    return NULL;
}
