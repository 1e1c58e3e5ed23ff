/* As a target: one file a partition and checkpoint. `out-*.ndjson` becomes `out-RUN-PARTITION-NUMBER.ndjson`, written
 * as
 * `.out-….ndjson.tmp` and renamed when the checkpoint that names it stands. */
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
    GString *prefix = g_string_new(target->prefix);
    for (size_t i = 0; i < RUN_BYTES; i++)
        g_string_append_printf(prefix, "%02x", run[i]);
    g_string_append_c(prefix, '-');
    return g_string_free(prefix, FALSE);
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

static bool sink_write_durable(struct session *session, const struct call *call, const struct sink_file *file,
                               const struct record *records, size_t n, GError **error)
{
    struct target target;
    if (!target_of(&target, session, call, error))
        return false;
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(GByteArray) packed = g_byte_array_new();
    g_autofree char *path = hidden_path(&target, file);
    bool ok = text_of(records, n, text, error) &&
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
    const struct world *world = target.store->base.world;
    g_autofree char *hidden = hidden_path(&target, file), *name = file_name_of(&target, file);
    g_autofree char *path = g_build_filename(target.dir, name, NULL);
    target_done(&target);
    if (file_exists(world, hidden))
        return file_rename_durable(world, hidden, path, error);
    if (file_exists(world, path))
        return true;
    return error_set(error, SLUICE_ERROR_STORE, "%s: neither it nor what it was to be renamed from is there", path);
}

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
    bool ok = !file_exists(target.store->base.world, target.dir) || remove_all(&target, prefix, error);
    target_done(&target);
    return ok;
}

const struct sink_ops file_sink_ops = {
    .write_durable = sink_write_durable, .publish_durable = sink_publish_durable, .drop = sink_drop};
