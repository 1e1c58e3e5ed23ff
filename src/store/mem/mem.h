/* `mem:NAME`: the reference driver. An ordered map in memory with everything a keyed store can do, a call at a time.
 *
 * Its content lives as long as the store is open; a test that lets a run die and open it again keeps it in a
 * `struct mem_space` of its own and opens through a driver made around that:
 *
 *     struct mem_driver driver;
 *     mem_driver_init(&driver, space);
 *     … store_registry_new(world, (const struct store_driver *const[]){&driver.table, NULL}) …
 *
 * Threads: every call holds the one lock of its content, nothing else is done under it. */
#pragma once

#include "store/store.h"

extern const struct store_driver mem_driver;

struct mem_space;
struct mem_space *mem_space_new(void);
struct mem_space *mem_space_copy(struct mem_space *space); /* all that stands in it now */
void mem_space_free(struct mem_space *space);              /* no store of it may be open */
AUTO_DEFINE(mem_space, mem_space_free)

struct mem_driver {
    struct store_driver table;
    struct mem_space *space; /* borrowed */
};
void mem_driver_init(struct mem_driver *ret, struct mem_space *space);
