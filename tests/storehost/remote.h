/* `host:SOCKET`: the keyed store behind a storehost, as if it were in this process. For tests: so that sluice alone
 * dies while the store and its other clients live on.
 *
 * A call whose request went out whole and whose reply did not come is UNREACHABLE or TIMED_OUT, and every outcome of a
 * cas is then UNKNOWN. The next call connects anew; scans that were open are lost. */
#pragma once

#include "store/store.h"

extern const struct store_driver remote_driver;
