#include "base/later.h"

#include <dlfcn.h>

/* Two threads may both load it: the second one gets what the first one has, counted twice. */
bool later_load(struct later *library, GError **error)
{
    if (atomic_load(&library->handle))
        return true;
    void *handle = dlopen(library->file, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return error_set(error, SLUICE_ERROR_NOT_FOUND, "%s is needed for this and cannot be loaded; install %s (%s)",
                         library->file, library->package, dlerror());
    atomic_store(&library->handle, handle);
    return true;
}

void *later_find(struct later *library, const char *name)
{
    void *handle = atomic_load(&library->handle);
    g_assert(handle); /* else dlsym() would find the one that looks for it */
    void *at = dlsym(handle, name);
    if (!at)
        g_error("%s has no %s: it is another library than this program was made for", library->file, name);
    return at;
}
