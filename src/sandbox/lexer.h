/* Inside sandbox/: the tokens of Lua 5.4, for operators.c. Of text that Lua's own compiler has accepted. */
#pragma once

#include "base/slice.h"

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_KEYWORD,
    TOKEN_NUMBER,
    TOKEN_STRING,
    TOKEN_SYMBOL, /* operators and punctuation */
    TOKEN_BAD,
};

struct token {
    enum token_kind kind;
    size_t at; /* offset in the source */
    struct slice text;
};

struct token lexer_next(struct slice source, size_t from);
bool lexer_is(const struct token *token, const char *text); /* a keyword or symbol */
