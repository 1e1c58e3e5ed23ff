/* As a target: one file a partition and checkpoint. `out-*.ndjson` becomes `out-RUN-PARTITION-NUMBER.ndjson`, written
 * as `.out-….ndjson.tmp` and renamed before the checkpoint that names it. */
#include "base/hex.h"
#include "base/int.h"
#include "store/file/file_store.h"
#include "store/file/pack.h"

enum { RUN_BYTES = 8 }; /* of the run's uid that a name shows */

/* The dataset taken apart. */
struct target {
    const struct file_store *store;
    char *dir, *prefix, *suffix;
    struct file_form form;
};

static void target_done(struct target *target)
{
    g_free(target->dir);
    g_free(target->prefix);
    g_free(target->suffix);
}

static bool refuse(const char *dataset, const char *what, GError **error)
{
    return error_set(error, SLUICE_ERROR_REFUSED, "the dataset '%s' cannot be written: %s", dataset, what);
}

static bool target_check(const char *dataset, const char *name, struct target *target, GError **error)
{
    if (g_path_is_absolute(dataset) || strstr(dataset, ".."))
        return refuse(dataset, "expected a name below the store's directory", error);
    if (!file_form_of(name, &target->form, NULL)) {
        g_autofree char *what = g_strdup_printf("expected a name that ends in %s", file_form_words);
        return refuse(dataset, what, error);
    }
    if (strchr(dataset, '#'))
        return refuse(dataset, "expected no '#', behind which a member of what is read would stand", error);
    if (target->form.format == FORMAT_CSV)
        return refuse(dataset, "CSV keeps neither types nor nested fields; use .ndjson", error);
    const char *star = strchr(name, '*');
    if (!star || strpbrk(star + 1, "*?[") || strcspn(dataset, "*?[") != (size_t)(star - dataset) || name[0] == '.')
        return refuse(dataset, "expected one '*', in the file's name, where the run, partition and number will stand",
                      error);
    return true;
}

static bool target_of(struct target *ret, struct session *session, const struct call *call, GError **error)
{
    const char *dataset = call->ds->name, *slash = strrchr(dataset, '/'), *name = slash ? slash + 1 : dataset;
    struct target target = {.store = file_store_of(session)};
    if (!target_check(dataset, name, &target, error))
        return false;
    g_autofree char *below = g_strndup(dataset, (size_t)(name - dataset));
    const char *star = strchr(name, '*');
    target.dir = g_build_filename(target.store->dir, below, NULL);
    target.prefix = g_strndup(name, (size_t)(star - name));
    target.suffix = g_strdup(star + 1);
    *ret = target;
    return true;
}

/* PREFIX RUN - : what every file of the run begins with. */
static char *run_prefix(const struct target *target, const uint8_t run[16])
{
    char text[HEX_TEXT(RUN_BYTES)];
    return g_strconcat(target->prefix, hex_text(run, RUN_BYTES, text), "-", NULL);
}

static char *file_name_of(const struct target *target, const struct sink_file *file)
{
    g_autofree char *prefix = run_prefix(target, file->id.run);
    return g_strdup_printf("%s%06u-%08" G_GINT64_MODIFIER "u%s", prefix, file->id.part, file->number, target->suffix);
}

static char *hidden_path(const struct target *target, const struct sink_file *file)
{
    g_autofree char *name = file_name_of(target, file);
    return g_strdup_printf("%s/.%s.tmp", target->dir, name);
}

static bool text_of(const struct record *records, size_t n, GString *into, GError **error)
{
    for (size_t i = 0; i < n; i++) {
        if (!document_to_json(records[i].raw, into, error)) {
            g_autofree char *key = g_utf8_make_valid((const char *)records[i].key.data, (gssize)records[i].key.len);
            return error_add(error, "key '%s'", key);
        }
        g_string_append_c(into, '\n');
    }
    return true;
}

static bool write_hidden(const struct target *target, const char *path, struct slice bytes, GError **error)
{
    const struct world *world = target->store->base.world;
    struct file *file;
    if (!file_make_dirs(world, target->dir, error) || !file_open(&file, world, path, FILE_REPLACE, error))
        return false;
    if (!file_append(file, bytes, NULL, error) || !file_sync_durable(file, error)) {
        file_free(file);
        file_unlink(world, path, NULL);
        return false;
    }
    return file_close(file, error) && file_sync_dir_durable(world, target->dir, error);
}

/* Whether it is there; what cannot be looked at is no absence. */
static bool look(const struct target *target, const char *path, bool *ret, GError **error)
{
    struct world_stat stat;
    GError *failed = NULL;
    *ret = file_stat_path(target->store->base.world, path, &stat, &failed);
    return *ret || error_forgive(failed, SLUICE_ERROR_NOT_FOUND, error);
}

static bool remove_left(const struct target *target, const struct sink_file *file, GError **error)
{
    const struct world *world = target->store->base.world;
    g_autofree char *hidden = hidden_path(target, file), *name = file_name_of(target, file);
    g_autofree char *path = g_build_filename(target->dir, name, NULL);
    bool is_hidden, is_there;
    if (!look(target, hidden, &is_hidden, error) || !look(target, path, &is_there, error))
        return false;
    return (!is_hidden && !is_there) || (file_unlink(world, hidden, error) && file_unlink(world, path, error) &&
                                         file_sync_dir_durable(world, target->dir, error));
}

static bool sink_write_durable(struct session *session, const struct call *call, const struct sink_file *file,
                               const struct record *records, size_t n, GError **error)
{
    struct target target;
    if (!target_of(&target, session, call, error))
        return false;
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GByteArray) packed = g_byte_array_new();
    g_autofree char *path = hidden_path(&target, file);
    bool ok = n == 0 ? remove_left(&target, file, error)
                     : text_of(records, n, text, error) &&
                           file_pack(target.form.packing, slice_of(text->str, text->len), packed, error) &&
                           write_hidden(&target, path, slice_of(packed->data, packed->len), error);
    target_done(&target);
    return ok;
}

static bool sink_publish_durable(struct session *session, const struct call *call, const struct sink_file *file,
                                 GError **error)
{
    struct target target;
    if (!target_of(&target, session, call, error))
        return false;
    g_autofree char *hidden = hidden_path(&target, file), *name = file_name_of(&target, file);
    g_autofree char *path = g_build_filename(target.dir, name, NULL);
    bool is_hidden, is_there;
    bool ok = look(&target, hidden, &is_hidden, error) && look(&target, path, &is_there, error);
    if (ok && is_hidden)
        ok = file_rename_durable(target.store->base.world, hidden, path, error);
    else if (ok && !is_there)
        ok = error_set(error, SLUICE_ERROR_STORE, "%s: neither it nor what it was to be renamed from is there", path);
    target_done(&target);
    return ok;
}

/* --- what is there
 * ---------------------------------------------------------------------------------------------------- */

static bool number_of(const char **io_at, char end, uint64_t most, uint64_t *ret)
{
    size_t len = strspn(*io_at, "0123456789");
    if (!int_parse_u64(slice_of(*io_at, len), ret) || *ret > most || (*io_at)[len] != end)
        return false;
    *io_at += len + 1;
    return true;
}

/* The file that the run gave this name; the name that it would get must be this one. */
static bool file_of_name(const struct target *target, const char *prefix, const char *name, struct sink_file *io)
{
    const char *at = name + strlen(prefix);
    size_t len = strspn(at, "0123456789-");
    uint64_t part;
    g_autofree char *numbers = g_strdup_printf("%.*s-", (int)len, at);
    const char *number = numbers;
    if (!number_of(&number, '-', UINT32_MAX, &part) || !number_of(&number, '-', UINT64_MAX, &io->number))
        return false;
    io->id.part = (uint32_t)part;
    g_autofree char *given = file_name_of(target, io);
    return strcmp(given, name) == 0;
}

static int by_place(const void *left, const void *right)
{
    const struct sink_file *a = left, *b = right;
    if (a->id.part != b->id.part)
        return a->id.part < b->id.part ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static bool list_published(const struct target *target, const uint8_t run[16], GArray *into, GError **error)
{
    const struct world *world = target->store->base.world;
    g_autofree char *prefix = run_prefix(target, run);
    g_autoptr(GPtrArray) names = NULL;
    struct sink_file file = {0};
    bool there;
    memcpy(file.id.run, run, sizeof file.id.run);
    if (!look(target, target->dir, &there, error))
        return false;
    if (!there)
        return true;
    if (!file_list(world, target->dir, &names, error))
        return false;
    for (size_t i = 0; i < names->len; i++)
        if (g_str_has_prefix(names->pdata[i], prefix) && file_of_name(target, prefix, names->pdata[i], &file))
            g_array_append_val(into, file);
    g_array_sort(into, by_place);
    return true;
}

static bool sink_published(struct session *session, const struct call *call, const uint8_t run[16], GArray *into,
                           GError **error)
{
    struct target target;
    if (!target_of(&target, session, call, error))
        return false;
    bool ok = list_published(&target, run, into, error);
    target_done(&target);
    return ok;
}

static bool sink_bounds(struct session *session, const struct call *call, const struct sink_file *file,
                        struct slice *ret, GError **error)
{
    const char *dataset = call->ds->name, *slash = strrchr(dataset, '/');
    g_autoptr(GByteArray) bounds = g_byte_array_new();
    struct target target;
    if (!target_of(&target, session, call, error))
        return false;
    g_autofree char *below = g_strndup(dataset, slash ? (size_t)(slash + 1 - dataset) : 0);
    g_autofree char *name = file_name_of(&target, file), *all = g_strconcat(below, name, NULL);
    target_done(&target);
    file_whole_encode(all, bounds);
    return arena_copy(call->mem, slice_of(bounds->data, bounds->len), ret) ||
           error_set(error, SLUICE_ERROR_TOO_BIG, "the answer does not fit into its memory");
}

/* --- taking it back
 * --------------------------------------------------------------------------------------------------- */

static bool of_run(const char *name, const char *prefix)
{
    return g_str_has_prefix(name[0] == '.' ? name + 1 : name, prefix);
}

static bool remove_all(const struct target *target, const char *prefix, GError **error)
{
    const struct world *world = target->store->base.world;
    g_autoptr(GPtrArray) names = NULL;
    if (!file_list(world, target->dir, &names, error))
        return false;
    for (size_t i = 0; i < names->len; i++) {
        g_autofree char *path = g_build_filename(target->dir, names->pdata[i], NULL);
        if (of_run(names->pdata[i], prefix) && !file_unlink(world, path, error))
            return false;
    }
    return file_sync_dir_durable(world, target->dir, error);
}

static bool sink_drop(struct session *session, const struct call *call, const uint8_t run[16], GError **error)
{
    struct target target;
    if (!target_of(&target, session, call, error))
        return false;
    g_autofree char *prefix = run_prefix(&target, run);
    bool there, ok = look(&target, target.dir, &there, error) && (!there || remove_all(&target, prefix, error));
    target_done(&target);
    return ok;
}

const struct sink_ops file_sink_ops = {
    .write_durable = sink_write_durable,
    .publish_durable = sink_publish_durable,
    .published = sink_published,
    .bounds = sink_bounds,
    .drop = sink_drop,
};
