#include "store/valkey/claim.h"

#include "base/int.h"

enum { WORD_FLAGS = 2, WORD_EPOCH = 6, WORD_SLOTS = 8 };

void claim_init(struct claim *claim)
{
    *claim = (struct claim){.moves = g_array_new(FALSE, TRUE, sizeof(struct claim_move))};
}

void claim_done(struct claim *claim)
{
    if (claim->moves)
        g_array_free(claim->moves, TRUE);
}

/* Up to the sign, which is cut off as well; false: nothing is left. */
static bool claim_cut(struct slice *rest, char sign, struct slice *ret)
{
    if (rest->len == 0)
        return false;
    const uint8_t *end = memchr(rest->data, sign, rest->len);
    size_t len = end ? (size_t)(end - rest->data) : rest->len;
    *ret = slice_of(rest->data, len);
    *rest = end ? slice_of(end + 1, rest->len - len - 1) : SLICE_EMPTY;
    return true;
}

static bool claim_slot(struct slice text, uint16_t *ret)
{
    uint64_t slot;
    if (!int_parse_u64(text, &slot) || slot >= SLOTS)
        return false;
    *ret = (uint16_t)slot;
    return true;
}

/* `[93->-ID]` leaves; `[93-<-ID]` comes, which the other side tells. */
static bool claim_open(struct claim *claim, struct slice word)
{
    struct slice text = slice_of(word.data + 1, word.len - 1), slot;
    struct claim_move move = {0};
    if (!claim_cut(&text, '-', &slot) || !claim_slot(slot, &move.slot) || text.len < 3)
        return false;
    if (text.data[0] != '>')
        return text.data[0] == '<';
    size_t len = text.len - 3; /* >- ] */
    if (len >= sizeof move.to)
        return false;
    memcpy(move.to, text.data + 2, len);
    g_array_append_val(claim->moves, move);
    return true;
}

/* `5` or `0-5460`. */
static bool claim_range(struct claim *claim, struct slice word)
{
    struct slice first, last = word;
    uint16_t from, to;
    if (!claim_cut(&last, '-', &first) || !claim_slot(first, &from) || !claim_slot(last.len ? last : first, &to))
        return false;
    for (uint32_t slot = from; slot <= to; slot++)
        claim_bit_set(claim->owned, slot);
    return true;
}

static bool claim_word(struct claim *claim, size_t number, struct slice word)
{
    if (number == WORD_EPOCH)
        return int_parse_u64(word, &claim->config_epoch);
    if (number < WORD_SLOTS || word.len == 0)
        return true;
    return word.data[0] == '[' ? claim_open(claim, word) : claim_range(claim, word);
}

static bool claim_is_own(struct slice line)
{
    struct slice word = SLICE_EMPTY;
    for (size_t number = 0; number <= WORD_FLAGS; number++) {
        if (!claim_cut(&line, ' ', &word))
            return false;
    }
    return memmem(word.data, word.len, "myself", strlen("myself")) != NULL;
}

bool claim_read(struct claim *claim, struct slice nodes, GError **error)
{
    for (struct slice line, word; claim_cut(&nodes, '\n', &line);) {
        bool good = true;
        if (!claim_is_own(line))
            continue;
        if (line.data[line.len - 1] == '\r')
            line.len--;
        for (size_t number = 0; good && claim_cut(&line, ' ', &word); number++)
            good = claim_word(claim, number, word);
        return good || error_set(error, SLUICE_ERROR_STORE, "CLUSTER NODES: what is '%.*s'?", (int)MIN(word.len, 80u),
                                 (const char *)word.data);
    }
    return error_set(error, SLUICE_ERROR_STORE, "CLUSTER NODES: no line of the node itself");
}

const struct claim_move *claim_moving(const struct claim *claim, uint32_t slot)
{
    for (guint i = 0; i < claim->moves->len; i++) {
        const struct claim_move *move = &g_array_index(claim->moves, struct claim_move, i);
        if (move->slot == slot)
            return move;
    }
    return NULL;
}

bool claim_held(const struct claim *before, const struct claim *after, uint32_t slot)
{
    const struct claim_move *from = claim_moving(before, slot), *to = claim_moving(after, slot);
    return claim_bit(before->owned, slot) && claim_bit(after->owned, slot) &&
           before->config_epoch == after->config_epoch && g_str_equal(before->run_id, after->run_id) &&
           (from ? to && g_str_equal(from->to, to->to) : !to);
}
