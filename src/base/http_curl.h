/* Internal to base/http: what stands in for libcurl until a request is made. */
#pragma once

#include "base/later.h"

extern struct later http_curl;
