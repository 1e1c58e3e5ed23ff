/* The beacons by which those who pace themselves on one server know of each other, whatever home or machine they are
 * of: each leaves one there and reads those of the others (who carries them: struct probe_ops). So they share what the
 * server has to spare, and are silent together while a baseline is taken.
 *
 * A beacon is a line of text with a beat that changes each time it is left: one that does not change is of somebody who
 * is gone. No clock of another machine is believed, and what is not understood is ignored. Pure. Caller's storage; one
 * thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    BEACON_WHO = 160,
    BEACON_TEXT = 320,
    BEACON_ID = 24,
    BEACONS_MOST = 32,         /* of others, on a server; more are ignored */
    BEACONS_LIVE_US = 2000000, /* so long after its last beat it counts */
    BEACONS_DEAD_US = 20000000 /* so long after it whoever sees it may remove it */
};

struct beacon {
    uint64_t beat;
    uint32_t priority; /* 0 … 9 */
    double window;     /* commands in flight that its governor allows */
    double allowed_us; /* what it has promised that the live p99 may rise by; 0: not known yet */
    bool hungry;       /* it has waited for its window: it would send more */
    bool active;       /* it sends, or waits */
    bool quiet;        /* it sends nothing now, and will not before all have what they lack */
    bool lacks;        /* a baseline, and asks the others to be quiet */
    char who[BEACON_WHO];
};

void beacon_write(const struct beacon *beacon, char ret[BEACON_TEXT]);
/* false: it is no beacon. `who` is fit to be shown: what is no printable ASCII is replaced. */
bool beacon_read(const char *text, struct beacon *ret);

struct beacons {
    struct beacons_row {
        char id[BEACON_ID];
        struct beacon beacon;
        int64_t beat_us; /* when it was last another one */
    } of[BEACONS_MOST];
    size_t n;
};

/* One was read. false: nobody has touched it for long. */
bool beacons_see(struct beacons *beacons, const char *id, const struct beacon *beacon, int64_t now_us);
/* The next live one from *io_at on, which begins with 0; NULL: no more. */
const struct beacon *beacons_next(const struct beacons *beacons, size_t *io_at, int64_t now_us);
