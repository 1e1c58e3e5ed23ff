#include "catalog/holder.h"

#include <unistd.h>

#include "base/file.h"
#include "base/int.h"

/* Where SQLite puts the write lock of its write-ahead log: in the file of the log's index. */
enum { WRITE_LOCK_BYTE = 120, LOCKS_MAX = 1 << 20, FIELDS = 8 };

static char *name_of(const struct world *world, const char *pid)
{
    g_autoptr(GBytes) content = NULL;
    g_autofree char *path = g_strdup_printf("/proc/%s/comm", pid);
    if (!file_read_all(world, path, 256, &content, NULL))
        return g_strdup_printf("process %s", pid);
    g_autofree char *name = g_strndup(g_bytes_get_data(content, NULL), g_bytes_get_size(content));
    return g_strdup_printf("process %s (%s)", pid, g_strchomp(name));
}

/* "1: POSIX  ADVISORY  WRITE 4711 fe:01:131093 120 120" */
static char *holder_of(const struct world *world, const char *line, uint64_t inode)
{
    g_auto(GStrv) fields = g_strsplit_set(line, " ", -1);
    const char *kept[FIELDS];
    size_t n = 0;
    for (char **field = fields; *field && n < FIELDS; field++)
        if (**field)
            kept[n++] = *field;
    if (n < FIELDS || strcmp(kept[3], "WRITE") != 0)
        return NULL;
    const char *number = strrchr(kept[5], ':');
    uint64_t found, byte, pid;
    if (!number || !int_parse_u64(slice_of_text(number + 1), &found) || found != inode ||
        !int_parse_u64(slice_of_text(kept[6]), &byte) || byte != WRITE_LOCK_BYTE ||
        !int_parse_u64(slice_of_text(kept[4]), &pid) || pid == 0 || pid == (uint64_t)getpid())
        return NULL;
    return name_of(world, kept[4]);
}

char *holder_text(const struct world *world, const char *database)
{
    struct world_stat found;
    g_autoptr(GBytes) content = NULL;
    g_autofree char *path = g_strconcat(database, "-shm", NULL);
    if (!file_stat_path(world, path, &found, NULL) || !file_read_all(world, "/proc/locks", LOCKS_MAX, &content, NULL))
        return NULL;
    g_autofree char *text = g_strndup(g_bytes_get_data(content, NULL), g_bytes_get_size(content));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    char *holder = NULL;
    for (char **line = lines; *line && !holder; line++)
        holder = holder_of(world, *line, found.inode);
    return holder;
}
