/* What a run promises to live requests, kept (docs/pace.md): as long as a process holds the run, all its requests to
 * the stores that have a probe (listings, reads, writes, verification, taking back) go at the pace that the promise
 * leaves. A thread a store probes it and turns the outer loop.
 *
 * The promise is the limits' (`sluice set RUN protect.live.p99=…` changes it, takes it off, puts it on). */
#pragma once

#include <jansson.h>

#include "guard/guards.h"
#include "pace/servers.h"
#include "run/limits.h"

struct govern;
struct paces; /* run/paces.h */

/* What one leaves of its servers to the next of the same process: their baselines, and what may be sent
 * (pace/servers.h: where servers or promise are others by then, or a minute has passed, it counts for nothing). One
 * thread at a time. */
struct govern_learned;
struct govern_learned *govern_learned_new(void);
void govern_learned_free(struct govern_learned *learned); /* NULL: nothing */
AUTO_DEFINE(govern_learned, govern_learned_free)

/* As what others who pace themselves on the same servers know it, in whatever home: with them it shares what the
 * servers have to spare (pace/beacons.h). */
struct govern_self {
    const char *what;               /* the run, or what else it is */
    const char *home;               /* NULL: of none */
    struct govern_learned *learned; /* taken when it begins, and left when it ends; NULL: it begins with nothing */
};

/* Nothing where no store of the plan has a probe: then *ret is NULL. Where something is promised, requests wait from
 * here on until there is a baseline. `limits` outlives it. */
bool govern_begin(struct govern **ret, const struct world *world, const struct plan *plan, struct limits *limits,
                  const struct govern_self *self, GError **error);
/* The same of one store, for what is no run's; refused (USAGE) where it has no probe. */
bool govern_begin_store(struct govern **ret, const struct world *world, struct store *store, struct limits *limits,
                        const struct govern_self *self, GError **error);
void govern_end(struct govern *govern); /* nobody may be within a call to its stores; NULL: nothing */
AUTO_DEFINE(govern, govern_end)

/* Whether requests wait for their pace at present. */
bool govern_paces(struct govern *govern);
/* What was told of its pace, by whoever watches the run, one after the other: what changes between two of them is told
 * by the second. */
struct paces *govern_told(struct govern *govern);
/* Whether it has gone on from what was learnt before, on any of its stores. */
bool govern_went_on(struct govern *govern);
/* What the guards are told of it: `probe`, a server that has not answered its probe, or refuses it, cannot be read; and
 * `live.p99`, which is beyond its limit where it stays above its promise although hardly anything is sent. Both are
 * gone where nothing is promised. `hold_us`: of all guards. */
#define GOVERN_PROBE "probe"
#define GOVERN_LIVE  "live.p99"
void govern_feed(struct govern *govern, struct guards *guards, int64_t hold_us);
/* Which run of a higher priority is at work on its servers, of whatever home, in words; NULL: none that paces itself.
 * The caller frees. */
char *govern_first(struct govern *govern, uint32_t priority);
enum { GOVERN_TOLD = 64 };
/* Servers as they are paced now, those first that hold the run back most, so many at most, as JSON for status: NULL
 * where nothing is paced. The caller frees. */
char *govern_json(struct govern *govern);
/* What the JSON says in short, of the server that holds back most; false: nothing is held back by it. */
struct govern_words {
    const char *limited_by; /* static */
    char server[64];
    double window, per_s; /* 0: it does not say */
    char text[512];
};
bool govern_words(const char *json, struct govern_words *ret);
bool govern_words_of(const json_t *server, struct govern_words *ret); /* of one of the servers in it */
