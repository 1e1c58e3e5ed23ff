/* Replies that are errors: the table of what is done about them (reply_rows.h). Pure. */
#pragma once

#include "store/valkey/resp.h"
#include "store/valkey/uri.h"

enum refusal_action {
    REFUSAL_CALLER,
    REFUSAL_THERE,
    REFUSAL_ASK,
    REFUSAL_HERE,
    REFUSAL_REFRESH,
    REFUSAL_SLOW,
    REFUSAL_PAUSE,
    REFUSAL_LOAD,
    REFUSAL_STOP,
};

struct refusal {
    const char *word;
    enum refusal_action action;
    enum error_code code;
    const char *words;
};

/* The row of a reply; NULL: it is no error, or has none. */
const struct refusal *refusal_of(const struct reply *reply);
const struct refusal *refusal_lost(void);

/* Where `MOVED 3999 host:port` and `ASK …` lead: host and port; without a host to the one that was asked. The host
 * borrows from `mem`. false: it does not say so. */
bool refusal_place(const struct reply *reply, const struct valkey_host *asked, struct arena *mem,
                   struct valkey_host *ret);

/* The error for a reply that nobody gets over: `what` at the server answered so and so; with the words of its row.
 * STORE where it has none. Returns false. */
bool refusal_set(const struct reply *reply, const struct valkey_host *at, const char *what, GError **error);
