/* What every fuzz target defines. It returns 0; what is wrong it finds by an assertion or a sanitizer. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
