/* Three operators of Lua that cannot be had right in Lua 5.4 from within, and are therefore calls in what is compiled:
 *
 *   a == b, a ~= b   between a number and a decimal are false and true in Lua without anyone being asked: whether
 *                    `doc.balance == 0` holds would depend on how a zero is spelled in the record. Here values count.
 *   a ^ b            is pow() of the C library, whose last digit differs between machines. Here whole exponents are
 *                    multiplied out, and others refused.
 *
 * The source is parsed as Lua's own parser does it and edited in place: `a == b` becomes `_sluice_eq(a , b)`. Lines
 * stay where they were, and operands are evaluated once and in the same order. Where an operand is a text, true, false,
 * nil, a table or a function written out, `==` stays. */
#pragma once

#include "sandbox/state.h"

enum operators_form { OPERATORS_CHUNK, OPERATORS_EXPRESSION };

/* Appends the edited source. false: it is not Lua (whose own compiler says why), or uses a name that begins with
 * _sluice_. */
bool operators_rewrite(struct slice source, enum operators_form form, GString *into);

/* What the edited source must begin with, and be called with (operators_push). It has no line of its own. */
#define OPERATORS_PRELUDE "local _sluice_eq,_sluice_ne,_sluice_pow=...;"
enum { OPERATORS_ARGUMENTS = 3 };
void operators_push(lua_State *lua);
