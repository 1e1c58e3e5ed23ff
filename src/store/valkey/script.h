/* The scripts that servers run for sluice (scripts/NAME.lua says what each is given and gives), compiled in. They keep
 * to the keys that they are given, hold no state, and are replicated by their effects. */
#pragma once

struct valkey_script {
    const char *name;
    const char *sha; /* of the text: what EVALSHA takes */
    const char *text;
};

extern const struct valkey_script script_cas, script_take, script_record, script_witness, script_lock, script_rights,
    script_together, script_end;
