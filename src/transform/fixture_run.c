/* Fixtures through the transform, and what differs. */
#include "transform/fixture.h"

#define BENCH_BYTES (256u << 20)

struct fixture_bench {
    const struct recipe *recipe;
    const struct spec *spec;
    char *run;
    struct arena *mem;
    GArray *changes; /* of struct diff_change */
};

struct fixture_bench *fixture_bench_new(const struct recipe *recipe, const struct spec *spec)
{
    struct fixture_bench *bench = g_new0(struct fixture_bench, 1);
    bench->recipe = recipe;
    bench->spec = spec;
    bench->run = g_strconcat(spec->name, FIXTURE_RUN_SUFFIX, NULL);
    bench->mem = arena_new(BENCH_BYTES);
    bench->changes = g_array_new(FALSE, TRUE, sizeof(struct diff_change));
    return bench;
}

void fixture_bench_free(struct fixture_bench *bench)
{
    if (!bench)
        return;
    g_free(bench->run);
    arena_free(bench->mem);
    g_array_unref(bench->changes);
    g_free(bench);
}

static bool no_room(GError **error)
{
    return error_set(error, SLUICE_ERROR_FIXTURES, "what comes of it does not fit into memory");
}

/* The key that a source without keys of its own would give it. */
static struct slice key_of(struct fixture_bench *bench, const struct fixture *fixture)
{
    struct slice key = SLICE_EMPTY;
    if (fixture->has_key)
        return fixture->key;
    if (bench->spec->source.key.n)
        key_make(&bench->spec->source.key, fixture->document, bench->mem, &key, NULL);
    return key;
}

static bool call(struct fixture_bench *bench, const struct fixture *fixture, struct transform_result *ret,
                 GError **error)
{
    const struct spec *spec = bench->spec;
    bool same = g_strcmp0(spec->source.store, spec->target.store) == 0 &&
                g_strcmp0(spec->source.dataset, spec->target.dataset) == 0;
    struct transform_config config = transform_config_of(bench->recipe, spec, same);
    auto_(transform) transform = NULL;
    config.run = fixture->run ? fixture->run : bench->run;
    config.spec = fixture->spec ? fixture->spec : spec->name;
    config.planned_at_ms = fixture->has_planned_at ? fixture->planned_at_ms : FIXTURE_PLANNED_AT_MS;
    return transform_new(&transform, &config, error) &&
           transform_record(transform, key_of(bench, fixture), fixture->document, bench->mem, ret, error);
}

/* As JSON reads what JSON shows of it: in that form both sides are compared. */
static bool as_json(struct fixture_bench *bench, struct slice document, struct slice *ret, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    return document_to_json(document, text, error) &&
           document_from_json(slice_of(text->str, text->len), bench->mem, ret, NULL, error);
}

static bool take_documents(struct fixture_bench *bench, const struct transform_result *came,
                           struct fixture_result *result, GError **error)
{
    struct slice *out = arena_alloc0(bench->mem, (came->n + 1) * sizeof *out);
    if (!out)
        return no_room(error);
    for (size_t i = 0; i < came->n; i++)
        if (!as_json(bench, came->wanted[i].document, &out[i], error))
            return false;
    result->out = out;
    result->n_out = came->n;
    result->list = came->list;
    return true;
}

/* --- what differs --------------------------------------------------------------------------------------------------
 */

static const char *keep(struct fixture_bench *bench, char *text)
{
    const char *kept = arena_text(bench->mem, slice_of_text(text));
    g_free(text);
    return kept ? kept : "something else came";
}

/* Of one document of a list the paths begin with its place. */
static bool compare_document(struct fixture_bench *bench, const struct fixture *fixture,
                             const struct fixture_result *result, size_t i, GError **error)
{
    guint before = bench->changes->len;
    if (!diff_documents(fixture->out[i], result->out[i], bench->mem, bench->changes, error))
        return false;
    for (guint j = before; j < bench->changes->len && result->list; j++) {
        struct diff_change *change = &g_array_index(bench->changes, struct diff_change, j);
        change->path = keep(bench, g_strdup_printf("%zu.%s", i, change->path));
    }
    return true;
}

static bool compare_documents(struct fixture_bench *bench, const struct fixture *fixture, struct fixture_result *result,
                              GError **error)
{
    if (fixture->list != result->list || fixture->n_out != result->n_out) {
        g_autofree char *wanted = fixture_expects(fixture), *came = fixture_came(result);
        result->why = keep(bench, g_strdup_printf("expected %s, came %s", wanted, came));
        return true;
    }
    for (size_t i = 0; i < fixture->n_out; i++)
        if (!compare_document(bench, fixture, result, i, error))
            return false;
    return true;
}

static bool reason_fits(const struct fixture *fixture, const struct fixture_result *result)
{
    return strstr(result->reason.text, fixture->reason) &&
           (!fixture->error || strcmp(fixture->error, error_row(result->reason.code)->name) == 0);
}

static bool compare(struct fixture_bench *bench, const struct fixture *fixture, struct fixture_result *result,
                    GError **error)
{
    bool alike = fixture->verdict == result->verdict;
    if (alike && result->verdict == TRANSFORM_WANTED && !compare_documents(bench, fixture, result, error))
        return false;
    if (!alike || (result->verdict == TRANSFORM_REJECTED && !reason_fits(fixture, result))) {
        g_autofree char *wanted = fixture_expects(fixture), *came = fixture_came(result);
        result->why = keep(bench, g_strdup_printf("expected %s, came %s", wanted, came));
    }
    result->passed = !result->why && bench->changes->len == 0;
    return true;
}

bool fixture_run(struct fixture_bench *bench, const struct fixture *fixture, struct fixture_result *ret, GError **error)
{
    struct transform_result came;
    struct fixture_result result = {.changes = bench->changes};
    arena_reset(bench->mem);
    g_array_set_size(bench->changes, 0);
    if (!call(bench, fixture, &came, error))
        return false;
    result.verdict = came.verdict;
    result.reason = came.reason;
    if ((came.verdict == TRANSFORM_WANTED && !take_documents(bench, &came, &result, error)) ||
        !compare(bench, fixture, &result, error))
        return false;
    *ret = result;
    return true;
}

/* --- in words ------------------------------------------------------------------------------------------------------
 */

static char *documents_words(size_t n, bool list)
{
    return list ? g_strdup_printf("a list of %zu document%s", n, n == 1 ? "" : "s") : g_strdup("a document");
}

static char *refusal_words(const char *error, const char *reason)
{
    return g_strdup_printf("rejected%s%s: %s", error ? " with " : "", error ? error : "",
                           *reason ? reason : "(any reason)");
}

char *fixture_expects(const struct fixture *fixture)
{
    switch (fixture->verdict) {
    case TRANSFORM_WANTED:
        return documents_words(fixture->n_out, fixture->list);
    case TRANSFORM_REJECTED:
        return refusal_words(fixture->error, fixture->reason);
    case TRANSFORM_FILTERED:
        return g_strdup("filtered");
    case TRANSFORM_DELETE:
        break;
    }
    return g_strdup("deleted");
}

char *fixture_came(const struct fixture_result *result)
{
    struct fixture same = {.verdict = result->verdict,
                           .n_out = result->n_out,
                           .list = result->list,
                           .reason = result->reason.text,
                           .error = error_row(result->reason.code)->name};
    return fixture_expects(&same);
}

/* --- all of them ---------------------------------------------------------------------------------------------------
 */

static char *first_difference(const struct fixture_result *result)
{
    if (result->why)
        return g_strdup(result->why);
    const struct diff_change *change = &g_array_index(result->changes, struct diff_change, 0);
    return g_strdup_printf("%s: expected %s, came %s", change->path, change->before ? change->before : "nothing",
                           change->after ? change->after : "nothing");
}

static bool fails(const struct fixtures *fixtures, const struct fixture *fixture, const struct fixture_result *result,
                  GError **error)
{
    g_autofree char *first = first_difference(result);
    return error_set(error, SLUICE_ERROR_FIXTURES,
                     "%s:%" G_GUINT64_FORMAT ": the fixture%s%s%s fails: %s; `sluice test` shows all that fail",
                     fixtures->path, fixture->line, fixture->name ? " '" : "", fixture->name ? fixture->name : "",
                     fixture->name ? "'" : "", first);
}

bool fixtures_check(const struct fixtures *fixtures, const struct recipe *recipe, const struct spec *spec,
                    GError **error)
{
    auto_(fixture_bench) bench = fixture_bench_new(recipe, spec);
    struct fixture_result result;
    for (size_t i = 0; i < fixtures->n; i++) {
        const struct fixture *fixture = &fixtures->fixtures[i];
        if (!fixture_run(bench, fixture, &result, error))
            return error_add(error, "%s:%" G_GUINT64_FORMAT, fixtures->path, fixture->line);
        if (!result.passed)
            return fails(fixtures, fixture, &result, error);
    }
    return true;
}
