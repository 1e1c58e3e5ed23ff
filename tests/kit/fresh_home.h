/* The home that a first command makes, from a copy: for tests that look at nothing of its making, and need many. */
#pragma once

#include "kit/fake_world.h"

/* Nothing stands at `home`. All homes of a process are equal, their id too. `fake`: what SQLite opens is its own
 * afterwards. */
void fresh_home_put(struct fake_world *fake, const char *home);
