/* The algorithm is that of Lua's lstrlib.c: backtracking, one level of recursion for each item that can be tried again.
 * tests and fuzz/fuzz_pattern.c hold it against Lua's on short inputs. */
#include "sandbox/pattern.h"

#include <glib.h>

/* A place in the subject (NULL: it does not match) and in the pattern. */
struct place {
    const uint8_t *s, *p;
};

enum step { STEP_GO_ON, STEP_RETURN, STEP_SINGLE };

static const uint8_t *subject_end(const struct pattern *pattern)
{
    return pattern->subject.data + pattern->subject.len;
}

static const uint8_t *text_end(const struct pattern *pattern)
{
    return pattern->text.data + pattern->text.len;
}

/* The byte at that place of the pattern; 0 at its end. */
static uint8_t peek(const struct pattern *pattern, const uint8_t *p)
{
    return p < text_end(pattern) ? *p : 0;
}

static const uint8_t *halt(struct pattern *pattern, enum pattern_result why)
{
    if (pattern->halted == PATTERN_MATCHED)
        pattern->halted = why;
    return NULL;
}

static const uint8_t *fault(struct pattern *pattern, const char *words)
{
    if (pattern->halted == PATTERN_MATCHED)
        g_strlcpy(pattern->fault, words, sizeof pattern->fault);
    return halt(pattern, PATTERN_FAULTY);
}

static bool spend(struct pattern *pattern, size_t steps)
{
    if (pattern->halted != PATTERN_MATCHED)
        return false;
    if (pattern->steps < steps) {
        pattern->steps = 0;
        halt(pattern, PATTERN_EXHAUSTED);
        return false;
    }
    pattern->steps -= steps;
    return true;
}

static bool in_class(uint8_t byte, uint8_t class)
{
    bool in;
    switch (g_ascii_tolower((char)class)) {
    case 'a':
        in = g_ascii_isalpha(byte);
        break;
    case 'c':
        in = g_ascii_iscntrl(byte);
        break;
    case 'd':
        in = g_ascii_isdigit(byte);
        break;
    case 'g':
        in = g_ascii_isgraph(byte);
        break;
    case 'l':
        in = g_ascii_islower(byte);
        break;
    case 'p':
        in = g_ascii_ispunct(byte);
        break;
    case 's':
        in = g_ascii_isspace(byte) || byte == '\v'; /* which GLib's list leaves out */
        break;
    case 'u':
        in = g_ascii_isupper(byte);
        break;
    case 'w':
        in = g_ascii_isalnum(byte);
        break;
    case 'x':
        in = g_ascii_isxdigit(byte);
        break;
    case 'z': /* no longer in the manual, but still there */
        in = byte == 0;
        break;
    default:
        return class == byte;
    }
    return g_ascii_isupper(class) ? !in : in;
}

/* Behind the single item (a character, a class, a set) at p, which is not the end. */
static const uint8_t *item_end(struct pattern *pattern, const uint8_t *p)
{
    const uint8_t *end = text_end(pattern);
    uint8_t first = *p++;
    if (first == '%')
        return p == end ? fault(pattern, "malformed pattern (ends with '%')") : p + 1;
    if (first != '[')
        return p;
    if (peek(pattern, p) == '^')
        p++;
    do {
        if (p >= end)
            return fault(pattern, "malformed pattern (missing ']')");
        if (*p++ == '%' && p < end)
            p++;
    } while (p >= end || *p != ']');
    return p + 1;
}

/* p: its `[`; last: its `]` */
static bool in_set(uint8_t byte, const uint8_t *p, const uint8_t *last)
{
    bool in = true;
    if (p[1] == '^') {
        in = false;
        p++;
    }
    while (++p < last) {
        if (*p == '%') {
            if (in_class(byte, *++p))
                return in;
        } else if (p[1] == '-' && p + 2 < last) {
            p += 2;
            if (p[-2] <= byte && byte <= *p)
                return in;
        } else if (*p == byte)
            return in;
    }
    return !in;
}

static bool single_fits(struct pattern *pattern, const uint8_t *s, const uint8_t *p, const uint8_t *end)
{
    if (!spend(pattern, 1 + (size_t)(end - p) / 2) || s >= subject_end(pattern))
        return false;
    switch (*p) {
    case '.':
        return true;
    case '%':
        return in_class(*s, p[1]);
    case '[':
        return in_set(*s, p, end - 1);
    default:
        return *p == *s;
    }
}

static const uint8_t *match(struct pattern *pattern, struct place at);

static const uint8_t *expand_most(struct pattern *pattern, struct place at, const uint8_t *end)
{
    size_t n = 0;
    while (single_fits(pattern, at.s + n, at.p, end))
        n++;
    for (;; n--) {
        const uint8_t *found = match(pattern, (struct place){.s = at.s + n, .p = end + 1});
        if (found || n == 0 || pattern->halted != PATTERN_MATCHED)
            return found;
    }
}

static const uint8_t *expand_least(struct pattern *pattern, struct place at, const uint8_t *end)
{
    for (;; at.s++) {
        const uint8_t *found = match(pattern, (struct place){.s = at.s, .p = end + 1});
        if (found || !single_fits(pattern, at.s, at.p, end))
            return found;
    }
}

static const uint8_t *capture_begin(struct pattern *pattern, struct place at, enum pattern_capture_form form)
{
    if (pattern->n >= PATTERN_CAPTURES)
        return fault(pattern, "too many captures");
    pattern->captures[pattern->n] = (struct pattern_capture){.at = at.s, .form = form};
    pattern->n++;
    const uint8_t *found = match(pattern, at);
    if (!found)
        pattern->n--;
    return found;
}

static const uint8_t *capture_end(struct pattern *pattern, struct place at)
{
    size_t i = pattern->n;
    while (i > 0 && pattern->captures[i - 1].form != CAPTURE_OPEN)
        i--;
    if (i == 0)
        return fault(pattern, "invalid pattern capture");
    struct pattern_capture *capture = &pattern->captures[i - 1];
    capture->len = (size_t)(at.s - capture->at);
    capture->form = CAPTURE_CLOSED;
    const uint8_t *found = match(pattern, at);
    if (!found)
        capture->form = CAPTURE_OPEN;
    return found;
}

/* `%bxy`: behind the balanced text at s; p is at x. */
static const uint8_t *balanced(struct pattern *pattern, const uint8_t *s, const uint8_t *p)
{
    const uint8_t *end = subject_end(pattern);
    size_t depth = 1;
    if (p + 1 >= text_end(pattern))
        return fault(pattern, "malformed pattern (missing arguments to '%b')");
    if (s >= end || *s != p[0])
        return NULL;
    while (++s < end && spend(pattern, 1)) {
        if (*s == p[1]) {
            if (--depth == 0)
                return s + 1;
        } else if (*s == p[0])
            depth++;
    }
    return NULL;
}

/* `%1`: the same text once more. */
static const uint8_t *back_reference(struct pattern *pattern, const uint8_t *s, uint8_t digit)
{
    size_t i = (size_t)(digit - '1');
    if (digit < '1' || i >= pattern->n || pattern->captures[i].form == CAPTURE_OPEN) {
        char words[PATTERN_FAULT_TEXT];
        g_snprintf(words, sizeof words, "invalid capture index %%%d", digit - '0');
        return fault(pattern, words);
    }
    const struct pattern_capture *capture = &pattern->captures[i];
    if (capture->form == CAPTURE_POSITION) /* which is no text: Lua compares its negative length, and it never fits */
        return NULL;
    if (!spend(pattern, capture->len / 16) || (size_t)(subject_end(pattern) - s) < capture->len ||
        memcmp(capture->at, s, capture->len) != 0)
        return NULL;
    return s + capture->len;
}

static enum step frontier(struct pattern *pattern, struct place *at)
{
    const uint8_t *p = at->p + 2;
    if (peek(pattern, p) != '[') {
        at->s = fault(pattern, "missing '[' after '%f' in pattern");
        return STEP_RETURN;
    }
    const uint8_t *end = item_end(pattern, p);
    if (end && spend(pattern, 1 + (size_t)(end - p))) {
        uint8_t before = at->s == pattern->subject.data ? 0 : at->s[-1];
        uint8_t here = at->s == subject_end(pattern) ? 0 : *at->s;
        if (!in_set(before, p, end - 1) && in_set(here, p, end - 1)) {
            at->p = end;
            return STEP_GO_ON;
        }
    }
    at->s = NULL;
    return STEP_RETURN;
}

static enum step escape(struct pattern *pattern, struct place *at)
{
    uint8_t what = peek(pattern, at->p + 1);
    if (what == 'f')
        return frontier(pattern, at);
    if (what != 'b' && !g_ascii_isdigit(what))
        return STEP_SINGLE;
    at->s = what == 'b' ? balanced(pattern, at->s, at->p + 2) : back_reference(pattern, at->s, what);
    at->p += what == 'b' ? 4 : 2;
    return at->s ? STEP_GO_ON : STEP_RETURN;
}

static enum step special(struct pattern *pattern, struct place *at)
{
    switch (*at->p) {
    case '(': {
        bool position = peek(pattern, at->p + 1) == ')';
        struct place then = {.s = at->s, .p = at->p + (position ? 2 : 1)};
        at->s = capture_begin(pattern, then, position ? CAPTURE_POSITION : CAPTURE_OPEN);
        return STEP_RETURN;
    }
    case ')':
        at->s = capture_end(pattern, (struct place){.s = at->s, .p = at->p + 1});
        return STEP_RETURN;
    case '$':
        if (at->p + 1 != text_end(pattern))
            return STEP_SINGLE;
        if (at->s != subject_end(pattern))
            at->s = NULL;
        return STEP_RETURN;
    case '%':
        return escape(pattern, at);
    default:
        return STEP_SINGLE;
    }
}

/* A single item and what follows it: `*`, `+`, `-`, `?` or nothing. */
static enum step single(struct pattern *pattern, struct place *at)
{
    const uint8_t *end = item_end(pattern, at->p);
    if (!end || !spend(pattern, (size_t)(end - at->p) / 2)) {
        at->s = NULL;
        return STEP_RETURN;
    }
    uint8_t suffix = peek(pattern, end);
    if (suffix == '*' || suffix == '-') {
        at->s = suffix == '*' ? expand_most(pattern, *at, end) : expand_least(pattern, *at, end);
        return STEP_RETURN;
    }
    bool fits = single_fits(pattern, at->s, at->p, end);
    if (suffix == '?') {
        const uint8_t *found = fits ? match(pattern, (struct place){.s = at->s + 1, .p = end + 1}) : NULL;
        at->p = end + 1;
        if (!found)
            return STEP_GO_ON;
        at->s = found;
        return STEP_RETURN;
    }
    if (!fits)
        at->s = NULL;
    else if (suffix == '+')
        at->s = expand_most(pattern, (struct place){.s = at->s + 1, .p = at->p}, end);
    else {
        at->s++;
        at->p = end;
        return STEP_GO_ON;
    }
    return STEP_RETURN;
}

static const uint8_t *match_items(struct pattern *pattern, struct place at)
{
    while (at.p < text_end(pattern)) {
        if (!spend(pattern, 1))
            return NULL;
        enum step step = special(pattern, &at);
        if (step == STEP_SINGLE)
            step = single(pattern, &at);
        if (step == STEP_RETURN)
            return at.s;
    }
    return at.s;
}

static const uint8_t *match(struct pattern *pattern, struct place at)
{
    if (pattern->depth == PATTERN_DEPTH)
        return fault(pattern, "pattern too complex");
    pattern->depth++;
    const uint8_t *found = match_items(pattern, at);
    pattern->depth--;
    return pattern->halted == PATTERN_MATCHED ? found : NULL;
}

void pattern_init(struct pattern *pattern, struct slice subject, struct slice text, uint64_t steps, bool *ret_anchored)
{
    bool anchored = ret_anchored && text.len > 0 && text.data[0] == '^';
    pattern->subject = subject;
    pattern->text = anchored ? slice_of(text.data + 1, text.len - 1) : text;
    pattern->steps = steps;
    pattern->n = 0;
    pattern->halted = PATTERN_MATCHED;
    pattern->depth = 0;
    if (ret_anchored)
        *ret_anchored = anchored;
}

enum pattern_result pattern_at(struct pattern *pattern, size_t from, size_t *ret_end)
{
    pattern->n = 0;
    const uint8_t *at = pattern->subject.data + from;
    const uint8_t *found = match(pattern, (struct place){.s = at, .p = pattern->text.data});
    if (pattern->halted != PATTERN_MATCHED)
        return pattern->halted;
    if (!found)
        return PATTERN_DIFFERS;
    *ret_end = (size_t)(found - pattern->subject.data);
    return PATTERN_MATCHED;
}

enum pattern_result pattern_search(struct pattern *pattern, size_t from, bool anchored, size_t *ret_start,
                                   size_t *ret_end)
{
    for (size_t at = from; at <= pattern->subject.len; at++) {
        enum pattern_result result = pattern_at(pattern, at, ret_end);
        if (result == PATTERN_MATCHED)
            *ret_start = at;
        if (result != PATTERN_DIFFERS || anchored)
            return result;
    }
    return PATTERN_DIFFERS;
}

bool pattern_is_plain(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] && strchr("^$*+?.([%-", text.data[i]))
            return false;
    return true;
}
