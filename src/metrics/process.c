/* What the process that says all this uses, as Linux tells it: proc(5). */
#include <unistd.h>

#include "base/file.h"
#include "metrics/figures.h"

#define PROC_CAP 4096u

/* The words of /proc/self/stat behind the name, which may hold blanks: the first is field 3. NULL: no such file. */
static char **stat_words(const struct world *world)
{
    g_autoptr(GBytes) bytes = NULL;
    gsize len;
    if (!file_read_all(world, "/proc/self/stat", PROC_CAP, &bytes, NULL))
        return NULL;
    const char *data = g_bytes_get_data(bytes, &len);
    g_autofree char *text = g_strndup(data, len);
    const char *behind = strrchr(text, ')');
    return behind && behind[1] ? g_strsplit(behind + 2, " ", -1) : NULL;
}

static double field_of(char **words, guint number)
{
    guint at = number - 3;
    return at < g_strv_length(words) ? g_ascii_strtod(words[at], NULL) : 0;
}

bool metrics_process_read(const struct world *world, struct metrics_process *ret)
{
    g_auto(GStrv) words = stat_words(world);
    g_autoptr(GPtrArray) files = NULL;
    if (!words)
        return false;
    *ret = (struct metrics_process){
        .cpu_s = (field_of(words, 14) + field_of(words, 15)) / (double)sysconf(_SC_CLK_TCK),
        .threads = field_of(words, 20),
        .virtual_bytes = field_of(words, 23),
        .resident_bytes = field_of(words, 24) * (double)sysconf(_SC_PAGESIZE),
    };
    if (file_list(world, "/proc/self/fd", &files, NULL))
        ret->files = files->len;
    return true;
}

void metric_put_process_cpu(struct exposition *into, const struct figures *figures)
{
    exposition_put(into, figures->process.cpu_s, NULL);
}

void metric_put_process_memory(struct exposition *into, const struct figures *figures)
{
    exposition_put(into, figures->process.resident_bytes, NULL);
}

void metric_put_process_virtual(struct exposition *into, const struct figures *figures)
{
    exposition_put(into, figures->process.virtual_bytes, NULL);
}

void metric_put_process_threads(struct exposition *into, const struct figures *figures)
{
    exposition_put(into, figures->process.threads, NULL);
}

void metric_put_process_fds(struct exposition *into, const struct figures *figures)
{
    exposition_put(into, figures->process.files, NULL);
}
