#include "base/seal.h"

#include <assert.h>
#include <sodium.h>

#include "base/world.h"

static_assert(SEAL_KEY == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "the key of libsodium");
static_assert(SEAL_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "the nonce of libsodium");
static_assert(SEAL_TAG == crypto_aead_xchacha20poly1305_ietf_ABYTES, "the tag of libsodium");

void seal_put(const struct seal_key *key, const struct world *world, struct slice about, uint8_t *io, size_t len)
{
    uint8_t *text = io + SEAL_NONCE;
    world_random(world, io, SEAL_NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt_detached(text, text + len, NULL, text, len, about.data, about.len, NULL,
                                                        io, key->bytes);
}

bool seal_open(const struct seal_key *key, struct slice about, uint8_t *io, size_t len)
{
    if (len < SEAL_MORE)
        return false;
    uint8_t *text = io + SEAL_NONCE;
    size_t text_len = len - SEAL_MORE;
    return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(text, NULL, text, text_len, text + text_len, about.data,
                                                               about.len, io, key->bytes) == 0;
}

char *seal_text(const struct seal_key *key, const struct world *world, struct slice about, struct slice text)
{
    g_autofree uint8_t *piece = g_malloc(text.len + SEAL_MORE);
    if (text.len)
        memcpy(piece + SEAL_NONCE, text.data, text.len);
    seal_put(key, world, about, piece, text.len);
    return g_base64_encode(piece, text.len + SEAL_MORE);
}

bool seal_text_open(const struct seal_key *key, struct slice about, struct slice base64, GString *into)
{
    gsize len;
    g_autofree char *text = g_strndup((const char *)base64.data, base64.len);
    g_autofree uint8_t *piece = g_base64_decode(text, &len);
    if (!seal_open(key, about, piece, len))
        return false;
    g_string_append_len(into, (const char *)piece + SEAL_NONCE, (gssize)(len - SEAL_MORE));
    return true;
}

void seal_forget(struct seal_key *key)
{
    sodium_memzero(key->bytes, sizeof key->bytes);
}
