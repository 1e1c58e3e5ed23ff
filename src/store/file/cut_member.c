/* FILE#MEMBER: the records are a list within the object that the file is. Goes to it, and past what follows it, so that
 * whatever was lost of the object is found. The values of other members are passed over, not looked into. */
#include "record/document.h"
#include "record/path.h"
#include "record/text.h"
#include "store/file/cutter.h"

enum { NAME_MEMORY = 1 << 16, NAMED_MOST = 10 };

/* What is met on the way. */
enum found { FOUND_NAME, FOUND_END /* of the object */, FOUND_FAULT };

struct walk {
    struct cutter *cutter;
    struct arena *mem;
    struct slice name; /* of FOUND_NAME, in mem; its value is next */
    const char *fault; /* of FOUND_FAULT, at the cutter's place */
    GString *names;    /* met so far, for a message */
    size_t n_names;
};

/* --- one step -------------------------------------------------------------------------------------------------------
 */

/* The next byte that is not blank; 0 at the end of the data. Not passed over. */
static bool byte_next(struct walk *walk, uint8_t *ret, GError **error)
{
    if (!cutter_json_blanks(walk->cutter, error))
        return false;
    struct slice left = window_left(&walk->cutter->window);
    *ret = left.len > 0 ? left.data[0] : 0;
    return true;
}

static bool fault(struct walk *walk, enum found *ret, const char *what)
{
    walk->fault =
        window_left(&walk->cutter->window).len > 0 ? what : "the object is not closed; has the file been cut off?";
    *ret = FOUND_FAULT;
    return true;
}

/* The text of a name is read as a document of one field. */
static bool name_of(struct walk *walk, struct slice text)
{
    size_t at;
    struct slice document;
    bson_iter_t iter;
    g_autoptr(GError) error = NULL;
    g_autofree char *json = g_strdup_printf("{%.*s:0}", (int)MIN(text.len, NAME_MEMORY), (const char *)text.data);
    arena_reset(walk->mem);
    if (!document_from_json(slice_of_text(json), walk->mem, &document, &at, &error) ||
        !bson_iter_init_from_data(&iter, document.data, document.len) || !bson_iter_next(&iter))
        return false;
    walk->name = slice_of_text(bson_iter_key(&iter));
    return true;
}

static void remember(struct walk *walk)
{
    char quote[TEXT_QUOTE];
    if (walk->n_names++ < NAMED_MOST)
        g_string_append_printf(walk->names, "%s'%s'", walk->n_names > 1 ? ", " : "", text_quote(walk->name, quote));
}

/* A name and its colon; stands before the value. */
static bool name_take(struct walk *walk, enum found *ret, GError **error)
{
    struct piece piece;
    uint8_t byte;
    if (!cutter_cut(walk->cutter, &piece, error))
        return false;
    bool good = piece.kind == PIECE_RECORD && name_of(walk, piece.text);
    if (!byte_next(walk, &byte, error))
        return false;
    if (!good || byte != ':')
        return fault(walk, ret, good ? "expected ':' behind a member's name" : "a member's name cannot be read");
    cutter_pass(walk->cutter, 1);
    remember(walk);
    *ret = FOUND_NAME;
    return byte_next(walk, &byte, error);
}

/* From behind '{' or a value to the next name, or behind '}'. */
static bool member_next(struct walk *walk, bool first, enum found *ret, GError **error)
{
    uint8_t byte;
    if (!byte_next(walk, &byte, error))
        return false;
    if (byte == '}') {
        cutter_pass(walk->cutter, 1);
        *ret = FOUND_END;
        return true;
    }
    if (!first) {
        if (byte != ',')
            return fault(walk, ret, "expected ',' or '}' behind a member");
        cutter_pass(walk->cutter, 1);
        if (!byte_next(walk, &byte, error))
            return false;
    }
    return byte == '"' ? name_take(walk, ret, error) : fault(walk, ret, "expected a member's name in double quotes");
}

static bool value_pass(struct walk *walk, GError **error)
{
    struct piece piece;
    return cutter_cut(walk->cutter, &piece, error);
}

/* --- before the list ------------------------------------------------------------------------------------------------
 */

static bool refuse(const struct walk *walk, const char *what, GError **error)
{
    const struct cutter *cutter = walk->cutter;
    error_set(error, SLUICE_ERROR_CORRUPT,
              "%s:%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT ": %s; expected an object with "
              "the list '%s' in it, as the dataset says%s%s",
              cutter->path, (guint64)cutter->state.line, (guint64)(cutter->window.offset - cutter->state.line_at + 1),
              what, path_text(cutter->member), walk->n_names > 0 ? "; there are " : "", walk->names->str);
    return false;
}

/* Behind an object's '{'; stands before the value of the member of that name. */
static bool find_name(struct walk *walk, struct slice name, GError **error)
{
    enum found found;
    for (bool first = true;; first = false) {
        if (!member_next(walk, first, &found, error))
            return false;
        if (found == FOUND_FAULT)
            return refuse(walk, walk->fault, error);
        if (found == FOUND_END)
            return refuse(walk, "it has no such member", error);
        if (slice_equal(walk->name, name))
            return true;
        if (!value_pass(walk, error))
            return false;
    }
}

static bool open_value(struct walk *walk, uint8_t bracket, GError **error)
{
    uint8_t byte;
    if (!byte_next(walk, &byte, error))
        return false;
    if (byte != bracket)
        return refuse(walk, bracket == '{' ? "this is no object" : "this is no list", error);
    cutter_pass(walk->cutter, 1);
    return true;
}

static bool seek(struct walk *walk, GError **error)
{
    const struct path *member = walk->cutter->member;
    for (size_t i = 0; i < path_count(member); i++) {
        if (!open_value(walk, '{', error))
            return false;
        g_string_truncate(walk->names, 0);
        walk->n_names = 0;
        if (!find_name(walk, path_name(member, i), error))
            return false;
    }
    return open_value(walk, '[', error);
}

static struct walk walk_begin(struct cutter *cutter)
{
    return (struct walk){.cutter = cutter, .mem = arena_new(4 * NAME_MEMORY), .names = g_string_new(NULL)};
}

static void walk_end(struct walk *walk)
{
    arena_free(walk->mem);
    g_string_free(walk->names, TRUE);
}

bool cutter_member_seek(struct cutter *cutter, GError **error)
{
    struct walk walk = walk_begin(cutter);
    bool found = seek(&walk, error);
    if (found)
        cutter->state.expects = EXPECTS_FIRST;
    walk_end(&walk);
    return found;
}

/* --- behind the list ------------------------------------------------------------------------------------------------
 */

/* What is left of the object at that level of the path. */
static bool level_rest(struct walk *walk, size_t level, enum found *ret, GError **error)
{
    struct slice taken = path_name(walk->cutter->member, level);
    for (;;) {
        if (!member_next(walk, false, ret, error))
            return false;
        if (*ret != FOUND_NAME)
            return true;
        if (slice_equal(walk->name, taken))
            return fault(walk, ret, "the member that holds the records stands here again; only the first was read");
        if (!value_pass(walk, error))
            return false;
    }
}

static bool all_rest(struct walk *walk, enum found *ret, GError **error)
{
    uint8_t byte;
    for (size_t level = path_count(walk->cutter->member); level-- > 0;) {
        if (!level_rest(walk, level, ret, error))
            return false;
        if (*ret == FOUND_FAULT)
            return true;
    }
    if (!byte_next(walk, &byte, error))
        return false;
    return window_left(&walk->cutter->window).len == 0 || fault(walk, ret, "something follows the object");
}

static bool drain(struct window *window, GError **error)
{
    while (!window->ended || window_left(window).len > 0) {
        window_take(window, window_left(window).len);
        if (!window->ended && !window_more(window, error))
            return false;
    }
    return true;
}

bool cutter_member_rest(struct cutter *cutter, struct piece *ret, GError **error)
{
    struct walk walk = walk_begin(cutter);
    enum found found = FOUND_END;
    bool ok = all_rest(&walk, &found, error);
    if (ok) {
        *ret = cutter_piece(cutter, PIECE_END, 0);
        if (found == FOUND_FAULT)
            cutter_fault(ret, walk.fault);
        cutter->state.expects = EXPECTS_NOTHING;
        ok = drain(&cutter->window, error);
    }
    walk_end(&walk);
    return ok;
}
