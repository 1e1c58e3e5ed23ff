#include "verify/rules.h"

#include "base/extsort.h"
#include "record/path.h"
#include "verify/verify_parts.h"

#define NAMED        3u
#define HEALTH_BYTES (16u << 20)
#define KEY_BYTES    48u /* of a key that is named */
#define ITEM_BYTES   (16u + KEY_BYTES)
#define SORT_BYTES   (8u << 20)
#define SHOWN        80u

/* A value that has to be a key, and whose it is. */
struct reference {
    struct slice to, key;
};

/* What the target's servers may drop when they are full. */
struct policy {
    const char *unsaid; /* why that is not known; NULL: it is */
    bool any, expiring; /* any key; those that are to expire */
};

struct rule {
    const struct verify_input *input;
    const struct spec_expect *of;
    uint64_t records, wrong;
    GString *named;               /* the first of those that are wrong */
    struct extsort *values;       /* UNIQUE: digest of the value, beginning of the key */
    struct contract_check *check; /* VALID */
    struct policy policy;         /* EVICTS */
    GArray *references;           /* REFERS: of struct reference, of the batch */
    struct portions portions;     /* what they refer to is of any size */
};

/* Of several servers what none shall: one is enough. What each shall: all of them have to. */
static void take_policy(struct policy *io, const GArray *nodes, bool wanted)
{
    io->any = io->expiring = wanted;
    for (guint i = 0; i < nodes->len; i++) {
        const struct node_health *node = &g_array_index(nodes, struct node_health, i);
        if (node->evicts < 0 || node->evicts_expiring < 0)
            io->unsaid = "a server of the target does not say what it evicts";
        bool any = node->evicts == 1, expiring = any || node->evicts_expiring == 1;
        io->any = wanted ? io->any && any : io->any || any;
        io->expiring = wanted ? io->expiring && expiring : io->expiring || expiring;
    }
}

static bool ask_policy(struct rule *rule, GError **error)
{
    auto_(session) session = NULL;
    auto_(arena) mem = arena_new(HEALTH_BYTES);
    g_autoptr(GArray) nodes = g_array_new(FALSE, FALSE, sizeof(struct node_health));
    struct call call = {.ds = &rule->input->target_ds, .mem = mem, .cancel = rule->input->cancel};
    if (!store_can(store_driver(rule->input->target), CAN_HEALTH)) {
        rule->policy.unsaid = "the target's store does not say what it evicts";
        return true;
    }
    if (!store_session_open(&session, rule->input->target, error) || !store_health(session, &call, nodes, error))
        return false;
    take_policy(&rule->policy, nodes, rule->of->evicts);
    return true;
}

bool rule_new(struct rule **ret, const struct verify_input *input, const struct spec_expect *of, const char *folder,
              GError **error)
{
    struct extsort_shape shape = {.item_len = ITEM_BYTES, .key_len = ITEM_BYTES, .memory_bytes = SORT_BYTES};
    auto_(rule) rule = g_new0(struct rule, 1);
    rule->input = input;
    rule->of = of;
    rule->named = g_string_new(NULL);
    rule->references = g_array_new(FALSE, FALSE, sizeof(struct reference));
    bool ok = true;
    if (of->what == SPEC_EXPECT_UNIQUE)
        ok = extsort_new(&rule->values, input->world, folder, &shape, error);
    if (of->what == SPEC_EXPECT_VALID)
        ok = contract_check_new(&rule->check, recipe_contract(input->recipe), error);
    if (of->what == SPEC_EXPECT_EVICTS)
        ok = ask_policy(rule, error);
    if (ok)
        *ret = g_steal_pointer(&rule);
    return ok;
}

void rule_free(struct rule *rule)
{
    if (!rule)
        return;
    extsort_free(rule->values);
    contract_check_free(rule->check);
    g_string_free(rule->named, TRUE);
    g_array_unref(rule->references);
    g_free(rule);
}

const struct spec_expect *rule_of(const struct rule *rule)
{
    return rule->of;
}

char *rule_key_text(struct slice key)
{
    return key.len ? g_utf8_make_valid((const char *)key.data, (gssize)MIN(key.len, (size_t)SHOWN)) : g_strdup("");
}

static void wrong(struct rule *rule, struct slice key, const char *why)
{
    g_autofree char *shown = rule_key_text(key);
    if (rule->wrong++ < NAMED)
        g_string_append_printf(rule->named, "%s'%s'%s%s", rule->wrong > 1 ? ", " : "", shown, why ? ": " : "",
                               why ? why : "");
}

/* --- each
 * ------------------------------------------------------------------------------------------------------------- */

/* The value alone, under one name: what is the same value is the same document. */
static bool add_value(struct rule *rule, const bson_iter_t *value, struct slice key, GError **error)
{
    bson_t one = BSON_INITIALIZER;
    struct digest digest;
    uint8_t item[ITEM_BYTES] = {0};
    bson_append_iter(&one, "", 0, value);
    bool ok = digest_canonical(slice_of(bson_get_data(&one), one.len), 0, &digest, error);
    bson_destroy(&one);
    if (!ok)
        return false;
    digest_put(digest, item);
    memcpy(item + 16, key.data, MIN(key.len, (size_t)KEY_BYTES));
    return extsort_add(rule->values, item, error);
}

/* A text, or a whole number: what a key is made of. */
static void add_reference(struct rule *rule, const bson_iter_t *value, struct slice key, struct arena *mem)
{
    struct reference reference = {.key = key};
    if (BSON_ITER_HOLDS_UTF8(value)) {
        uint32_t len;
        const char *text = bson_iter_utf8(value, &len);
        reference.to = slice_of(text, len);
    } else if (BSON_ITER_HOLDS_INT64(value) || BSON_ITER_HOLDS_INT32(value)) {
        g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, bson_iter_as_int64(value));
        const char *kept = arena_text(mem, slice_of_text(text));
        reference.to = kept ? slice_of_text(kept) : SLICE_EMPTY;
    }
    if (reference.to.len)
        g_array_append_val(rule->references, reference);
    else
        wrong(rule, key, "its value is no key");
}

static bool look_at_contract(struct rule *rule, struct slice key, struct slice document, struct arena *mem,
                             GError **error)
{
    g_autoptr(GError) failed = NULL;
    struct slice taken;
    if (contract_apply(rule->check, document, mem, &taken, &failed))
        return true;
    if (error_class(failed) != ERROR_RECORD) {
        g_propagate_error(error, g_steal_pointer(&failed));
        return false;
    }
    wrong(rule, key, failed->message);
    return true;
}

static void look_at_eviction(struct rule *rule, const struct record *record)
{
    bool expires = record->expires_at_ms != EXPIRES_NEVER;
    const struct policy *policy = &rule->policy;
    bool may = policy->any || (policy->expiring && expires);
    if (may == rule->of->evicts)
        return;
    wrong(rule, record->key,
          !may ? (policy->expiring ? "it has no expiry, and only what has one may go" : "nothing may go")
               : (policy->any ? "any key may go" : "it has an expiry, and what has one may go"));
}

bool rule_record(struct rule *rule, const struct record *record, struct slice document, struct arena *mem,
                 GError **error)
{
    const struct path *path = rule->of->unique ? rule->of->unique : rule->of->refers;
    bson_iter_t value;
    rule->records++;
    if (rule->of->what == SPEC_EXPECT_EXPIRES) {
        if ((record->expires_at_ms != EXPIRES_NEVER) != rule->of->expires)
            wrong(rule, record->key, NULL);
        return true;
    }
    if (rule->of->what == SPEC_EXPECT_EVICTS) {
        look_at_eviction(rule, record);
        return true;
    }
    if (document.len == 0) {
        wrong(rule, record->key, "it cannot be read");
        return true;
    }
    if (rule->of->what == SPEC_EXPECT_VALID)
        return look_at_contract(rule, record->key, document, mem, error);
    if (!path_find(path, document, &value) || BSON_ITER_HOLDS_NULL(&value))
        return true;
    if (rule->of->what == SPEC_EXPECT_UNIQUE)
        return add_value(rule, &value, record->key, error);
    add_reference(rule, &value, record->key, mem);
    return true;
}

/* --- together
 * --------------------------------------------------------------------------------------------------------- */

/* Places of references, by what they refer to: a call takes each key once. */
static int by_key(const void *a, const void *b)
{
    return slice_compare(((const struct reference *)a)->to, ((const struct reference *)b)->to);
}

static size_t keys_of(const struct rule *rule, struct record *records)
{
    size_t n = 0;
    for (guint i = 0; i < rule->references->len; i++) {
        struct slice to = g_array_index(rule->references, struct reference, i).to;
        if (n == 0 || !slice_equal(records[n - 1].key, to))
            records[n++] = (struct record){.key = to};
    }
    return n;
}

bool rule_settle(struct rule *rule, struct session *session, struct arena *mem, GError **error)
{
    struct dataset to = rule->input->target_ds;
    struct call call = {.ds = &to, .mem = mem, .cancel = rule->input->cancel, .no_etag = true, .no_expiry = true};
    g_autofree struct record *records = g_new0(struct record, rule->references->len + 1);
    to.name = rule->of->to;
    to.shadow = NULL;
    g_array_sort(rule->references, by_key);
    const struct read_portions by = {.portions = &rule->portions};
    size_t n = keys_of(rule, records), at = 0;
    if (!store_read_portions(session, &call, records, n, &by, error))
        return error_add(error, "what '%s' refers to", rule->of->name);
    for (guint i = 0; i < rule->references->len; i++) {
        const struct reference *one = &g_array_index(rule->references, struct reference, i);
        while (!slice_equal(records[at].key, one->to))
            at++;
        if (records[at].presence == RECORD_ABSENT)
            wrong(rule, one->key, "what it refers to is not there");
    }
    g_array_set_size(rule->references, 0);
    return true;
}

/* Two records that follow each other in the order of their values, with one value. */
static bool find_twice(struct rule *rule, GError **error)
{
    uint8_t last[ITEM_BYTES];
    const uint8_t *item;
    bool any = false, ok = extsort_finish(rule->values, error);
    while (ok && (ok = extsort_next(rule->values, &item, error)) && item) {
        if (any && memcmp(last, item, 16) == 0) {
            const char *other = (const char *)last + 16, *key = (const char *)item + 16;
            g_autofree char *shown = rule_key_text(slice_of(other, strnlen(other, KEY_BYTES)));
            g_autofree char *why = g_strdup_printf("its value stands in '%s' too", shown);
            wrong(rule, slice_of(key, strnlen(key, KEY_BYTES)), why);
        }
        memcpy(last, item, sizeof last);
        any = true;
    }
    return ok;
}

bool rule_end(struct rule *rule, bool *ret_holds, char **ret_found, GError **error)
{
    if (rule->of->what == SPEC_EXPECT_UNIQUE && !find_twice(rule, error))
        return false;
    if (rule->policy.unsaid) {
        *ret_holds = false;
        *ret_found = g_strdup(rule->policy.unsaid);
        return true;
    }
    *ret_holds = rule->wrong == 0;
    *ret_found = rule->wrong
                     ? g_strdup_printf("%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " records do not: %s%s",
                                       rule->wrong, rule->records, rule->named->str, rule->wrong > NAMED ? " …" : "")
                     : g_strdup_printf("all %" G_GUINT64_FORMAT " records", rule->records);
    return true;
}
