/* Libraries that are loaded when they are needed. One that is linked with the program is loaded, and its symbols are
 * looked up, at each start of it, and so is whatever it needs in turn: libcurl, libmicrohttpd and GnuTLS bring thirty
 * others, 4.5 of the 14 ms in which `sluice --version` ended, and few commands call any of them; RocksDB is 5 of the
 * other 9, for a command that opens no such store, too.
 *
 * A file of rows LATER() stands in for the library: it has functions of the same names, which look the library's up.
 * Whoever calls them has loaded it before, and says so where it is missing. Threads: any. */
#pragma once

#include <stdatomic.h>

#include "base/error.h"

struct later {
    const char *file;    /* by its name for programs: libcurl.so.4 */
    const char *package; /* for people: where it comes from */
    _Atomic(void *) handle;
};

/* NOT_FOUND where this machine does not have it. It stays until the program ends. */
bool later_load(struct later *library, GError **error);
/* Of a library that was loaded; ends the program where it has no such symbol: it is none that this program was made
 * for. */
void *later_find(struct later *library, const char *name);

/* Its prototype is the header's: the compiler compares. The name in parentheses is that of the function, where a header
 * has a macro of that name, too. */
#define LATER(library, returns, name, parameters, arguments)                                                           \
    returns(name) parameters                                                                                           \
    {                                                                                                                  \
        static _Atomic(typeof(&(name))) found;                                                                         \
        typeof(&(name)) at = atomic_load_explicit(&found, memory_order_acquire);                                       \
        if (!at) {                                                                                                     \
            at = (typeof(&(name)))later_find(&(library), #name);                                                       \
            atomic_store_explicit(&found, at, memory_order_release);                                                   \
        }                                                                                                              \
        return at arguments;                                                                                           \
    }
