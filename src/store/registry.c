#include "base/lock.h"
#include "base/nearest.h"
#include "store/calls.h"

/* One open store of the process. Lock rank: leaf; nothing is opened or closed under the lock. */
struct entry {
    const struct store_driver *driver;
    char *place, *label;
    bool read_only;
    bool lingers;        /* its last release leaves it open for whoever opens it next */
    struct store *store; /* NULL while it is being opened or closed by one thread; others wait */
    unsigned refs;
};

struct store_registry {
    const struct world *world;
    const struct store_driver *const *extra;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    GPtrArray *entries;
};

static const struct store_driver *const no_drivers[] = {NULL};

/* --- which driver ------------------------------------------------------------------------------------------------- */

static bool scheme_is(const char *scheme, const char *uri)
{
    size_t len = strlen(scheme);
    return strncmp(uri, scheme, len) == 0 && uri[len] == ':';
}

static const struct store_driver *driver_among(const struct store_driver *const *drivers, const char *uri)
{
    for (; *drivers; drivers++)
        for (const char *const *scheme = (*drivers)->schemes; *scheme; scheme++)
            if (scheme_is(*scheme, uri))
                return *drivers;
    return NULL;
}

static void add_schemes(GPtrArray *schemes, const struct store_driver *const *drivers)
{
    for (; *drivers; drivers++)
        for (const char *const *scheme = (*drivers)->schemes; *scheme; scheme++)
            g_ptr_array_add(schemes, (char *)*scheme);
}

/* The message names what was typed up to the colon only: the rest may hold a secret. */
static const struct store_driver *driver_of(const struct store_driver *const *extra, const char *uri, GError **error)
{
    const struct store_driver *driver = driver_among(extra, uri);
    if (!driver)
        driver = driver_among(store_drivers(), uri);
    if (driver)
        return driver;
    const char *colon = strchr(uri, ':');
    if (!colon) {
        error_set(error, SLUICE_ERROR_USAGE, "store '%s': expected SCHEME:PLACE, such as file:DIR or rocksdb:DIR", uri);
        return NULL;
    }
    g_autofree char *typed = g_strndup(uri, (size_t)(colon - uri));
    g_autoptr(GPtrArray) schemes = g_ptr_array_new();
    add_schemes(schemes, extra);
    add_schemes(schemes, store_drivers());
    const char *near = nearest_word(typed, (const char *const *)schemes->pdata, schemes->len);
    error_set(error, SLUICE_ERROR_USAGE, "no driver for a store '%s:…'%s%s%s; `sluice stores` lists them", typed,
              near ? "; did you mean '" : "", near ? near : "", near ? ":'?" : "");
    return NULL;
}

const struct store_driver *store_driver_of(const char *uri, GError **error)
{
    return driver_of(no_drivers, uri, error);
}

/* --- the registry ------------------------------------------------------------------------------------------------- */

struct store_registry *store_registry_new(const struct world *world, const struct store_driver *const *extra)
{
    struct store_registry *registry = g_new0(struct store_registry, 1);
    registry->world = world;
    registry->extra = extra ? extra : no_drivers;
    registry->entries = g_ptr_array_new();
    pthread_mutex_init(&registry->lock, NULL);
    pthread_cond_init(&registry->changed, NULL);
    return registry;
}

static void entry_free(struct entry *entry)
{
    g_free(entry->place);
    g_free(entry->label);
    g_free(entry);
}

void store_registry_free(struct store_registry *registry)
{
    if (!registry)
        return;
    for (size_t i = 0; i < registry->entries->len; i++) {
        struct entry *entry = registry->entries->pdata[i];
        entry->driver->close(entry->store);
        entry_free(entry);
    }
    g_ptr_array_unref(registry->entries);
    pthread_cond_destroy(&registry->changed);
    pthread_mutex_destroy(&registry->lock);
    g_free(registry);
}

/* scheme://user:password@host?option → scheme://host. Where an @ stands behind a ?, that may be a password's, and
 * nothing before it is shown. */
char *store_label(const char *uri)
{
    size_t len = strcspn(uri, "?");
    const char *place = strstr(uri, "://");
    const char *at = g_strrstr_len(uri, (gssize)len, "@");
    if (!place)
        return g_strndup(uri, len);
    g_autofree char *scheme = g_strndup(uri, (size_t)(place - uri) + 3);
    if (strchr(uri + len, '@'))
        return g_strconcat(scheme, "…", NULL);
    if (!at || at < place)
        return g_strndup(uri, len);
    g_autofree char *host = g_strndup(at + 1, (size_t)(uri + len - (at + 1)));
    return g_strconcat(scheme, host, NULL);
}

static struct entry *entry_find(struct store_registry *registry, const struct store_driver *driver, const char *place)
{
    for (size_t i = 0; i < registry->entries->len; i++) {
        struct entry *entry = registry->entries->pdata[i];
        if (entry->driver == driver && strcmp(entry->place, place) == 0)
            return entry;
    }
    return NULL;
}

static void entry_remove(struct store_registry *registry, struct entry *entry)
{
    pthread_mutex_lock(&registry->lock);
    g_ptr_array_remove(registry->entries, entry);
    pthread_cond_broadcast(&registry->changed);
    pthread_mutex_unlock(&registry->lock);
    entry_free(entry);
}

/* Finds the entry, or adds one for the caller to open (*ret_mine). */
static struct entry *entry_claim(struct store_registry *registry, const struct store_driver *driver, const char *place,
                                 bool *ret_mine)
{
    auto_hold(&registry->lock);
    struct entry *entry;
    while ((entry = entry_find(registry, driver, place)) && !entry->store)
        pthread_cond_wait(&registry->changed, &registry->lock);
    *ret_mine = !entry;
    if (!entry) {
        entry = g_new0(struct entry, 1);
        entry->driver = driver;
        entry->place = g_strdup(place);
        g_ptr_array_add(registry->entries, entry);
    }
    entry->refs++;
    entry->lingers = false;
    return entry;
}

static bool entry_open(struct store_registry *registry, struct entry *entry, const struct store_config *config,
                       GError **error)
{
    entry->read_only = config->read_only;
    entry->label = store_label(config->uri);
    struct store *store = NULL;
    if (!entry->driver->open(&store, config, registry->world, error)) {
        error_add(error, "store %s", entry->label);
        entry_remove(registry, entry);
        return false;
    }
    *(struct store_base *)store = (struct store_base){
        .driver = entry->driver, .world = registry->world, .label = entry->label, .read_only = entry->read_only};
    pthread_mutex_lock(&registry->lock);
    entry->store = store;
    pthread_cond_broadcast(&registry->changed);
    pthread_mutex_unlock(&registry->lock);
    return true;
}

bool store_open(struct store **ret, struct store_registry *registry, const struct store_config *config, GError **error)
{
    struct store_config full = *config;
    full.driver = driver_of(registry->extra, config->uri, error);
    if (!full.driver)
        return false;
    g_autofree char *place = NULL;
    if (!full.driver->locate)
        place = g_strdup(config->uri);
    else if (!full.driver->locate(&full, registry->world, &place, error))
        return false;
    bool mine;
    struct entry *entry = entry_claim(registry, full.driver, place, &mine);
    if (mine && !entry_open(registry, entry, &full, error))
        return false;
    if (!config->read_only && entry->read_only) {
        error_set(error, SLUICE_ERROR_INTERNAL, "store %s: open for reading in this process; open for writing first",
                  entry->label);
        store_release(registry, entry->store);
        return false;
    }
    *ret = entry->store;
    return true;
}

static struct entry *entry_release(struct store_registry *registry, struct store *store)
{
    auto_hold(&registry->lock);
    for (size_t i = 0; i < registry->entries->len; i++) {
        struct entry *entry = registry->entries->pdata[i];
        if (entry->store != store)
            continue;
        if (--entry->refs > 0 || entry->lingers)
            return NULL;
        entry->store = NULL; /* whoever opens it now waits until it is closed */
        return entry;
    }
    g_assert_not_reached();
}

void store_linger(struct store_registry *registry, const struct store *store)
{
    auto_hold(&registry->lock);
    for (size_t i = 0; i < registry->entries->len; i++) {
        struct entry *entry = registry->entries->pdata[i];
        if (entry->store == store)
            entry->lingers = true;
    }
}

void store_release(struct store_registry *registry, struct store *store)
{
    if (!store)
        return;
    struct entry *entry = entry_release(registry, store);
    if (!entry)
        return;
    entry->driver->close(store);
    entry_remove(registry, entry);
}
