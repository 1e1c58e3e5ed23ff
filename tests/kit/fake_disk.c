#include "kit/fake_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include "kit/fake_world.h"
#include "kit/kit.h"

struct entry {
    enum { WROTE, MADE, RENAMED } kind;
    char *group; /* what one sync covers: a file, or a directory */
    char *path, *from;
    uint64_t offset, len, size;
    GBytes *old; /* RENAMED: what `path` was before; NULL: nothing */
};

struct fake_disk {
    GPtrArray *entries; /* of struct entry *, in the order of the calls */
};

static void entry_free(void *data)
{
    struct entry *entry = data;
    g_free(entry->group);
    g_free(entry->path);
    g_free(entry->from);
    g_clear_pointer(&entry->old, g_bytes_unref);
    g_free(entry);
}

struct fake_disk *fake_disk_new(void)
{
    struct fake_disk *disk = g_new0(struct fake_disk, 1);
    disk->entries = g_ptr_array_new_with_free_func(entry_free);
    return disk;
}

void fake_disk_free(struct fake_disk *disk)
{
    if (!disk)
        return;
    g_ptr_array_unref(disk->entries);
    g_free(disk);
}

static void add(struct fake_disk *disk, const struct entry *entry)
{
    g_ptr_array_add(disk->entries, g_memdup2(entry, sizeof *entry));
}

static void forget(struct fake_disk *disk, const char *group)
{
    for (guint i = disk->entries->len; i-- > 0;)
        if (strcmp(((struct entry *)disk->entries->pdata[i])->group, group) == 0)
            g_ptr_array_remove_index(disk->entries, i);
}

void fake_disk_writes(struct fake_disk *disk, const char *file, const char *path, const struct fake_disk_write *write)
{
    struct entry entry = {.kind = WROTE,
                          .group = g_strdup(file),
                          .path = g_strdup(path),
                          .offset = write->offset,
                          .len = write->len,
                          .size = write->size,
                          .old = write->old};
    add(disk, &entry);
}

void fake_disk_synced(struct fake_disk *disk, const char *file)
{
    forget(disk, file);
}

void fake_disk_makes(struct fake_disk *disk, const char *path)
{
    struct entry entry = {.kind = MADE, .group = g_path_get_dirname(path), .path = g_strdup(path)};
    add(disk, &entry);
}

void fake_disk_renames(struct fake_disk *disk, const char *from, const char *to)
{
    struct entry entry = {
        .kind = RENAMED, .group = g_path_get_dirname(to), .path = g_strdup(to), .from = g_strdup(from)};
    char *text;
    gsize len;
    if (g_file_get_contents(to, &text, &len, NULL))
        entry.old = g_bytes_new_take(text, len);
    add(disk, &entry);
}

void fake_disk_dir_synced(struct fake_disk *disk, const char *dir)
{
    forget(disk, dir);
}

void fake_disk_removed(struct fake_disk *disk, const char *path)
{
    for (guint i = disk->entries->len; i-- > 0;)
        if (strcmp(((struct entry *)disk->entries->pdata[i])->path, path) == 0)
            g_ptr_array_remove_index(disk->entries, i);
}

/* --- the loss
 * ------------------------------------------------------------------------------------------------------ */

static guint count_of(GHashTable *table, const struct entry *entry)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(table, entry->group));
}

/* How many of each group's calls stay: a beginning. Drawn in the order of the calls, not of the names: those differ
 * from run to run. */
static GHashTable *choose(const struct fake_disk *disk, uint64_t *seed)
{
    g_autoptr(GHashTable) all = g_hash_table_new(g_str_hash, g_str_equal);
    GHashTable *stay = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < disk->entries->len; i++) {
        struct entry *entry = disk->entries->pdata[i];
        g_hash_table_insert(all, entry->group, GUINT_TO_POINTER(count_of(all, entry) + 1));
    }
    for (guint i = 0; i < disk->entries->len; i++) {
        struct entry *entry = disk->entries->pdata[i];
        if (!g_hash_table_contains(stay, entry->group))
            g_hash_table_insert(stay, entry->group, GUINT_TO_POINTER(fake_next(seed) % (count_of(all, entry) + 1)));
    }
    return stay;
}

/* Torn: the first half of it stays. */
static void write_back(const struct entry *entry, bool torn)
{
    int fd = open(entry->path, O_WRONLY | O_CLOEXEC);
    gsize len, keep = torn ? entry->len / 2 : 0;
    const uint8_t *old = g_bytes_get_data(entry->old, &len);
    if (fd < 0)
        return; /* it was never there */
    if (len > keep)
        assert_int_equal(pwrite(fd, old + keep, len - keep, (off_t)(entry->offset + keep)), (ssize_t)(len - keep));
    assert_int_equal(ftruncate(fd, (off_t)MAX(entry->size, keep > 0 ? entry->offset + keep : 0)), 0);
    close(fd);
}

static void rename_back(const struct entry *entry)
{
    GError *error = NULL;
    gsize len = 0;
    const char *old = entry->old ? g_bytes_get_data(entry->old, &len) : NULL;
    assert_int_equal(rename(entry->path, entry->from), 0);
    if (old)
        kit_ok(g_file_set_contents(entry->path, old, (gssize)len, &error));
}

/* A rename that stays: what was done to the file before has to be taken back under its new name. */
static void follow(struct fake_disk *disk, guint before, const struct entry *renamed)
{
    for (guint i = 0; i < before; i++) {
        struct entry *entry = disk->entries->pdata[i];
        if (strcmp(entry->path, renamed->from) == 0) {
            g_free(entry->path);
            entry->path = g_strdup(renamed->path);
        }
    }
}

static void take_back(const struct entry *entry, bool torn)
{
    if (entry->kind == WROTE)
        write_back(entry, torn);
    else if (entry->kind == RENAMED)
        rename_back(entry);
    else
        unlink(entry->path);
}

/* Which of its group's calls each is. */
static guint *places(const struct fake_disk *disk)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    guint *place = g_new0(guint, disk->entries->len + 1);
    for (guint i = 0; i < disk->entries->len; i++) {
        struct entry *entry = disk->entries->pdata[i];
        place[i] = count_of(seen, entry);
        g_hash_table_insert(seen, entry->group, GUINT_TO_POINTER(place[i] + 1));
    }
    return place;
}

uint64_t fake_disk_lose(struct fake_disk *disk, uint64_t *seed)
{
    uint64_t lost = 0;
    g_autoptr(GHashTable) stay = choose(disk, seed);
    g_autofree guint *place = places(disk);
    for (guint i = disk->entries->len; i-- > 0;) {
        struct entry *entry = disk->entries->pdata[i];
        guint kept = count_of(stay, entry);
        if (place[i] >= kept) {
            take_back(entry, place[i] == kept);
            lost++;
        } else if (entry->kind == RENAMED) {
            follow(disk, i, entry);
        }
    }
    g_ptr_array_set_size(disk->entries, 0);
    return lost;
}
