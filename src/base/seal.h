/* Sealing: what lies in a home can be read by nobody who lacks its key. XChaCha20-Poly1305 by libsodium: ChaCha20 and
 * Poly1305 of RFC 8439 with the nonces of 24 bytes of draft-irtf-cfrg-xchacha-03, long enough to be drawn: none is ever
 * counted, so that a file that was cut and written on meets none twice.
 *
 * A sealed piece = nonce[24] text[n] tag[16]. `about` is what the piece belongs to: it is not kept with it, and a piece
 * that is put anywhere else does not open. Cost: about 1 µs a KiB. */
#pragma once

#include <glib.h>

#include "base/slice.h"

struct world;

enum { SEAL_KEY = 32, SEAL_NONCE = 24, SEAL_TAG = 16, SEAL_MORE = SEAL_NONCE + SEAL_TAG };

struct seal_key {
    uint8_t bytes[SEAL_KEY];
};

/* `io` holds SEAL_NONCE bytes of room, `len` bytes of text, SEAL_TAG bytes of room. */
void seal_put(const struct seal_key *key, const struct world *world, struct slice about, uint8_t *io, size_t len);
/* `io` is a sealed piece of `len` bytes in all; afterwards its text stands behind the nonce, len - SEAL_MORE bytes.
 * false, and `io` is worth nothing: not sealed by this key, or not about this. */
bool seal_open(const struct seal_key *key, struct slice about, uint8_t *io, size_t len);

/* The same of a text that stands in a line of JSON: a sealed piece as base64. The caller frees. */
char *seal_text(const struct seal_key *key, const struct world *world, struct slice about, struct slice text);
bool seal_text_open(const struct seal_key *key, struct slice about, struct slice base64, GString *into);

/* Overwrites it before its memory is used for something else. */
void seal_forget(struct seal_key *key);
