/* .json: an array of objects, an object, or several of these one behind the other. Each object is a record; whatever
 * else stands where one is expected is a fault, and reading goes on behind it.
 *
 * Objects are cut off by counting brackets outside of strings. Two things keep a broken object from taking the rest of
 * the file along: no string goes on behind the end of a line, and a bracket that closes one of the other kind closes
 * all that was opened since, as well.
 *
 * Where the records are a list within an object (FILE#MEMBER), cut_member.c goes to it and past what follows it; within
 * it there is no difference. */
#include "store/file/cutter.h"

enum { KNOWN_LEVELS = 128 };

/* --- where a value ends ---------------------------------------------------------------------------------------------
 */

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

static bool level_is_object(const struct cutter_search *search, uint64_t level)
{
    return search->objects[level / 64] >> (level % 64) & 1;
}

static void open_level(struct cutter_search *search, bool object)
{
    uint64_t level = search->depth++;
    if (level >= KNOWN_LEVELS)
        return;
    uint64_t bit = UINT64_C(1) << (level % 64);
    search->objects[level / 64] = object ? search->objects[level / 64] | bit : search->objects[level / 64] & ~bit;
}

/* false: the bracket closes nothing that this value has opened, so it is not of it. */
static bool close_level(struct cutter_search *search, bool object)
{
    if (search->depth > KNOWN_LEVELS) {
        search->depth--;
        return true;
    }
    for (uint64_t level = search->depth; level-- > 0;)
        if (level_is_object(search, level) == object) {
            search->depth = level;
            return true;
        }
    return false;
}

/* One byte within a string. */
static void quoted_byte(struct cutter_search *search, uint8_t byte)
{
    if (byte == '\n')
        search->quoted = false;
    else if (search->escaped)
        search->escaped = false;
    else if (byte == '\\')
        search->escaped = true;
    else if (byte == '"')
        search->quoted = false;
}

static bool nested_end(struct cutter_search *search, struct slice left, size_t seen, size_t *ret_end)
{
    for (size_t i = seen; i < left.len; i++) {
        uint8_t byte = left.data[i];
        if (search->quoted) {
            quoted_byte(search, byte);
        } else if (byte == '"') {
            search->quoted = true;
            search->escaped = false;
        } else if (byte == '{' || byte == '[') {
            open_level(search, byte == '{');
        } else if (byte == '}' || byte == ']') {
            bool ours = close_level(search, byte == '}');
            *ret_end = i + ours;
            if (!ours || search->depth == 0)
                return true;
        }
    }
    return false;
}

static bool string_end(struct cutter_search *search, struct slice left, size_t seen, size_t *ret_end)
{
    for (size_t i = seen; i < left.len; i++) {
        if (i == 0)
            search->quoted = true;
        else
            quoted_byte(search, left.data[i]);
        *ret_end = i + 1;
        if (!search->quoted)
            return true;
    }
    return false;
}

static bool token_end(struct slice left, size_t seen, size_t *ret_end)
{
    for (size_t i = MAX(seen, 1); i < left.len; i++) {
        *ret_end = i;
        if (is_blank(left.data[i]) || strchr(",[]{}\"", left.data[i]))
            return true;
    }
    return false;
}

static bool value_end(struct cutter *cutter, struct slice left, size_t seen, size_t *ret_end)
{
    struct cutter_search *search = &cutter->search;
    if (search->depth > 0 || (seen == 0 && left.len > 0 && (left.data[0] == '{' || left.data[0] == '[')))
        return nested_end(search, left, seen, ret_end);
    if (search->quoted || (seen == 0 && left.len > 0 && left.data[0] == '"'))
        return string_end(search, left, seen, ret_end);
    return token_end(left, seen, ret_end);
}

/* --- from one value to the next -------------------------------------------------------------------------------------
 */

bool cutter_json_blanks(struct cutter *cutter, GError **error)
{
    struct window *window = &cutter->window;
    for (;;) {
        struct slice left = window_left(window);
        size_t n = 0;
        while (n < left.len && is_blank(left.data[n]))
            n++;
        cutter_pass(cutter, n);
        if (n < left.len || window->ended)
            return true;
        if (!window_more(window, error))
            return false;
    }
}

/* A byte that is passed over without being a record. */
struct step {
    char byte;
    enum expects next;
    const char *fault; /* NULL: as it should be */
};

static const struct step steps[][3] = {
    [EXPECTS_TOP] = {{'[', EXPECTS_FIRST, NULL}, {',', EXPECTS_TOP, "expected a record or an array of records"}},
    [EXPECTS_FIRST] = {{']', EXPECTS_TOP, NULL}, {',', EXPECTS_VALUE, "expected a record or ']'"}},
    [EXPECTS_COMMA] = {{']', EXPECTS_TOP, NULL}, {',', EXPECTS_VALUE, NULL}},
    [EXPECTS_VALUE] = {{']', EXPECTS_TOP, "expected a record after ','"},
                       {',', EXPECTS_VALUE, "expected a record after ','"}},
};

static const struct step *step_of(const struct cutter *cutter, uint8_t byte)
{
    if (cutter->state.expects > EXPECTS_VALUE)
        return NULL;
    for (const struct step *step = steps[cutter->state.expects]; step->byte; step++)
        if (step->byte == (char)byte)
            return step;
    return NULL;
}

/* Nothing follows. */
static uint8_t behind_all(const struct cutter *cutter)
{
    return cutter->member ? EXPECTS_NOTHING : EXPECTS_TOP;
}

static void at_end(struct cutter *cutter, struct piece *ret)
{
    *ret = cutter_piece(cutter, PIECE_END, 0);
    if (cutter->state.expects != behind_all(cutter))
        cutter_fault(ret, "the array of records is not closed; has the file been cut off?");
    cutter->state.expects = behind_all(cutter);
}

static bool value_next(struct cutter *cutter, struct piece *ret, GError **error)
{
    bool comma_missing = cutter->state.expects == EXPECTS_COMMA;
    if (!cutter_cut(cutter, ret, error))
        return false;
    if (cutter->state.expects != EXPECTS_TOP)
        cutter->state.expects = EXPECTS_COMMA;
    if (comma_missing && ret->kind == PIECE_RECORD)
        cutter_fault(ret, "expected ',' or ']' before another record");
    if (cutter->search.depth > 0 && cutter->window.ended && window_left(&cutter->window).len == 0)
        cutter->state.expects = behind_all(cutter); /* cut off within a record: one fault is enough */
    return true;
}

static bool json_next(struct cutter *cutter, struct piece *ret, GError **error)
{
    if (cutter->state.expects == EXPECTS_MEMBER && !cutter_member_seek(cutter, error))
        return false;
    for (;;) {
        if (cutter->member && cutter->state.expects == EXPECTS_TOP)
            return cutter_member_rest(cutter, ret, error);
        if (!cutter_json_blanks(cutter, error))
            return false;
        struct slice left = window_left(&cutter->window);
        if (left.len == 0) {
            at_end(cutter, ret);
            return true;
        }
        const struct step *step = step_of(cutter, left.data[0]);
        if (!step)
            return value_next(cutter, ret, error);
        *ret = cutter_piece(cutter, PIECE_RECORD, 1);
        window_take(&cutter->window, 1);
        cutter->state.expects = (uint8_t)step->next;
        if (step->fault) {
            cutter_fault(ret, step->fault);
            return true;
        }
    }
}

const struct cutter_kind cutter_json = {
    .next = json_next, .find_end = value_end, .document = cutter_json_document, .counts_lines = true};
