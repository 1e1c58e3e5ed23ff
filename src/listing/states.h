/* Inside listing/: the states of one key, and which of them loses. */
#pragma once

#include "base/file.h"
#include "listing/duplicates.h"

/* How versions of different kinds stand to each other. Durable only for the length of a pass. */
enum state_kind { STATE_NONE, STATE_INTEGER, STATE_TIME, STATE_UNREADABLE };

/* A state as it is sorted: by key digest, then version, then place. */
#define STATE_DIGEST_BYTES 16
#define STATE_KEY_BYTES    37
#define STATE_ITEM_BYTES   53

struct state {
    struct digest key;
    uint8_t kind;
    int64_t version;
    uint32_t part;
    uint64_t offset;
    uint64_t line;
    uint64_t content;
};

/* Big-endian, so that bytewise order is numeric order. Both move on: the one returns where, the other sets *from. */
uint8_t *states_bits_put(uint8_t *into, uint64_t bits, size_t width);
uint64_t states_bits_get(const uint8_t **from, size_t width);

void state_put(const struct state *state, uint8_t into[STATE_ITEM_BYTES]);
struct state state_get(const uint8_t from[STATE_ITEM_BYTES]);

/* All states of one key, however many: beyond a MiB they lie in a file. */
struct states;
struct states *states_new(const struct world *world, const char *dir);
void states_free(struct states *states);
AUTO_DEFINE(states, states_free)

void states_reset(struct states *states); /* for another key */
/* In their order. */
bool states_add(struct states *states, const struct state *state, GError **error);

/* What is known when all have been added. */
uint64_t states_count(const struct states *states);
bool states_ordered(const struct states *states); /* all have a version of one kind, or none has one */
bool states_equal(const struct states *states);   /* the contents at the highest version */
/* Two of them that explain what is wrong: of other kind, or of other content, or just the first two. */
void states_two(const struct states *states, struct state *ret_one, struct state *ret_other);

/* Calls each(user, state, reason, other) for every state that does not take part. */
typedef bool states_each(void *user, const struct state *state, enum skip_reason reason, const struct state *other,
                         GError **error);
bool states_losers(struct states *states, states_each *each, void *user, GError **error);
/* Calls it for every state that may not remove the key: `other` is older, and behind it or in another part. */
bool states_staying(struct states *states, states_each *each, void *user, GError **error);
