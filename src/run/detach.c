#include "run/detach.h"

#include "base/file.h"
#include "base/process.h"
#include "catalog/lock.h"
#include "plan/home.h"

#define LOOK_US (INT64_C(50) * 1000)
#define LOG_CAP (16u << 20) /* of what is told, its end */

void detached_done(struct detached *detached)
{
    g_clear_pointer(&detached->run, g_free);
    g_clear_pointer(&detached->log, g_free);
}

static bool open_log(const struct detach_wish *wish, struct detached *io, GError **error)
{
    g_autofree char *dir = g_build_filename(wish->home, "runs", NULL);
    struct world_stat stat = {0};
    if (!file_make_dirs(wish->world, dir, error))
        return false;
    if (file_exists(wish->world, io->log) && !file_stat_path(wish->world, io->log, &stat, error))
        return false;
    io->log_bytes = stat.size;
    return true;
}

bool detach_start(const struct detach_wish *wish, struct detached *ret, GError **error)
{
    struct detached detached = {.run = g_strdup(wish->run), .log = home_path(wish->home, HOME_LOG, wish->run)};
    struct process_wish process = {.argv = wish->argv, .envp = wish->envp, .log = detached.log};
    if (open_log(wish, &detached, error) && process_detach(&process, &detached.pid, error)) {
        *ret = detached;
        return true;
    }
    detached_done(&detached);
    return false;
}

bool detach_await(const struct detach_wish *wish, const struct detached *detached, int64_t wait_us, bool *ret_ended,
                  int *ret_status, GError **error)
{
    int64_t until = world_monotonic_us(wish->world) + wait_us;
    struct run_holder holder = {0};
    while (!(*ret_ended = process_ended(detached->pid, ret_status))) {
        if (!run_lock_holder(&holder, wish->world, wish->home, detached->run, error))
            return error_add(error,
                             "%s goes on by itself, as process %" G_GINT64_FORMAT
                             " with the log %s; nobody can tell whether it has begun",
                             detached->run, detached->pid, detached->log);
        if ((holder.live && holder.pid == detached->pid && holder.begins) || world_monotonic_us(wish->world) >= until)
            return true;
        world_sleep_us(wish->world, LOOK_US, NULL);
    }
    return true;
}

/* Runs that are taken up again and again have a log of any size. */
char *detach_said(const struct world *world, const struct detached *detached)
{
    auto_(file) log = NULL;
    uint64_t size;
    if (!file_open(&log, world, detached->log, FILE_READ, NULL) || !file_size(log, &size, NULL))
        return g_strdup("");
    size_t len = (size_t)MIN(size - MIN(detached->log_bytes, size), LOG_CAP);
    g_autofree char *said = g_malloc0(len + 1);
    return file_read_at(log, size - len, said, len, &len, NULL) ? g_steal_pointer(&said) : g_strdup("");
}
