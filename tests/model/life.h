/* Random lives of a run against a short reference of the promises.
 *
 * One life: records in a `mem` store, a spec, workers of which one at a time makes a step, an application that writes
 * between the steps, and deaths: between any two steps, in the middle of a cas, or just behind one whose answer is
 * lost. A dead worker's cas may still arrive, late. The seed decides everything; a failing seed is printed and can be
 * replayed with SLUICE_LIFE=SEED. */
#pragma once

#include "kit/fake_world.h"
#include "run/hold.h"
#include "run/worker.h"
#include "store/mem/mem.h"

#define LIFE_KEYS 60

enum life_mode { LIFE_IN_PLACE, LIFE_FILL, LIFE_OVERWRITE, LIFE_MODES };

/* What the application last did to a key, and what the run may have made of it. */
struct reference {
    int64_t value; /* of the newest write by the application, or of the beginning */
    bool present;
    bool touched; /* the application has written it while the run was at work */
    int64_t expires_at_ms;
};

struct life {
    struct fake_world fake;
    struct mem_space *space;
    struct mem_driver driver;
    const struct store_driver *drivers[2];
    struct store_registry *registry; /* of the process that is alive; NULL between deaths */
    char *dir, *home, *spec_path;
    uint64_t seed;
    enum life_mode mode;
    struct reference target[LIFE_KEYS], source[LIFE_KEYS];
    bool left_absent[LIFE_KEYS]; /* what the forward run left there was nothing: its last write removed the key */
    int64_t next_value;
    uint64_t app_number;
    /* met: races that were really run */
    uint64_t deaths, torn, lost, late, changed, done;
};

struct met {
    uint64_t deaths, torn, lost, late, fenced, changed, resumed;
};

void life_run(uint64_t seed, struct met *met);
