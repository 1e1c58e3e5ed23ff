/* The schema of the catalog, as a table of numbered migrations. */
#pragma once

#include "catalog/db.h"

/* The schema that this program knows: the number of migrations. */
int migrations_known(void);

/* Brings a database that may be written to the known schema, in one transaction; a new one gets its home's id. CATALOG:
 * it is of a newer sluice, or of another program. Another process may do the same at the same moment. */
bool migrations_run(struct db *db, const struct world *world, GError **error);

/* Says, without writing anything, whether it is ours and not of a newer sluice: CATALOG otherwise. Empty: fine.
 * *ret_current: it has the known schema already, and there is nothing to run. */
bool migrations_accept(struct db *db, bool *ret_current, GError **error);
bool migrations_are_older(struct db *db, bool *ret, GError **error);

/* Whether a database that is only read has the known schema; NOT_FOUND: it has none yet. */
bool migrations_check(struct db *db, GError **error);
