/* The real sockets of this machine, whose n-th call fails, and which move few bytes at once; with a clock that jumps to
 * the end of every wait in which nothing came, where a test says so.
 *
 *     struct fake_net fake;
 *     fake_net_init(&fake);
 *     fake.call = "send", fake.nth = 2, fake.number = EPIPE;
 *     … hand &fake.world down … */
#pragma once

#include <stdatomic.h>

#include "base/world.h"

struct fake_net {
    struct world world;
    const char *call; /* a member of struct world_net */
    uint64_t nth;     /* of those calls, from 1; 0: no fault */
    int number;       /* the errno */
    bool lasting;     /* every later one fails too */
    const char *also; /* every name has this address too, behind what it has; NULL: none */
    size_t longest;   /* no call moves more bytes at once; 0: no limit */
    int send_buffer;  /* what the system keeps of what is sent, about; 0: as it likes */
    bool jumps;       /* nothing is waited for: what is not there at once never comes, and the clock goes on */
    atomic_int_fast64_t now_us;
    atomic_uint_fast64_t calls, fired, opened, closed, sends, receives, sent_bytes;
    atomic_size_t room;        /* that the last recv() was given */
    void (*waits)(void *self); /* told of every poll(); NULL: nobody */
    void *waits_self;
};

void fake_net_init(struct fake_net *fake);
