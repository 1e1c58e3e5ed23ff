/* The keys of runs whose spec has `retain.key` (docs/retain.md): one a run and kind of what it leaves (undo,
 * quarantine, reports), drawn when the run is planned, kept in the home sealed by the spec's key
 * (docs/formats/keys.md), and gone when `sluice prune` removes what it seals: a copy of the disk made before can no
 * longer be read then.
 *
 * A keyring is how a process finds them: it is handed down in struct world, and whoever opens a file of the home asks
 * it (world_seal_key). The spec's key is asked for once in the life of a keyring, when the first sealed file is met;
 * where it is told is written beside each key, so that no command needs the spec for it. Threads: any. */
#pragma once

#include "base/seal.h"
#include "base/world.h"

struct keyring;
struct keyring *keyring_new(const struct world *world, const char *home);
void keyring_free(struct keyring *keyring);
AUTO_DEFINE(keyring, keyring_free)

extern const struct world_seals keyring_seals; /* self: the keyring */

/* Where the spec's key is told: 32 bytes, as base64 or hex. */
struct keyring_secret {
    const char *text; /* ${env:NAME}, ${file:PATH}, ${command:WORDS}; NULL: nothing is sealed */
    const char *dir;  /* of the spec */
};

/* The key itself. Errors: those of spec_secret_expand(); SPEC where it is not of 32 bytes; its text is in no message.
 */
bool keyring_secret_read(const struct world *world, const struct keyring_secret *secret, struct seal_key *ret,
                         GError **error);

/* Draws the keys of a run that is being planned, all durable when it returns (file, then folder, synced). */
bool keyring_make_durable(const struct world *world, const char *home, const uint8_t uid[16],
                          const struct keyring_secret *secret, GError **error);
/* Removes them: of a plan that comes to nothing. */
void keyring_discard(const struct world *world, const char *home, const uint8_t uid[16]);
/* Whether that of a kind can be used now. REFUSED where it is missing: what the run left cannot be read, and what it
 * goes on to leave would not be sealed. */
bool keyring_check(const struct world *world, const char *home, const uint8_t uid[16], const char *what,
                   GError **error);
