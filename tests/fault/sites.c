#include "sites.h"

static const struct {
    enum site_suite suite;
    const char *name;
} ROWS[] = {
#define ROW(suite, name) {SITE_##suite, name},
#include "fault/site_rows.h"
#undef ROW
};

void sites_init(struct sites *ret)
{
    *ret = (struct sites){.made = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                          .failed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
}

void sites_done(struct sites *sites)
{
    g_hash_table_unref(sites->made);
    g_hash_table_unref(sites->failed);
}

static bool is_number(const char *word, size_t len)
{
    bool digits = true, hex = true;
    for (size_t i = 0; i < len; i++) {
        digits &= g_ascii_isdigit(word[i]);
        hex &= g_ascii_isxdigit(word[i]);
    }
    return digits || (hex && len >= 16);
}

static void put_path(GString *name, const char *at)
{
    while (*at) {
        size_t len = 0;
        while (g_ascii_isalnum(at[len]))
            len++;
        if (len == 0)
            g_string_append_c(name, *at++);
        else if (is_number(at, len))
            g_string_append_c(name, '*');
        else
            g_string_append_len(name, at, (gssize)len);
        at += len;
    }
}

char *site_name(const struct scene *scene, const char *call, const char *path, bool sqlite, bool for_ever)
{
    const char *at = g_str_has_prefix(path, scene->dir) ? path + strlen(scene->dir) : path;
    GString *name = g_string_new(sqlite ? "sqlite " : NULL);
    g_string_append_printf(name, "%s ", call);
    put_path(name, !*path ? "temporary" : !*at ? "." : at + (*at == '/'));
    g_string_append(name, for_ever ? SITE_FOR_EVER : "");
    return g_string_free(name, FALSE);
}

static void on_call(void *self, const char *call, const char *path, bool sqlite, bool chosen)
{
    struct site_watch *watch = self;
    const struct fake_world *fake = &watch->scene->fake;
    bool counts = chosen && fake->fault.nth;
    if (watch->order) {
        g_hash_table_add(watch->sites->made, site_name(watch->scene, call, path, sqlite, false));
        if (counts)
            g_ptr_array_add(watch->order, site_name(watch->scene, call, path, sqlite, fake->fault.lasting));
    } else if (counts && fake->calls + 1 == fake->fault.nth) {
        g_hash_table_add(watch->sites->failed, site_name(watch->scene, call, path, sqlite, fake->fault.lasting));
        watch->sent = watch->scene->plan.calls[FAULT_CAS];
    }
}

void site_watch_begin(struct site_watch *watch)
{
    watch->scene->fake.told_self = watch;
    watch->scene->fake.told = on_call;
}

void site_watch_end(struct site_watch *watch)
{
    const struct fault_plan *plan = &watch->scene->plan;
    const char *for_ever = watch->scene->rows[0].lasting ? SITE_FOR_EVER : NULL;
    watch->scene->fake.told = NULL;
    for (int op = 0; op < FAULT_OP_COUNT; op++) {
        const char *name = fault_op_name((enum fault_op)op);
        if (plan->fired[op])
            g_hash_table_add(watch->sites->failed, g_strconcat("store ", name, for_ever, NULL));
        if (plan->calls[op])
            g_hash_table_add(watch->sites->made, g_strconcat("store ", name, NULL));
    }
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* SITE_SUITES: it has no row. */
static enum site_suite suite_of(const char *site)
{
    size_t len = strlen(site) - (g_str_has_suffix(site, SITE_FOR_EVER) ? strlen(SITE_FOR_EVER) : 0);
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        if (strlen(ROWS[i].name) == len && strncmp(ROWS[i].name, site, len) == 0)
            return ROWS[i].suite;
    return SITE_SUITES;
}

bool site_is_of(const char *site, enum site_suite suite)
{
    return suite_of(site) == suite;
}

static bool are_named(GHashTable *set, const char *what)
{
    guint n;
    bool all = true;
    g_autofree char **names = (char **)g_hash_table_get_keys_as_array(set, &n);
    qsort(names, n, sizeof *names, by_text);
    for (guint i = 0; i < n; i++) {
        bool has = suite_of(names[i]) != SITE_SUITES;
        print_message("# %s%s: %s\n", what, has ? "" : ", and no row of site_rows.h", names[i]);
        all &= has;
    }
    return all;
}

static bool ops_are_named(void)
{
    bool all = true;
    for (int op = 0; op < FAULT_OP_COUNT; op++) {
        g_autofree char *site = g_strconcat("store ", fault_op_name((enum fault_op)op), NULL);
        bool has = suite_of(site) != SITE_SUITES;
        if (!has)
            print_error("no row of site_rows.h: %s\n", site);
        all &= has;
    }
    return all;
}

bool sites_are_named(const struct sites *sites)
{
    bool made = are_named(sites->made, "made"), failed = are_named(sites->failed, "failed");
    return ops_are_named() && made && failed;
}

static bool has_failed(const struct sites *sites, const char *name, bool for_ever)
{
    g_autofree char *site = g_strconcat(name, for_ever ? SITE_FOR_EVER : NULL, NULL);
    bool has = g_hash_table_contains(sites->failed, site);
    if (!has)
        print_error("never failed: %s\n", site);
    return has;
}

bool sites_have_failed(const struct sites *sites, enum site_suite suite, bool each)
{
    bool all = true;
    for (size_t i = 0; i < G_N_ELEMENTS(ROWS); i++)
        if (ROWS[i].suite == suite)
            all &= has_failed(sites, ROWS[i].name, false) && (!each || has_failed(sites, ROWS[i].name, true));
    return all;
}
