#include "catalog/lock.h"

#include <jansson.h>
#include <unistd.h>

#include "base/file.h"
#include "record/datetime.h"

/* Whoever only asks (run_lock_holder) holds the lock for a moment. */
enum { TRIES = 20, BETWEEN_US = 10 * 1000, CONTENT_MAX = 4096 };

struct run_lock {
    struct file *file;
    int64_t since_ms;
};

static char *lock_path(const char *home, const char *run)
{
    g_autofree char *name = g_strconcat(run, ".lock", NULL);
    return g_build_filename(home, "runs", name, NULL);
}

/* A name with a slash in it would be another file, or none. */
static bool lock_open(struct file **ret, const struct world *world, const char *home, const char *run, GError **error)
{
    g_autofree char *dir = g_build_filename(home, "runs", NULL);
    g_autofree char *path = lock_path(home, run);
    if (strchr(run, '/'))
        return error_set(error, SLUICE_ERROR_REFUSED, "'%s' is not the name of a run", run);
    return file_make_dirs(world, dir, error) && file_open(ret, world, path, FILE_APPEND, error);
}

static void json_into(const json_t *object, struct run_holder *ret)
{
    const char *host = json_string_value(json_object_get(object, "host"));
    ret->pid = json_integer_value(json_object_get(object, "pid"));
    ret->since_ms = json_integer_value(json_object_get(object, "since_ms"));
    ret->begins = json_is_true(json_object_get(object, "begins"));
    g_strlcpy(ret->host, host ? host : "", sizeof ret->host);
}

/* What the holder has said of itself: nothing yet, or torn, if it has only just begun. */
static bool holder_read(struct file *file, struct run_holder *ret, GError **error)
{
    char text[CONTENT_MAX];
    size_t len;
    if (!file_read_at(file, 0, text, sizeof text, &len, error))
        return false;
    json_t *object = json_loadb(text, len, 0, NULL);
    json_into(object, ret);
    json_decref(object);
    return true;
}

static bool holder_write(struct file *file, int64_t since_ms, bool begins, GError **error)
{
    json_t *object = json_pack("{s:I, s:s, s:I, s:b}", "pid", (json_int_t)getpid(), "host", g_get_host_name(),
                               "since_ms", (json_int_t)since_ms, "begins", begins);
    g_autofree char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return file_truncate(file, 0, error) && file_append(file, slice_of_text(text), NULL, error);
}

static bool is_held(struct file *file, const char *run, GError **error)
{
    struct run_holder holder = {0};
    char since[DATETIME_TEXT];
    if (!holder_read(file, &holder, error))
        return false;
    if (holder.pid == 0)
        return error_set(error, SLUICE_ERROR_LOCKED, "run %s is being run by another process", run);
    return error_set(error, SLUICE_ERROR_LOCKED, "run %s is being run by pid %" G_GINT64_FORMAT " on %s since %s", run,
                     holder.pid, holder.host, datetime_text(holder.since_ms, since));
}

static bool lock_patiently(struct file *file, const struct world *world, const char *run, GError **error)
{
    for (int i = 0; i < TRIES; i++) {
        g_autoptr(GError) failed = NULL;
        if (file_lock(file, &failed))
            return true;
        if (!error_is(failed, SLUICE_ERROR_LOCKED)) {
            g_propagate_error(error, g_steal_pointer(&failed));
            return false;
        }
        world_sleep_us(world, BETWEEN_US, NULL);
    }
    return is_held(file, run, error);
}

bool run_lock_take(struct run_lock **ret, const struct world *world, const char *home, const char *run, GError **error)
{
    auto_(file) file = NULL;
    int64_t since_ms = world_wall_ms(world);
    if (!lock_open(&file, world, home, run, error) || !lock_patiently(file, world, run, error) ||
        !holder_write(file, since_ms, false, error))
        return false;
    *ret = g_new0(struct run_lock, 1);
    **ret = (struct run_lock){.file = g_steal_pointer(&file), .since_ms = since_ms};
    return true;
}

bool run_lock_begins(struct run_lock *lock, GError **error)
{
    return holder_write(lock->file, lock->since_ms, true, error);
}

void run_lock_free(struct run_lock *lock)
{
    if (!lock)
        return;
    file_free(lock->file);
    g_free(lock);
}

bool run_lock_holder(struct run_holder *ret, const struct world *world, const char *home, const char *run,
                     GError **error)
{
    auto_(file) file = NULL;
    g_autoptr(GError) failed = NULL;
    struct run_holder holder = {0};
    g_autofree char *path = lock_path(home, run);
    if (file_exists(world, path)) {
        if (!file_open(&file, world, path, FILE_READ, error)) /* also where the home may only be read */
            return false;
        holder.live = !file_lock(file, &failed);
    }
    if (failed && !error_is(failed, SLUICE_ERROR_LOCKED)) {
        g_propagate_error(error, g_steal_pointer(&failed));
        return false;
    }
    if (holder.live && !holder_read(file, &holder, error))
        return false;
    *ret = holder;
    return true;
}
