/* A probe that does what a client does on every server that takes writes (struct probe_ops): HGET and HSET by turns of
 * one small hash of sluice's own in a slot of the server, as often as its pace asks for (pace_probe_us(): two hundred
 * times a second, forty where next to nothing is sent), through a connection of its own.
 *
 * Its requests are never held up by answers that are late, nor by its own: a latency counts from when the request went
 * out to when its answer was taken. What it needs of rights the numbered writes need too. The hash expires within an
 * hour. One thread at a time. */
#pragma once

#include "store/store.h"

void valkey_set_pace(struct store *store, struct pace *pace);
bool valkey_probe_open(struct live_probe **ret, struct store *store, struct pace *pace, GError **error);
bool valkey_probe_run(struct live_probe *probe, const struct call *call, GError **error);
void valkey_probe_close(struct live_probe *probe);
