/* The check of `retain.key`. */
#include "doctor/look.h"
#include "plan/keyring.h"

void look_key(struct look *look)
{
    struct seal_key key;
    GError *error = NULL;
    if (!look->spec) {
        look_skip(look, "spec");
        return;
    }
    struct keyring_secret secret = {.text = look->spec->retain.key, .dir = look->spec->dir};
    if (!secret.text) {
        look_ok(look, "none: what a run leaves in the home is not encrypted");
        return;
    }
    if (!keyring_secret_read(look->config->world, &secret, &key, &error)) {
        look_fail(look,
                  "give the key where `retain.key` says that it is told; without it no run can be planned or resumed",
                  error);
        return;
    }
    seal_forget(&key);
    look_ok(look, "%s is a key; undo log, quarantine, listing, notes and samples are encrypted", secret.text);
}
