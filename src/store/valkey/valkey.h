/* The driver for Valkey and Redis: standalone, Sentinel, Cluster (docs/drivers/valkey.md). */
#pragma once

#include "store/store.h"

extern const struct store_driver valkey_driver;
