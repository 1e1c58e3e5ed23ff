/* Bytes as text: two hex digits a byte, the high one first; written in small letters, read in any. */
#pragma once

#include "base/slice.h"

/* What hex_text() needs for so many bytes, its NUL included. */
#define HEX_TEXT(bytes) (2 * (bytes) + 1)

/* 2 × n digits and no NUL; returns the place behind them. */
char *hex_put(const uint8_t *bytes, size_t n, char *into);
/* The same with a NUL; returns `into`. */
const char *hex_text(const uint8_t *bytes, size_t n, char *into);

/* Exactly 2 × n digits and nothing else; false: `ret` is as it was. */
bool hex_parse(struct slice text, uint8_t *ret, size_t n);
