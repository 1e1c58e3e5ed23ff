/* Who has locked a database: words for a message. */
#pragma once

#include "base/world.h"

/* "process 4711 (python3)": another process that holds the database's write lock, as the system tells it; NULL where it
 * does not tell, or nobody does. To be freed. Opens nothing of the database: closing it would let go of our own locks.
 */
char *holder_text(const struct world *world, const char *database);
