/* One HTTP request, by libcurl, which has sockets, a resolver and a clock of its own: what is sent from here is
 * covered by the system tests, not by those that fake the world. Certificates are checked; no redirect is followed, for
 * what is signed is meant for one place. Proxies are those of the environment, as for every program. */
#pragma once

#include "base/world.h"

struct http_call {
    const char *url;            /* http or https */
    const char *const *headers; /* `Name: value`, ends with NULL */
    struct slice body;          /* of a POST or PUT */
    const char *type;           /* of the body; NULL: application/json */
    const char *ca;             /* a file of certificates in place of the system's; NULL: those */
    int64_t timeout_us;
    const atomic_bool *cancel; /* NULL: nobody cancels; noticed within a second */
    size_t keep_bytes;         /* of the answer, the beginning */
};

struct http_answer {
    long status;
    char *text;  /* the caller frees */
    size_t came; /* bytes of it, also those that were not kept */
};

/* Whether it is one: http or https, with a host. */
bool http_url_is(const char *url);

/* POSTs, PUTs or GETs. True: there was an answer, whatever its status. UNREACHABLE, TIMED_OUT, CANCELLED, NOT_PERMITTED
 * (a certificate); messages do not hold the URL, in which a secret may stand. */
bool http_post(const struct http_call *call, struct http_answer *ret, GError **error) must_use;
bool http_put(const struct http_call *call, struct http_answer *ret, GError **error) must_use;
bool http_get(const struct http_call *call, struct http_answer *ret, GError **error) must_use;

/* What stands in a URL behind `name=`; the caller frees. */
char *http_escape(const char *text);

/* Hex of HMAC-SHA256 of `TIMESTAMP.BODY`; the caller frees. */
char *http_sign(struct slice secret, const char *timestamp, struct slice body);
