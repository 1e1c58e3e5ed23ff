#include "catalog/catalog.h"

#include <sodium.h>

#include "base/file.h"
#include "catalog/inside.h"
#include "catalog/migrations.h"

/* SQLite would say no more than that it cannot open the file. */
static bool stands(const struct world *world, const char *path, GError **error)
{
    struct world_stat found;
    g_autoptr(GError) failed = NULL;
    if (file_stat_path(world, path, &found, &failed))
        return found.regular || error_set(error, SLUICE_ERROR_CATALOG, "catalog %s: not a file", path);
    if (error_is(failed, SLUICE_ERROR_NOT_FOUND))
        return error_set(
            error, SLUICE_ERROR_NOT_FOUND,
            "%s: no home of sluice (there is no catalog.db); `sluice run SPEC` makes one, --home names another", path);
    g_propagate_error(error, g_steal_pointer(&failed));
    return false;
}

/* What only a home that was used has, and that is worth nothing without its catalog: a listing may be a mere plan's. */
static const char *used_part(const struct world *world, const char *home)
{
    static const char *const PARTS[] = {"undo", "runs", "quarantine", "reports"};
    for (size_t i = 0; i < G_N_ELEMENTS(PARTS); i++) {
        g_autofree char *part = g_build_filename(home, PARTS[i], NULL);
        if (file_exists(world, part))
            return PARTS[i];
    }
    return NULL;
}

/* Beside what runs have left, a catalog that is missing or empty is a loss; a new one would know nothing of them.
 * (Empty alone: whoever made it died before its first page.) */
static bool is_not_lost(const struct catalog *catalog, const char *path, GError **error)
{
    struct world_stat found;
    bool there = file_stat_path(catalog->world, path, &found, NULL);
    const char *part = there && found.size > 0 ? NULL : used_part(catalog->world, catalog->home);
    if (!part)
        return true;
    return error_set(
        error, SLUICE_ERROR_CORRUPT,
        "catalog %s: it is %s, but %s/ of its runs stands beside it; put a copy of the whole home back, or "
        "name another home with --home",
        path, there ? "empty" : "missing", part);
}

/* A home below something that is no folder cannot be one, whatever the command. */
static bool may_be_home(const struct world *world, const char *home, GError **error)
{
    struct world_stat found;
    g_autofree char *place = g_strdup(home);
    while (!file_stat_path(world, place, &found, NULL) && strcmp(place, "/") != 0) {
        char *above = g_path_get_dirname(place);
        g_free(place);
        place = above;
    }
    if (!file_stat_path(world, place, &found, NULL) || found.directory)
        return true;
    return error_set(error, SLUICE_ERROR_USAGE, "home %s: %s is not a folder; name another home with --home", home,
                     place);
}

static bool read_home_id(struct catalog *catalog, GError **error)
{
    bool row;
    auto_(arena) mem = arena_new(SMALL_BYTES);
    auto_(query) query = query_of(catalog->db, SQL_HOME);
    if (!query_row(query, &row, error))
        return false;
    if (!row)
        return error_set(error, SLUICE_ERROR_CORRUPT, "catalog %s: the row that says which home it is is missing",
                         db_path(catalog->db));
    catalog->home_id = g_strdup(query_text(query, mem));
    return query_ok(query, error);
}

/* Who only looks brings an older home up too, where it may be written: the answer is the same. */
static bool open_to_read(struct catalog *catalog, const char *path, GError **error)
{
    auto_(catalog) writing = NULL;
    bool older;
    if (!db_open(&catalog->db, catalog->world, path, DB_READ, error) ||
        !migrations_are_older(catalog->db, &older, error))
        return false;
    if (older) {
        g_clear_pointer(&catalog->db, db_free);
        /* Where it fails, opening it to read says so. */
        catalog_open(&writing, catalog->world, catalog->home, CATALOG_EXISTING, NULL);
        if (!db_open(&catalog->db, catalog->world, path, DB_READ, error))
            return false;
    }
    return migrations_check(catalog->db, error);
}

static bool open_to_write(struct catalog *catalog, const char *path, enum catalog_mode mode, GError **error)
{
    bool current;
    return db_open(&catalog->db, catalog->world, path, mode == CATALOG_CREATE ? DB_CREATE : DB_WRITE, error) &&
           migrations_accept(catalog->db, &current, error) && db_log_ahead(catalog->db, error) &&
           (current || migrations_run(catalog->db, catalog->world, error));
}

bool catalog_open(struct catalog **ret, const struct world *world, const char *home, enum catalog_mode mode,
                  GError **error)
{
    if (sodium_init() < 0)
        return error_set(error, SLUICE_ERROR_INTERNAL, "libsodium does not start");
    auto_(catalog) catalog = g_new0(struct catalog, 1);
    catalog->world = world;
    catalog->home = g_canonicalize_filename(home, NULL);
    g_autofree char *path = g_build_filename(catalog->home, "catalog.db", NULL);
    bool made = mode == CATALOG_CREATE && !file_exists(world, path);
    if (!may_be_home(world, catalog->home, error) || !is_not_lost(catalog, path, error))
        return false;
    bool place = made ? file_make_dirs(world, catalog->home, error) : stands(world, path, error);
    if (!place)
        return made && error_add(error, "a home cannot be made there; name another with --home");
    bool opened =
        mode == CATALOG_READ_ONLY ? open_to_read(catalog, path, error) : open_to_write(catalog, path, mode, error);
    if (!opened || !read_home_id(catalog, error))
        return false;
    *ret = g_steal_pointer(&catalog);
    return true;
}

void catalog_free(struct catalog *catalog)
{
    if (!catalog)
        return;
    db_free(catalog->db);
    g_free(catalog->home);
    g_free(catalog->home_id);
    g_free(catalog);
}

const char *catalog_home_id(const struct catalog *catalog)
{
    return catalog->home_id;
}

const char *catalog_home(const struct catalog *catalog)
{
    return catalog->home;
}

bool catalog_tidy(struct catalog *catalog, GError **error)
{
    return db_reads_only(catalog->db) || db_tidy(catalog->db, error);
}

bool catalog_check(struct catalog *catalog, GError **error)
{
    g_autofree char *found = NULL;
    if (!db_text(catalog->db, "PRAGMA quick_check(1)", &found, error))
        return false;
    return g_strcmp0(found, "ok") == 0 ||
           error_set(error, SLUICE_ERROR_CORRUPT,
                     "catalog %s: it is damaged: %s; keep it and put a copy of the whole home back",
                     db_path(catalog->db), found);
}

/* --- what several files need
 * ------------------------------------------------------------------------------------------ */

void *rows_add(struct rows *rows, struct arena *mem, GError **error)
{
    if (rows->n == rows->room) {
        size_t room = rows->room ? 2 * rows->room : 8;
        void *at = rows->at ? arena_grow(mem, rows->at, rows->room * rows->size, room * rows->size)
                            : arena_alloc(mem, room * rows->size);
        if (!at) {
            error_set(error, SLUICE_ERROR_TOO_BIG, "the catalog holds more rows than there is memory for");
            return NULL;
        }
        rows->at = at;
        rows->room = room;
    }
    void *row = (char *)rows->at + rows->n++ * rows->size;
    memset(row, 0, rows->size);
    return row;
}

void plan_digests_put(struct query *query, const struct plan_digests *digests)
{
    query_put_bytes(query, slice_of(digests->plan, sizeof digests->plan));
    query_put_bytes(query, slice_of(digests->spec, sizeof digests->spec));
    query_put_bytes(query, slice_of(digests->contract, sizeof digests->contract));
    query_put_bytes(query, slice_of(digests->transform, sizeof digests->transform));
}

void plan_digests_get(struct query *query, struct plan_digests *ret)
{
    query_fixed(query, ret->plan, sizeof ret->plan);
    query_fixed(query, ret->spec, sizeof ret->spec);
    query_fixed(query, ret->contract, sizeof ret->contract);
    query_fixed(query, ret->transform, sizeof ret->transform);
}

void tally_put(struct query *query, const struct tally *tally)
{
    for (int i = 0; i < OUTCOME_COUNT; i++)
        query_put_u64(query, tally->of[i]);
}

void tally_get(struct query *query, struct tally *ret)
{
    for (int i = 0; i < OUTCOME_COUNT; i++)
        ret->of[i] = query_u64(query);
}
