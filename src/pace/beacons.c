#include "pace/beacons.h"

#include <glib.h>
#include <math.h>
#include <string.h>

#include "base/int.h"

#define VERSION     1
#define PARTS       7
#define WINDOW_MOST 1024.0

enum { HUNGRY = 1, ACTIVE = 2, QUIET = 4, LACKS = 8 };

void beacon_write(const struct beacon *beacon, char ret[BEACON_TEXT])
{
    int flags = beacon->hungry * HUNGRY | beacon->active * ACTIVE | beacon->quiet * QUIET | beacon->lacks * LACKS;
    g_snprintf(ret, BEACON_TEXT, "%d %" G_GUINT64_FORMAT " %u %d %.0f %.0f %s", VERSION, beacon->beat, beacon->priority,
               flags, beacon->window * 1e6, beacon->allowed_us, beacon->who);
}

/* Of somebody else's: it may come to any terminal. */
static void take_who(const char *text, char ret[BEACON_WHO])
{
    g_strlcpy(ret, text, BEACON_WHO);
    for (char *c = ret; *c; c++)
        if (!g_ascii_isprint(*c))
            *c = '?';
}

bool beacon_read(const char *text, struct beacon *ret)
{
    uint64_t of[PARTS - 1];
    g_auto(GStrv) parts = g_strsplit(text, " ", PARTS);
    if (g_strv_length(parts) != PARTS)
        return false;
    for (size_t i = 0; i < PARTS - 1; i++)
        if (!int_parse_u64(slice_of_text(parts[i]), &of[i]))
            return false;
    if (of[0] != VERSION || of[2] > 9 || of[3] >= 2 * LACKS)
        return false;
    *ret = (struct beacon){.beat = of[1],
                           .priority = (uint32_t)of[2],
                           .window = fmin((double)of[4] / 1e6, WINDOW_MOST),
                           .allowed_us = (double)of[5],
                           .hungry = of[3] & HUNGRY,
                           .active = of[3] & ACTIVE,
                           .quiet = of[3] & QUIET,
                           .lacks = of[3] & LACKS};
    take_who(parts[PARTS - 1], ret->who);
    return true;
}

/* A row of that id; a new one where there is room, or where somebody is gone. */
static struct beacons_row *row_of(struct beacons *beacons, const char *id, int64_t now_us)
{
    struct beacons_row *gone = beacons->n < BEACONS_MOST ? &beacons->of[beacons->n] : NULL;
    for (size_t i = 0; i < beacons->n; i++) {
        if (strcmp(beacons->of[i].id, id) == 0)
            return &beacons->of[i];
        if (now_us - beacons->of[i].beat_us >= BEACONS_DEAD_US)
            gone = &beacons->of[i];
    }
    if (!gone)
        return NULL;
    beacons->n += gone == &beacons->of[beacons->n];
    *gone = (struct beacons_row){.beat_us = INT64_MIN / 2};
    g_strlcpy(gone->id, id, BEACON_ID);
    return gone;
}

bool beacons_see(struct beacons *beacons, const char *id, const struct beacon *beacon, int64_t now_us)
{
    struct beacons_row *row = strlen(id) < BEACON_ID ? row_of(beacons, id, now_us) : NULL;
    if (!row)
        return true;
    bool first = row->beat_us == INT64_MIN / 2;
    if (first || row->beacon.beat != beacon->beat)
        row->beat_us = now_us;
    row->beacon = *beacon;
    return now_us - row->beat_us < BEACONS_DEAD_US;
}

const struct beacon *beacons_next(const struct beacons *beacons, size_t *io_at, int64_t now_us)
{
    while (*io_at < beacons->n) {
        const struct beacons_row *row = &beacons->of[(*io_at)++];
        if (now_us - row->beat_us < BEACONS_LIVE_US)
            return &row->beacon;
    }
    return NULL;
}
