/* Lua's patterns (reference manual 5.4, §6.4.1) in a matcher of our own, complete and with the same results and
 * messages, but with a budget of steps: Lua's own runs for minutes on `a*a*a*a*b` and no hook fires in it.
 *
 * Letters, digits, spaces … are those of ASCII, whatever the locale. Pure: no memory but its own, no Lua. */
#pragma once

#include "base/slice.h"

enum { PATTERN_CAPTURES = 32, PATTERN_DEPTH = 200, PATTERN_FAULT_TEXT = 64 };

enum pattern_result {
    PATTERN_MATCHED,
    PATTERN_DIFFERS,
    PATTERN_FAULTY,    /* the pattern is malformed: `fault` says how */
    PATTERN_EXHAUSTED, /* the steps ran out */
};

enum pattern_capture_form { CAPTURE_OPEN, CAPTURE_CLOSED, CAPTURE_POSITION };

struct pattern_capture {
    const uint8_t *at;
    size_t len;
    enum pattern_capture_form form;
};

struct pattern {
    struct slice subject, text; /* text: of the pattern, without the `^` that anchors it */
    uint64_t steps;             /* left; about four in the time of one instruction of Lua */
    size_t n;                   /* captures of the last match */
    struct pattern_capture captures[PATTERN_CAPTURES];
    char fault[PATTERN_FAULT_TEXT];
    enum pattern_result halted; /* MATCHED while nothing has */
    int depth;
};

/* Takes a leading `^` off the text; *ret_anchored says whether there was one (NULL: `^` stands for itself, as in
 * gmatch). */
void pattern_init(struct pattern *pattern, struct slice subject, struct slice text, uint64_t steps, bool *ret_anchored);
/* Whether the pattern matches at that offset of the subject; *ret_end is the offset behind the match then. */
enum pattern_result pattern_at(struct pattern *pattern, size_t from, size_t *ret_end);
/* The same from that offset on, at the first place where it does (at this one only, if anchored); *ret_start is it. */
enum pattern_result pattern_search(struct pattern *pattern, size_t from, bool anchored, size_t *ret_start,
                                   size_t *ret_end);
/* Whether the text has none of the characters that are special in patterns. */
bool pattern_is_plain(struct slice text);
