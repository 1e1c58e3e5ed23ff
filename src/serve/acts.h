/* Actions: internal to serve/. */
#pragma once

#include "serve/server.h"

/* One action, while it is done. */
struct act_call {
    struct request *request;
    struct desk *desk;
    const char *verb;
    struct run_row run;
    struct run_config config;
    struct person *own; /* whose token it is; NULL: it acts as the server's user */
    char *actor;
    GPtrArray *words; /* of the command that it equals, without `sluice` */
    atomic_int signals;
};
/* Of the body; NULL: not given. */
const char *act_text(const struct act_call *call, const char *name);
bool act_flag(const struct act_call *call, const char *name);
/* The command that it equals, for `sh`. */
json_t *act_command(const struct act_call *call);
/* By the server itself, not by what it calls: so the entry of the ledger is its own too. */
bool act_refuse(struct request *request, const char *why, GError **error);
/* What the body of an action may have, as a JSON Schema. */
json_t *act_schema(const struct route *route);
/* Answers what became of a wish. */
void act_wish(struct act_call *call, const struct run_row *run, bool taken);

/* Actions with files of their own. */
bool act_bundle(struct act_call *call, GError **error);

/* The command in a process of its own, which acts as who asks; answers once it is at work, or has come to its end. */
bool errand_send(struct act_call *call, GError **error);

/* What a key of idempotency asks for: `perform` is called once for it, and its answer kept. Without one, whenever it is
 * asked. It always answers. */
bool once(struct request *request, struct desk *desk, void (*perform)(struct request *, struct desk *), GError **error);
