#include "store/valkey/together.h"

#include "store/valkey/refusal.h"

/* Of batches: after one that met records, or a refusal. */
enum { RESTS = 16, RESTS_REFUSED = 256 };

enum { STANDS, BEFORE, SET, BEHIND, REMOVES };
static const size_t ARGS[TOGETHER_PARTS] = {[STANDS] = 4, [BEFORE] = 12, [SET] = 3, [BEHIND] = 7, [REMOVES] = 3};

bool together_may(struct session *base)
{
    const struct valkey_session *session = valkey_session_of(base);
    return session->may_together && session->has_together && session->rests_together == 0 &&
           !valkey_store_of(base)->cluster;
}

static bool loaded(void *self, size_t i, const struct reply *reply, GError **error)
{
    *(bool *)self = reply->type == REPLY_BYTES;
    return true;
}

void together_learn(struct session *base, const struct call *call)
{
    struct valkey_session *session = valkey_session_of(base);
    const struct slice args[] = {slice_of_text("SCRIPT"), slice_of_text("LOAD"), slice_of_text(script_together.text)};
    struct command command = {.args = args, .n_args = G_N_ELEMENTS(args), .repeatable = true};
    struct route_wish wish = {.commands = &command, .n = 1, .answer = loaded, .self = &session->has_together};
    g_autoptr(GError) failed = NULL;
    if (session->rests_together > 0)
        session->rests_together--;
    if (!session->may_together || session->has_together || session->rests_together > 0 ||
        valkey_store_of(base)->cluster)
        return;
    if (!router_run(session->router, call, &wish, &failed) || !session->has_together)
        session->rests_together = RESTS_REFUSED;
}

/* The fence's key is there whatever it was: where the script does not come to put it aside, nothing is set. */
void together_parts(const struct cas *cas, const struct volley *volley, struct command parts[TOGETHER_PARTS])
{
    const struct slice *args = &g_array_index(cas->args, struct slice, volley->first);
    for (size_t i = 0; i < TOGETHER_PARTS; i++) {
        size_t n = ARGS[i] + (i == SET ? 2 * volley->n : 0);
        parts[i] = (struct command){.args = args, .n_args = n};
        args += n;
    }
}

static bool is_integer(const struct reply *reply, int64_t integer)
{
    return reply->type == REPLY_INTEGER && reply->integer == integer;
}

/* What is refused as a whole has done nothing. */
enum together_answer together_answered(struct session *base, const struct reply *reply, struct slice *ret_epoch)
{
    struct valkey_session *session = valkey_session_of(base);
    session->rests_together = RESTS;
    if (!reply_is_array(reply, TOGETHER_PARTS)) {
        session->rests_together = RESTS_REFUSED;
        return TOGETHER_NOTHING;
    }
    const struct reply *before = &reply->items[BEFORE], *set = &reply->items[SET], *behind = &reply->items[BEHIND];
    if (is_integer(behind, 0)) {
        session->rests_together = 0;
        return TOGETHER_WRITTEN;
    }
    if (is_integer(set, 1))
        return TOGETHER_STRANGE;
    if (reply_is_error(before, "NOSCRIPT"))
        session->has_together = false;
    if (!reply_is_array(before, 2))
        return TOGETHER_NOTHING;
    *ret_epoch = before->items[1].bytes;
    return TOGETHER_FENCED;
}
