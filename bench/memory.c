/* Loaded before a program's libraries (LD_PRELOAD): how much memory it has, and how much of that is RocksDB's cache and
 * write buffers, which are asked while they are in use.
 *
 * SLUICE_MEMORY names the file into which a thread puts one line every twentieth of a second, in bytes:
 * `anonymous write-buffers block-cache`. */
#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EVERY_NS = 50 * 1000 * 1000 };

/* What a sample asks; taken from the program's own calls. */
static struct {
    pthread_mutex_t lock;
    rocksdb_t *db;
    rocksdb_cache_t *cache;
    bool begun, closed; /* from the closing of a database to the opening of the next it cannot be asked, and its memory
                           is on its way back */
} watched = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The system's own; dlsym() is ours, below. */
static void *look_up(void *handle, const char *name)
{
    static const char *const VERSIONS[] = {"GLIBC_2.34", "GLIBC_2.17", "GLIBC_2.2.5"};
    void *(*find)(void *, const char *);
    void *found = NULL;
    for (size_t i = 0; !found && i < sizeof VERSIONS / sizeof *VERSIONS; i++)
        found = dlvsym(RTLD_NEXT, "dlsym", VERSIONS[i]);
    if (!found)
        abort();
    memcpy(&find, &found, sizeof find);
    return find(handle, name);
}

static void *real(const char *name)
{
    void *found = look_up(RTLD_NEXT, name);
    if (!found)
        abort();
    return found;
}

static uint64_t anonymous_bytes(void)
{
    char line[256];
    uint64_t kib = 0;
    FILE *rollup = fopen("/proc/self/smaps_rollup", "re");
    while (rollup && fgets(line, sizeof line, rollup) && sscanf(line, "Anonymous: %" SCNu64, &kib) != 1)
        kib = 0;
    if (rollup)
        fclose(rollup);
    return kib << 10;
}

static uint64_t write_buffers(rocksdb_t *db)
{
    char *message = NULL;
    uint64_t bytes = 0;
    rocksdb_memory_consumers_t *consumers = rocksdb_memory_consumers_create();
    rocksdb_memory_consumers_add_db(consumers, db);
    rocksdb_memory_usage_t *usage = rocksdb_approximate_memory_usage_create(consumers, &message);
    if (usage && !message) {
        bytes = rocksdb_approximate_memory_usage_get_mem_table_total(usage);
        rocksdb_approximate_memory_usage_destroy(usage);
    }
    rocksdb_free(message);
    rocksdb_memory_consumers_destroy(consumers);
    return bytes;
}

static void sample(FILE *into)
{
    pthread_mutex_lock(&watched.lock);
    if (watched.closed) {
        pthread_mutex_unlock(&watched.lock);
        return;
    }
    uint64_t buffers = watched.db ? write_buffers(watched.db) : 0;
    uint64_t cached = watched.cache ? rocksdb_cache_get_usage(watched.cache) : 0;
    fprintf(into, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", anonymous_bytes(), buffers, cached);
    pthread_mutex_unlock(&watched.lock);
    fflush(into);
}

static void *watch(void *into)
{
    const struct timespec step = {.tv_nsec = EVERY_NS};
    for (;;) {
        sample(into);
        nanosleep(&step, NULL);
    }
    return NULL;
}

static void begin_locked(void)
{
    const char *path = getenv("SLUICE_MEMORY");
    pthread_t thread;
    FILE *into = path && !watched.begun ? fopen(path, "ae") : NULL;
    if (into && pthread_create(&thread, NULL, watch, into) == 0)
        watched.begun = pthread_detach(thread) == 0;
}

rocksdb_cache_t *rocksdb_cache_create_lru(size_t capacity)
{
    rocksdb_cache_t *(*create)(size_t);
    void *found = real("rocksdb_cache_create_lru");
    memcpy(&create, &found, sizeof create);
    pthread_mutex_lock(&watched.lock);
    watched.cache = create(capacity);
    watched.closed = false;
    begin_locked();
    pthread_mutex_unlock(&watched.lock);
    return watched.cache;
}

void rocksdb_cache_destroy(rocksdb_cache_t *cache)
{
    void (*destroy)(rocksdb_cache_t *);
    void *found = real("rocksdb_cache_destroy");
    memcpy(&destroy, &found, sizeof destroy);
    pthread_mutex_lock(&watched.lock);
    destroy(cache);
    watched.cache = NULL;
    pthread_mutex_unlock(&watched.lock);
}

/* Whatever database is written to is the one that is asked. */
void rocksdb_write(rocksdb_t *db, const rocksdb_writeoptions_t *options, rocksdb_writebatch_t *batch, char **message)
{
    void (*write)(rocksdb_t *, const rocksdb_writeoptions_t *, rocksdb_writebatch_t *, char **);
    void *found = real("rocksdb_write");
    memcpy(&write, &found, sizeof write);
    pthread_mutex_lock(&watched.lock);
    watched.db = db;
    pthread_mutex_unlock(&watched.lock);
    write(db, options, batch, message);
}

void rocksdb_close(rocksdb_t *db)
{
    void (*close)(rocksdb_t *);
    void *found = real("rocksdb_close");
    memcpy(&close, &found, sizeof close);
    pthread_mutex_lock(&watched.lock);
    watched.db = NULL;
    watched.closed = true;
    pthread_mutex_unlock(&watched.lock);
    close(db);
}

/* sluice looks up what it calls of RocksDB (src/base/later.h): of the functions above it gets these. */
void *dlsym(void *restrict handle, const char *restrict name)
{
    static const char *const NAMES[] = {"rocksdb_cache_create_lru", "rocksdb_cache_destroy", "rocksdb_write",
                                        "rocksdb_close"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (strcmp(NAMES[i], name) == 0)
            return look_up(RTLD_DEFAULT, name); /* this library stands before all others */
    return look_up(handle, name);
}
