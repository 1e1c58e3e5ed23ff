#include "plan/home.h"

#include <glib.h>

static const struct {
    const char *folder, *suffix;
} PLACES[] = {
    [HOME_UNDO] = {"undo/", ""},
    [HOME_QUARANTINE] = {"quarantine/", ".ndjson"},
    [HOME_REPORTS] = {"reports/", ""},
    [HOME_NOTES] = {"reports/", "/notes.ndjson"},
    [HOME_SAMPLE] = {"reports/", "/sample"},
    [HOME_LISTING] = {"listing/", ".list"},
    [HOME_SKIPS] = {"listing/", ".skip"},
    [HOME_SEEN] = {"listing/", ".seen"},
    [HOME_UNMATCHED] = {"listing/", ".unmatched.ndjson"},
    [HOME_TEXTS] = {"texts/", ".json"},
    [HOME_LOG] = {"runs/", ".log"},
    [HOME_LISTINGS] = {"listing", ""},
    [HOME_KEYS] = {"keys", ""},
    [HOME_KEY_UNDO] = {"keys/", ".undo"},
    [HOME_KEY_QUARANTINE] = {"keys/", ".quarantine"},
    [HOME_KEY_REPORTS] = {"keys/", ".reports"},
};

char *home_path(const char *home, enum home_place place, const char *name)
{
    return g_strconcat(home, "/", PLACES[place].folder, name ? name : "", PLACES[place].suffix, NULL);
}
