#include "kit/fresh_home.h"

#include <glib/gstdio.h>

#include "catalog/catalog.h"
#include "kit/fake_sqlite.h"
#include "kit/kit.h"

/* Closed by its last connection, so that all of it stands in one file. */
static GBytes *make(void)
{
    GError *error = NULL;
    char *text;
    gsize len;
    struct catalog *catalog;
    g_autofree char *dir = g_dir_make_tmp("sluice-home-XXXXXX", &error);
    g_autofree char *path = g_build_filename(dir, "catalog.db", NULL);
    fake_sqlite_attach(NULL);
    kit_ok(catalog_open(&catalog, world_real(), dir, CATALOG_CREATE, &error));
    catalog_free(catalog);
    kit_ok(g_file_get_contents(path, &text, &len, &error));
    kit_dir_remove(dir);
    return g_bytes_new_take(text, len);
}

void fresh_home_put(struct fake_world *fake, const char *home)
{
    static GBytes *copied;
    GError *error = NULL;
    g_autofree char *path = g_build_filename(home, "catalog.db", NULL);
    if (!copied)
        copied = make();
    assert_int_equal(g_mkdir(home, 0700), 0);
    kit_ok(g_file_set_contents(path, g_bytes_get_data(copied, NULL), (gssize)g_bytes_get_size(copied), &error));
    fake_sqlite_attach(fake);
}
