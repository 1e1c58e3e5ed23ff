#include "catalog/inside.h"

static const char *const RUN_WORDS[RUN_STATE_COUNT] = {
#define STATE(symbol, word, over) [RUN_##symbol] = word,
#include "catalog/state_rows.h"
#undef STATE
};

static const bool RUN_OVER[RUN_STATE_COUNT] = {
#define STATE(symbol, word, over) [RUN_##symbol] = over,
#include "catalog/state_rows.h"
#undef STATE
};

static const char *const STAGE_WORDS[STAGE_STATE_COUNT] = {
#define STAGE(symbol, word) [STAGE_##symbol] = word,
#include "catalog/state_rows.h"
#undef STAGE
};

static const char *const PART_WORDS[PART_STATE_COUNT] = {
#define PART(symbol, word) [PART_##symbol] = word,
#include "catalog/state_rows.h"
#undef PART
};

static const bool RUN_MOVES[RUN_STATE_COUNT][RUN_STATE_COUNT] = {
#define MOVE(from, to) [RUN_##from][RUN_##to] = true,
#include "catalog/state_rows.h"
#undef MOVE
};

static const bool STAGE_MOVES[STAGE_STATE_COUNT][STAGE_STATE_COUNT] = {
#define STAGE_MOVE(from, to) [STAGE_##from][STAGE_##to] = true,
#include "catalog/state_rows.h"
#undef STAGE_MOVE
};

static const bool PART_MOVES[PART_STATE_COUNT][PART_STATE_COUNT] = {
#define PART_MOVE(from, to) [PART_##from][PART_##to] = true,
#include "catalog/state_rows.h"
#undef PART_MOVE
};

const char *run_state_word(enum run_state state)
{
    g_assert((size_t)state < RUN_STATE_COUNT);
    return RUN_WORDS[state];
}

bool run_state_over(enum run_state state)
{
    g_assert((size_t)state < RUN_STATE_COUNT);
    return RUN_OVER[state];
}

bool run_state_may(enum run_state from, enum run_state to)
{
    return RUN_MOVES[from][to];
}

const char *stage_state_word(enum stage_state state)
{
    g_assert((size_t)state < STAGE_STATE_COUNT);
    return STAGE_WORDS[state];
}

bool stage_state_may(enum stage_state from, enum stage_state to)
{
    return STAGE_MOVES[from][to];
}

const char *part_state_word(enum part_state state)
{
    g_assert((size_t)state < PART_STATE_COUNT);
    return PART_WORDS[state];
}

bool part_state_may(enum part_state from, enum part_state to)
{
    return PART_MOVES[from][to];
}

enum run_state run_state_get(struct query *query)
{
    return (enum run_state)query_word(query, RUN_WORDS, RUN_STATE_COUNT);
}

enum stage_state stage_state_get(struct query *query)
{
    return (enum stage_state)query_word(query, STAGE_WORDS, STAGE_STATE_COUNT);
}

enum part_state part_state_get(struct query *query)
{
    return (enum part_state)query_word(query, PART_WORDS, PART_STATE_COUNT);
}
