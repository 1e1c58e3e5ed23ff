/* What a request is answered: a status, a body, a few headers. */
#pragma once

#include <jansson.h>

#include "base/error.h"

struct answer {
    unsigned status;      /* 0: there is none yet */
    const char *type;     /* of the body */
    const char *encoding; /* in which the body stands already; NULL: as it is */
    GBytes *body;         /* NULL: empty */
    const char *allow;    /* of 405; NULL */
    char *cookie;         /* NULL */
    const char *download; /* the name of a file that the body is to become; NULL */
    unsigned retry_after_s;
    bool replayed; /* an idempotency key has been here before */
};
void answer_done(struct answer *answer);

/* 200 and the document; takes the value over. */
void answer_json(struct answer *answer, json_t *value);
void answer_json_status(struct answer *answer, unsigned status, json_t *value);
void answer_text(struct answer *answer, const char *text);

/* The status that an error has, by its code and the exit that a command would have ended with. */
unsigned answer_status_of(const GError *error);
unsigned answer_status_of_exit(int exit_status);
/* Takes the error over. */
void answer_error(struct answer *answer, GError *error);
/* One of HTTP's own: no error of ours. `name`: "usage", "unauthenticated" … */
struct answer_fault {
    unsigned status;
    int exit_status;
    const char *name, *message;
};
void answer_fault(struct answer *answer, const struct answer_fault *fault);
