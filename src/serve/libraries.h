/* Internal to serve/: what stands in for libmicrohttpd and GnuTLS until a server is opened. */
#pragma once

#include "base/later.h"

/* Before anything of theirs is called. */
bool libraries_load(GError **error);
