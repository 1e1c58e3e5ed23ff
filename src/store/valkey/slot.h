/* Hash slots: CRC16 (CCITT/XMODEM, as the cluster specification has it) of the key or of its hash tag. Pure. */
#pragma once

#include "base/slice.h"

#define SLOTS 16384u

uint16_t slot_of(struct slice key);

/* A short text without braces, of letters and digits, whose slot is `slot`: what stands in the braces of the keys that
 * sluice puts there. Static. The same in every version of sluice: it names keys that live longer than a process. */
const char *slot_tag(uint16_t slot);
