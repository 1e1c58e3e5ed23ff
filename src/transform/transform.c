#include "transform/transform.h"

#include "record/text.h"

enum { NO_EXPRESSION = -1 };

struct transform {
    struct transform_config config;
    struct sandbox *sandbox;      /* NULL: neither transform nor `where` */
    struct contract_check *check; /* NULL: no contract */
    int where;                    /* NO_EXPRESSION: all */
    struct sandbox_context context;
    char *run, *spec;
};

struct transform_config transform_config_of(const struct recipe *recipe, const struct spec *spec, bool same_dataset)
{
    static const struct key_paths KEEP_KEY = {0};
    return (struct transform_config){
        .recipe = recipe,
        .key = same_dataset ? &KEEP_KEY : &spec->source.key,
        .unchanged = same_dataset && spec->source.key.n > 0 ? &spec->source.key : NULL,
        .where = spec->source.where,
        .range = &spec->source.range,
    };
}

static bool open_sandbox(struct transform *transform, GError **error)
{
    const struct transform_config *config = &transform->config;
    struct sandbox_config sandbox = {.world = recipe_world(config->recipe),
                                     .want_transform = recipe_has_transform(config->recipe)};
    sandbox.n_sources = recipe_sources(config->recipe, &sandbox.sources);
    transform->where = NO_EXPRESSION;
    if (!sandbox.n_sources && !config->where)
        return true;
    if (!sandbox_new(&transform->sandbox, &sandbox, error))
        return false;
    return !config->where ||
           sandbox_compile(transform->sandbox, TRANSFORM_WHERE, config->where, &transform->where, error);
}

static bool open_contract(struct transform *transform, GError **error)
{
    const struct contract *contract = recipe_contract(transform->config.recipe);
    return !contract || contract_check_new(&transform->check, contract, error);
}

bool transform_new(struct transform **ret, const struct transform_config *config, GError **error)
{
    auto_(transform) transform = g_new0(struct transform, 1);
    transform->config = *config;
    transform->run = g_strdup(config->run);
    transform->spec = g_strdup(config->spec);
    transform->context = (struct sandbox_context){
        .run = transform->run, .spec = transform->spec, .planned_at_ms = config->planned_at_ms};
    if (!open_sandbox(transform, error) || !open_contract(transform, error))
        return false;
    *ret = g_steal_pointer(&transform);
    return true;
}

void transform_free(struct transform *transform)
{
    if (!transform)
        return;
    sandbox_free(transform->sandbox);
    contract_check_free(transform->check);
    g_free(transform->run);
    g_free(transform->spec);
    g_free(transform);
}

/* --- one record: each step fails with an error of class RECORD, or with one that ends the run ----------------------
 */

struct job {
    struct transform *transform;
    struct slice key, document;
    struct arena *mem;
    struct transform_result *result;
};

static bool out_of_memory(GError **error)
{
    return error_set(error, SLUICE_ERROR_TOO_BIG, "what the transform gave does not fit into the memory of the batch");
}

static bool passes_where(struct job *job, bool *ret, GError **error)
{
    *ret = true;
    return job->transform->where == NO_EXPRESSION ||
           sandbox_evaluate(job->transform->sandbox, job->transform->where, job->document, ret, error);
}

static bool passes_range(struct job *job, bool *ret, GError **error)
{
    const struct spec_range *range = job->transform->config.range;
    struct version at = {0};
    *ret = true;
    if (!range || !range->field)
        return true;
    if (!version_of(range->field, job->document, &at, NULL) || at.kind == VERSION_INTEGER)
        return error_set(error, SLUICE_ERROR_BAD_RECORD,
                         "source.range: '%s' is no point in time; expected a datetime, or a text in RFC 3339 form with "
                         "its zone",
                         path_text(range->field));
    *ret = at.kind == VERSION_TIME && at.value >= range->from_us && at.value < range->to_us;
    return true;
}

/* The document as it came, as if a transform had given it back. */
static bool keep_document(struct job *job, struct sandbox_result *ret, GError **error)
{
    struct slice *one = arena_alloc(job->mem, sizeof *one);
    if (!one)
        return out_of_memory(error);
    *one = job->document;
    *ret = (struct sandbox_result){.verdict = SANDBOX_DOCUMENTS, .documents = one, .n = 1};
    return true;
}

static bool run_script(struct job *job, struct sandbox_result *ret, GError **error)
{
    struct sandbox_context context = job->transform->context;
    if (!recipe_has_transform(job->transform->config.recipe))
        return keep_document(job, ret, error);
    context.key = job->key;
    return sandbox_transform(job->transform->sandbox, job->document, &context, job->mem, ret, error);
}

static bool make_key(struct job *job, struct slice document, struct slice *ret, GError **error)
{
    const struct key_paths *paths = job->transform->config.key;
    if (paths->n)
        return key_make(paths, document, job->mem, ret, error);
    *ret = job->key;
    return true;
}

static bool check_unchanged(struct job *job, struct slice document, GError **error)
{
    const struct key_paths *paths = job->transform->config.unchanged;
    struct slice before, after;
    char was[TEXT_QUOTE], is[TEXT_QUOTE];
    if (!paths || paths->n == 0 || document.data == job->document.data)
        return true;
    if (!key_make(paths, job->document, job->mem, &before, NULL))
        return true; /* it never was the record's key */
    if (!key_make(paths, document, job->mem, &after, error))
        return error_add(error, "the key cannot be changed in place");
    if (slice_equal(before, after))
        return true;
    return error_set(error, SLUICE_ERROR_LUA,
                     "the transform changed the key from '%s' to '%s'; in place a record keeps its key",
                     text_quote(before, was), text_quote(after, is));
}

static bool want(struct job *job, struct slice document, struct wanted *ret, GError **error)
{
    struct contract_check *check = job->transform->check;
    if (check && !contract_apply(check, document, job->mem, &document, error))
        return false;
    ret->document = document;
    return make_key(job, document, &ret->key, error) && check_unchanged(job, document, error);
}

static int compare_keys(const void *one, const void *other)
{
    return slice_compare((*(const struct wanted *const *)one)->key, (*(const struct wanted *const *)other)->key);
}

/* Two outputs with one key would be one record, and which one would be chance. */
static bool check_keys_differ(struct job *job, GError **error)
{
    size_t n = job->result->n;
    char quote[TEXT_QUOTE];
    if (n < 2)
        return true;
    const struct wanted **sorted = arena_alloc(job->mem, n * sizeof(struct wanted *));
    if (!sorted)
        return out_of_memory(error);
    for (size_t i = 0; i < n; i++)
        sorted[i] = &job->result->wanted[i];
    qsort(sorted, n, sizeof *sorted, compare_keys);
    for (size_t i = 1; i < n; i++)
        if (slice_equal(sorted[i - 1]->key, sorted[i]->key))
            return error_set(error, SLUICE_ERROR_LUA, "the transform gave two documents for the key '%s'%s",
                             text_quote(sorted[i]->key, quote),
                             job->transform->config.key->n ? "" : "; where a record keeps its key there can be one");
    return true;
}

static bool make_room(struct job *job, size_t n, GError **error)
{
    job->result->wanted = arena_alloc0(job->mem, n * sizeof(struct wanted));
    job->result->n = n;
    return job->result->wanted || out_of_memory(error);
}

static bool take_documents(struct job *job, const struct sandbox_result *given, GError **error)
{
    job->result->verdict = TRANSFORM_WANTED;
    job->result->list = given->list;
    if (!make_room(job, given->n, error))
        return false;
    for (size_t i = 0; i < given->n; i++)
        if (!want(job, given->documents[i], &job->result->wanted[i], error))
            return given->n > 1 ? error_add(error, "document %zu of %zu", i + 1, given->n) : false;
    return check_keys_differ(job, error);
}

static bool take_delete(struct job *job, GError **error)
{
    job->result->verdict = TRANSFORM_DELETE;
    return make_room(job, 1, error) && make_key(job, job->document, &job->result->wanted[0].key, error);
}

static bool take_removal(struct job *job, GError **error)
{
    job->result->verdict = TRANSFORM_DELETE;
    if (!make_room(job, 1, error))
        return false;
    job->result->wanted[0].key = job->key;
    return true;
}

static bool take(struct job *job, const struct sandbox_result *given, GError **error)
{
    switch (given->verdict) {
    case SANDBOX_DOCUMENTS:
        return take_documents(job, given, error);
    case SANDBOX_FILTERED:
        job->result->verdict = TRANSFORM_FILTERED;
        return true;
    case SANDBOX_DELETE:
        return take_delete(job, error);
    case SANDBOX_REJECT:
        return error_set(error, SLUICE_ERROR_REJECTED, "%s", given->reason);
    }
    return error_set(error, SLUICE_ERROR_INTERNAL, "a verdict of the sandbox that is none");
}

static bool do_record(struct job *job, GError **error)
{
    struct sandbox_result given;
    bool passes;
    if (job->transform->config.removes)
        return take_removal(job, error);
    if (!passes_range(job, &passes, error) || (passes && !passes_where(job, &passes, error)))
        return false;
    job->result->verdict = TRANSFORM_FILTERED;
    return !passes || (run_script(job, &given, error) && take(job, &given, error));
}

/* The reason lives in the arena; where that is full the words of the code have to do. */
static struct fault_reason reason_of(const GError *error, struct arena *mem)
{
    enum error_code code = (enum error_code)error->code;
    const char *text = arena_text(mem, slice_of_text(error->message));
    return (struct fault_reason){.code = code, .text = text ? text : error_row(code)->words};
}

bool transform_record(struct transform *transform, struct slice key, struct slice document, struct arena *mem,
                      struct transform_result *ret, GError **error)
{
    struct transform_result result = {0};
    struct job job = {.transform = transform, .key = key, .document = document, .mem = mem, .result = &result};
    GError *fault = NULL;
    if (!do_record(&job, &fault)) {
        if (error_class(fault) != ERROR_RECORD) {
            g_propagate_error(error, fault);
            return false;
        }
        result = (struct transform_result){.verdict = TRANSFORM_REJECTED, .reason = reason_of(fault, mem)};
        g_error_free(fault);
    }
    *ret = result;
    return true;
}
