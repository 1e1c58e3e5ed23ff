#include "sandbox/lexer.h"

#include <glib.h>

static const char *const keywords[] = {"and",      "break",  "do",   "else", "elseif", "end",  "false", "for",
                                       "function", "goto",   "if",   "in",   "local",  "nil",  "not",   "or",
                                       "repeat",   "return", "then", "true", "until",  "while"};
/* The longest first. */
static const char *const symbols[] = {"...", "<<", ">>", "//", "==", "~=", "<=", ">=", "::", "..", "+",
                                      "-",   "*",  "/",  "%",  "^",  "#",  "&",  "~",  "|",  "<",  ">",
                                      "=",   "(",  ")",  "{",  "}",  "[",  "]",  ";",  ":",  ",",  "."};

static int byte_at(struct slice source, size_t at)
{
    return at < source.len ? source.data[at] : -1;
}

static bool is_space(int byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool is_name(int byte)
{
    return byte == '_' || (byte >= 0 && g_ascii_isalnum(byte));
}

/* Of `[[`, `[=[` …: the number of `=` and one; 0: it is no long bracket. */
static size_t bracket_level(struct slice source, size_t at)
{
    size_t level = 1;
    while (byte_at(source, at + level) == '=')
        level++;
    return byte_at(source, at + level) == '[' ? level : 0;
}

/* Behind the long bracket that begins at `at`; 0: it does not end. */
static size_t bracket_end(struct slice source, size_t at, size_t level)
{
    for (at += level + 1; at < source.len; at++) {
        if (source.data[at] != ']')
            continue;
        size_t n = 1;
        while (byte_at(source, at + n) == '=')
            n++;
        if (n == level && byte_at(source, at + n) == ']')
            return at + n + 1;
    }
    return 0;
}

/* Behind the comment at `at`; 0: it does not end. */
static size_t comment_end(struct slice source, size_t at)
{
    at += 2;
    size_t level = byte_at(source, at) == '[' ? bracket_level(source, at) : 0;
    if (level)
        return bracket_end(source, at, level);
    while (at < source.len && source.data[at] != '\n' && source.data[at] != '\r')
        at++;
    return at;
}

static size_t skip_blanks(struct slice source, size_t at, bool *ret_ok)
{
    *ret_ok = true;
    for (;;) {
        if (is_space(byte_at(source, at)))
            at++;
        else if (byte_at(source, at) == '-' && byte_at(source, at + 1) == '-') {
            at = comment_end(source, at);
            if (at == 0) {
                *ret_ok = false;
                return source.len;
            }
        } else
            return at;
    }
}

/* Behind the text in quotes; 0: it does not end in its line. */
static size_t quoted_end(struct slice source, size_t at)
{
    int quote = source.data[at++];
    while (at < source.len && source.data[at] != quote) {
        uint8_t byte = source.data[at++];
        if (byte == '\n' || byte == '\r')
            return 0;
        if (byte != '\\')
            continue;
        if (byte_at(source, at) == 'z')
            for (at++; is_space(byte_at(source, at)); at++)
                ;
        else
            at += byte_at(source, at) == '\r' && byte_at(source, at + 1) == '\n' ? 2 : 1;
    }
    return at < source.len ? at + 1 : 0;
}

static size_t number_end(struct slice source, size_t at)
{
    bool hex = source.data[at] == '0' && (byte_at(source, at + 1) | 0x20) == 'x';
    if (hex)
        at += 2;
    for (;; at++) {
        int byte = byte_at(source, at);
        if ((byte | 0x20) == (hex ? 'p' : 'e')) {
            int sign = byte_at(source, at + 1);
            at += sign == '+' || sign == '-';
        } else if (byte != '.' && !is_name(byte))
            return at;
    }
}

static struct token token_of(struct slice source, enum token_kind kind, size_t at, size_t end)
{
    if (end == 0)
        kind = TOKEN_BAD;
    return (struct token){.kind = kind, .at = at, .text = slice_of(source.data + at, end ? end - at : 0)};
}

static struct token name_or_keyword(struct slice source, size_t at)
{
    size_t end = at;
    while (is_name(byte_at(source, end)))
        end++;
    struct token token = token_of(source, TOKEN_NAME, at, end);
    for (size_t i = 0; i < G_N_ELEMENTS(keywords); i++)
        if (slice_equal(token.text, slice_of_text(keywords[i])))
            token.kind = TOKEN_KEYWORD;
    return token;
}

static struct token symbol(struct slice source, size_t at)
{
    for (size_t i = 0; i < G_N_ELEMENTS(symbols); i++) {
        size_t len = strlen(symbols[i]);
        if (source.len - at >= len && memcmp(source.data + at, symbols[i], len) == 0)
            return token_of(source, TOKEN_SYMBOL, at, at + len);
    }
    return token_of(source, TOKEN_BAD, at, 0);
}

struct token lexer_next(struct slice source, size_t from)
{
    bool ok;
    size_t at = skip_blanks(source, from, &ok);
    int byte = byte_at(source, at);
    if (byte < 0)
        return (struct token){.kind = ok ? TOKEN_END : TOKEN_BAD, .at = at};
    if (g_ascii_isdigit(byte) || (byte == '.' && at + 1 < source.len && g_ascii_isdigit(source.data[at + 1])))
        return token_of(source, TOKEN_NUMBER, at, number_end(source, at));
    if (is_name(byte))
        return name_or_keyword(source, at);
    if (byte == '"' || byte == '\'')
        return token_of(source, TOKEN_STRING, at, quoted_end(source, at));
    size_t level = byte == '[' ? bracket_level(source, at) : 0;
    if (level)
        return token_of(source, TOKEN_STRING, at, bracket_end(source, at, level));
    return symbol(source, at);
}

bool lexer_is(const struct token *token, const char *text)
{
    return (token->kind == TOKEN_KEYWORD || token->kind == TOKEN_SYMBOL) &&
           slice_equal(token->text, slice_of_text(text));
}
