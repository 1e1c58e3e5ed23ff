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
    [HOME_UNMATCHED] = {"listing/", ".unmatched.ndjson"},
    [HOME_TEXTS] = {"texts/", ".json"},
    [HOME_LOG] = {"runs/", ".log"},
    [HOME_LISTINGS] = {"listing", ""},
};

char *home_path(const char *home, enum home_place place, const char *name)
{
    return g_strconcat(home, "/", PLACES[place].folder, place == HOME_LISTINGS ? "" : name, PLACES[place].suffix, NULL);
}
