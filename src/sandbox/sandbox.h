/* Lua 5.4 in a sandbox: what transforms, rules and `where` expressions run in.
 *
 * No clock, randomness, io, os, debug, load, collectgarbage, __gc; no address is ever printed; `pairs` goes in sorted
 * order; globals are frozen after loading (assigning one is an error with its line). Limits on instructions, bytes
 * produced and memory hold inside string functions too (patterns run in a matcher of our own with a step budget) and
 * end the state, not the call: no pcall can swallow them. The same source, record and contract give the same bytes on
 * every machine.
 *
 * What scripts see: `doc` (copy-on-write view of a document: fields not assigned are kept byte for byte), `null` (not
 * nil), lists, exact decimals and datetimes with arithmetic and comparison. docs/transforms.md is the user's page.
 *
 * A struct sandbox belongs to one thread. A fresh one is made for every partition. */
#pragma once

#include "base/arena.h"
#include "base/world.h"
#include "record/document.h"

struct sandbox;

/* 0 stands for the default. A large document is allowed more: each of its bytes adds so much to a limit. */
enum { SANDBOX_INSTRUCTIONS_PER_BYTE = 4, SANDBOX_MEMORY_PER_BYTE = 4, SANDBOX_PRODUCED_PER_BYTE = 8 };

struct sandbox_limits {
    uint64_t instructions; /* per call; default 10 000 000 */
    size_t memory_bytes;   /* of the whole state; default 64 MiB */
    size_t produced_bytes; /* of texts above 40 bytes and documents made per call; default 32 MiB */
    uint64_t time_ms;      /* per call, far beyond what the others allow to honest scripts; default 10 000 */
};

/* Sources are read by the caller (their digests are in the plan) and handed in, in loading order: libs, then the
 * script. */
struct sandbox_source {
    const char *name; /* for messages: the path as the user wrote it */
    struct slice text;
};

/* Errors of class TRANSFORM (exit 2) with file:line: does not compile, throws while loading, no `transform` function
 * (where want_transform is set). */
struct sandbox_config {
    struct sandbox_limits limits;
    const struct world *world; /* for time_ms; NULL: time is not watched. Scripts never see it. */
    const struct sandbox_source *sources;
    size_t n_sources;
    bool want_transform;
};

bool sandbox_new(struct sandbox **ret, const struct sandbox_config *config, GError **error);
void sandbox_free(struct sandbox *sandbox);
AUTO_DEFINE(sandbox, sandbox_free)

enum sandbox_verdict {
    SANDBOX_DOCUMENTS, /* n ≥ 1 documents */
    SANDBOX_FILTERED,  /* nothing was given back */
    SANDBOX_DELETE,    /* ctx.delete() */
    SANDBOX_REJECT,    /* ctx.reject(reason) */
};

struct sandbox_result {
    enum sandbox_verdict verdict;
    struct slice *documents; /* in the arena; a document not changed is the very slice that came in */
    size_t n;
    bool list;          /* a list was given back (1→n), even of one */
    const char *reason; /* REJECT */
};

/* What `ctx` tells besides delete and reject; all from the plan or the record, so that a redone call sees the same. */
struct sandbox_context {
    const char *run, *spec;
    struct slice key;
    int64_t planned_at_ms; /* ctx.planned_at, a datetime */
};

/* One call of transform(doc, ctx). A document that is given back as it came costs one object of Lua's of some 150 bytes
 * and a slice in the arena; nothing is copied, opened or encoded. Fails with LUA (class record: the script threw on
 * this record: message has file:line) or TRANSFORM (class fatal: a limit was passed; the sandbox is dead and only
 * sandbox_free() may follow). */
bool sandbox_transform(struct sandbox *sandbox, struct slice document, const struct sandbox_context *context,
                       struct arena *mem, struct sandbox_result *ret, GError **error);

/* Expressions (`where`, contract rules): compiled once, evaluated with `doc` set; truthiness of the result (null is
 * true). `doc` cannot be changed there. Errors begin with `name:line: ` and are TRANSFORM where the expression is no
 * Lua, else as those of sandbox_transform(). */
bool sandbox_compile(struct sandbox *sandbox, const char *name, const char *expression, int *ret_id, GError **error);
bool sandbox_evaluate(struct sandbox *sandbox, int id, struct slice document, bool *ret, GError **error);
