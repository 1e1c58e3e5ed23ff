/* What `protect` says of guards: limits, signals of the user's own, a switch. */
#include <math.h>

#include "spec/guard.h"
#include "spec/schema_forms.h"
#include "spec/spec_rows.h"

/* `none` is written alike for all. */
static bool read_limit(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node, void *into)
{
    enum spec_guard guard = guard_find(row->key);
    const struct guard_row *of = guard_row(guard);
    const char *text = forms_quantity(reader, node, guard_limit_expected(of->unit));
    if (!text)
        return false;
    if (!guard_limit_read(of->unit, of->below, text, row_field(row, into)))
        return yaml_expected(reader->yaml, node, guard_limit_expected(of->unit));
    const char *why = guard_limit_senseless(guard, *(const double *)row_field(row, into));
    return !why || yaml_fail(reader->yaml, node, "'%s: %s': %s", of->key, text, why);
}

static bool read_number(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                        void *into)
{
    const char *expected = guard_limit_expected(GUARD_UNIT_NUMBER);
    const char *text = forms_quantity(reader, node, expected);
    if (!text)
        return false;
    return guard_limit_read(GUARD_UNIT_NUMBER, false, text, row_field(row, into)) ||
           yaml_expected(reader->yaml, node, expected);
}

/* --- signals of the user's own ------------------------------------------------------------------------------------ */

/* Which keys of a map are there, of some that exclude each other. */
static size_t count_of(const struct yaml_node *node, const char *const *keys, const struct yaml_node **ret_last)
{
    size_t n = 0;
    for (; *keys; keys++) {
        const struct yaml_node *one = yaml_find(node, *keys);
        n += one != NULL;
        *ret_last = one ? one : *ret_last;
    }
    return n;
}

static bool check_kind(struct rows_reader *reader, const struct yaml_node *node)
{
    static const char *const KINDS[] = {"prometheus", "url", "run", NULL};
    const struct yaml_node *last = node;
    const struct yaml_node *query = yaml_find(node, "query"), *prometheus = yaml_find(node, "prometheus");
    size_t n = count_of(node, KINDS, &last);
    if (n != 1)
        return yaml_fail(reader->yaml, last, "a signal needs one of 'prometheus', 'url' and 'run', and only one");
    if (prometheus && !query)
        return yaml_fail(reader->yaml, prometheus, "a signal of 'prometheus' needs a 'query' that it is asked");
    if (query && !prometheus)
        return yaml_fail(reader->yaml, query, "'query' is what a signal of 'prometheus' is asked");
    const struct yaml_node *token = yaml_find(node, "token"), *ca = yaml_find(node, "ca");
    if (yaml_find(node, "run") && (token || ca))
        return yaml_fail(reader->yaml, token ? token : ca, "'%s' is for a signal with an address",
                         token ? "token" : "ca");
    return true;
}

static bool check_limit(struct rows_reader *reader, const struct yaml_node *node, struct spec_signal *io)
{
    static const char *const LIMITS[] = {"above", "below", NULL};
    const struct yaml_node *last = node, *slow = yaml_find(node, "slow");
    if (count_of(node, LIMITS, &last) != 1)
        return yaml_fail(reader->yaml, last, "a signal needs a limit: 'above' or 'below', and only one");
    io->below = yaml_find(node, "below") != NULL;
    if (!slow)
        io->slow = io->limit;
    bool within = io->below ? io->slow >= io->limit : io->slow <= io->limit;
    return within || yaml_fail(reader->yaml, slow, "'slow: %s' lies beyond the limit '%s' on %s: it would never count",
                               slow->text, last->text, yaml_place(reader->yaml, last));
}

static bool is_own(const char *name)
{
    static const char *const OTHERS[] = {"enabled", "stop-all", "skew", "probe", "live.p99", "budget.burn", "priority"};
    bool own = guard_find(name) != GUARD_COUNT;
    for (size_t i = 0; i < G_N_ELEMENTS(OTHERS); i++)
        own |= strcmp(name, OTHERS[i]) == 0;
    return own;
}

static bool check_name(struct rows_reader *reader, const struct yaml_node *list, const struct spec *spec, size_t i)
{
    const char *name = spec->protect.signals[i].name;
    if (!name)
        return false;
    if (is_own(name))
        return yaml_fail(reader->yaml, list->items[i], "the name '%s' is that of a guard of sluice's own", name);
    for (size_t k = 0; k < i; k++)
        if (g_strcmp0(name, spec->protect.signals[k].name) == 0)
            return yaml_fail(reader->yaml, list->items[i], "a signal '%s' was there already, on %s", name,
                             yaml_place(reader->yaml, list->items[k]));
    return true;
}

static bool read_signals(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                         void *into)
{
    struct spec *spec = into;
    if (node->kind != YAML_LIST || node->n == 0)
        return yaml_expected(reader->yaml, node,
                             "a list of signals such as [{ name: queue, run: ./queue-depth.sh, above: 100 }]");
    if (node->n > SPEC_SIGNALS_MOST)
        return yaml_fail(reader->yaml, node, "more than %u signals", SPEC_SIGNALS_MOST);
    struct spec_signal *signals = arena_alloc0(reader->mem, node->n * sizeof *signals);
    g_assert(signals);
    spec->protect.signals = signals;
    spec->protect.n_signals = node->n;
    bool ok = true;
    for (size_t i = 0; i < node->n; i++)
        ok &= rows_read_map(reader, "protect.signals[]", node->items[i], &signals[i]) &&
              check_kind(reader, node->items[i]) && check_limit(reader, node->items[i], &signals[i]) &&
              check_name(reader, node, spec, i);
    return ok;
}

/* --- a switch ----------------------------------------------------------------------------------------------------- */

static bool read_switch(struct rows_reader *reader, const struct spec_row *row, const struct yaml_node *node,
                        void *into)
{
    static const char *const KINDS[] = {"file", "key", "url", NULL};
    const struct yaml_node *last = node, *dataset, *token, *ca;
    if (!rows_read_map(reader, row->key, node, row_field(row, into)))
        return false;
    if (count_of(node, KINDS, &last) != 1)
        return yaml_fail(reader->yaml, last, "a switch is a file, a key or an address: one of 'file', 'key' and 'url'");
    dataset = yaml_find(node, "dataset");
    token = yaml_find(node, "token");
    ca = yaml_find(node, "ca");
    if (dataset && !yaml_find(node, "key"))
        return yaml_fail(reader->yaml, dataset, "'dataset' is for a switch with a key");
    if ((token || ca) && !yaml_find(node, "url"))
        return yaml_fail(reader->yaml, token ? token : ca, "'%s' is for a switch with an address",
                         token ? "token" : "ca");
    return true;
}

#define OR_NONE(schema) "{\"anyOf\": [" schema ", {\"const\": \"none\"}]}"
#define SCHEMA_ANY_BYTES                                                                                               \
    "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0}, " SCHEMA_PATTERN(SCHEMA_NUMBER                              \
                                                                            "(B|[kKMGTP]B|[KMGTP]iB)?") "]}"
#define SCHEMA_ANY_COUNT "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0}, " SCHEMA_PATTERN("[0-9]+") "]}"
#define SCHEMA_ANY_RATE  SCHEMA_PATTERN(SCHEMA_NUMBER "/(s|m|h|d)")
#define SCHEMA_ANY_TIMES                                                                                               \
    "{\"anyOf\": [{\"type\": \"number\", \"exclusiveMinimum\": 0}, " SCHEMA_PATTERN(                                   \
        SCHEMA_ABOVE_ZERO "([0-9]+[.]?[0-9]*|[.][0-9]+)") "]}"
#define SCHEMA_ANY_NUMBER                                                                                              \
    "{\"anyOf\": [{\"type\": \"number\"}, " SCHEMA_PATTERN("[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?") "]}"

const struct row_form form_guard_share = {.read = read_limit, .schema = OR_NONE(SCHEMA_SHARE)};
const struct row_form form_guard_duration = {.read = read_limit, .schema = OR_NONE(SCHEMA_DURATION)};
const struct row_form form_guard_bytes = {.read = read_limit, .schema = OR_NONE(SCHEMA_ANY_BYTES)};
const struct row_form form_guard_count = {.read = read_limit, .schema = OR_NONE(SCHEMA_ANY_COUNT)};
const struct row_form form_guard_rate = {.read = read_limit, .schema = OR_NONE(SCHEMA_ANY_RATE)};
const struct row_form form_guard_times = {.read = read_limit, .schema = OR_NONE(SCHEMA_ANY_TIMES)};
const struct row_form form_guard_word = {.read = read_limit, .schema = "{\"enum\": [\"slow\", \"pause\", \"none\"]}"};
const struct row_form form_number = {.read = read_number, .schema = SCHEMA_ANY_NUMBER};
const struct row_form form_signals = {.read = read_signals};
const struct row_form form_switch = {.read = read_switch};
