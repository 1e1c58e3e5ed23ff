/* SQLite on the files of a fake world: each of its calls that reads, writes or syncs is counted there, can be made to
 * fail, and tears like any other. Locks and the index that connections share stay the system's.
 *
 *     fake_sqlite_attach(&fake);     every file that SQLite opens from now on is of this world
 *     fake_sqlite_attach(NULL);      of none */
#pragma once

#include "kit/fake_world.h"

void fake_sqlite_attach(struct fake_world *fake);
