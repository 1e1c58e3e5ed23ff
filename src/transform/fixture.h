/* Fixtures: records, and what transform and contract have to make of each: the file that `transform.tests` names.
 * docs/fixtures.md is the user's page.
 *
 * A fixture goes the way of a run's record: transform_record() over the very recipe, in a fresh sandbox, so that none
 * depends on those before it. Documents are compared as JSON shows them. */
#pragma once

#include "record/diff.h"
#include "transform/transform.h"

#define FIXTURE_RUN_SUFFIX    ".1"
#define FIXTURE_PLANNED_AT_MS INT64_C(946684800000) /* 2000-01-01: the same on every day */

struct fixture {
    uint64_t line;         /* from 1; 0: it stands in no file */
    struct slice text;     /* the line as it stands there */
    const char *name;      /* NULL: it has none */
    struct slice document; /* `in`, with its types */
    bool has_key, has_planned_at;
    struct slice key;
    const char *run, *spec; /* NULL: the defaults */
    int64_t planned_at_ms;
    enum transform_verdict verdict; /* what is expected … */
    const struct slice *out;        /* WANTED */
    size_t n_out;
    bool list;          /* WANTED: `out` is a list */
    const char *reason; /* REJECTED: a part of the reason */
    const char *error;  /* REJECTED: the name of the error; NULL: any */
};

struct fixtures {
    struct arena *mem; /* owns it all */
    const char *path;
    struct slice text; /* of the file */
    struct fixture *fixtures;
    size_t n;
};

/* All that is wrong in the file is said at once: FIXTURES, file:line:column. A file that is not there is NOT_FOUND. */
bool fixtures_read(struct fixtures **ret, const struct world *world, const char *path, GError **error);
void fixtures_free(struct fixtures *fixtures);
AUTO_DEFINE(fixtures, fixtures_free)

/* What came of it; all in the bench's memory, until the next one is run. */
struct fixture_result {
    bool passed;
    enum transform_verdict verdict;
    const struct slice *out; /* WANTED: as JSON reads them */
    size_t n_out;
    bool list;
    struct fault_reason reason; /* REJECTED */
    const char *why;            /* NULL: passed, or the changes say it */
    GArray *changes;            /* of struct diff_change: before is what was expected, after what came */
};

struct fixture_bench;
/* Recipe and spec must outlive it. */
struct fixture_bench *fixture_bench_new(const struct recipe *recipe, const struct spec *spec);
void fixture_bench_free(struct fixture_bench *bench);
AUTO_DEFINE(fixture_bench, fixture_bench_free)

/* false only for what would end a run: a limit that is passed. */
bool fixture_run(struct fixture_bench *bench, const struct fixture *fixture, struct fixture_result *ret,
                 GError **error);
/* What is expected and what came, in a word or a few. The caller frees. */
char *fixture_expects(const struct fixture *fixture);
char *fixture_came(const struct fixture_result *result);

/* Runs all of them. The first that fails is FIXTURES, with file:line and the first of what differs. */
bool fixtures_check(const struct fixtures *fixtures, const struct recipe *recipe, const struct spec *spec,
                    GError **error);

/* The line (without newline) of a fixture that expects what came: what `--update` and `try -o` write. */
bool fixture_put(GString *into, const struct fixture *fixture, const struct fixture_result *result, GError **error);

/* --- rows: for explain, schema, docs ------------------------------------------------------------------------------ */

const struct spec_row *fixture_rows(size_t *ret_n);
char *fixture_schema_json(void); /* JSON Schema of a fixture; the caller frees */
