/* The grammar and the priorities are those of Lua 5.4's lparser.c. */
#include "sandbox/operators.h"

#include <math.h>

#include "sandbox/lexer.h"
#include "sandbox/values.h"

enum { NESTED_MOST = 250, LIMIT_UNARY = 12, OPERATOR_COST = 1, BYTES_PER_INSTRUCTION = 32 };

static const char *const functions[] = {"_sluice_eq(", "_sluice_ne(", "_sluice_pow("};
static const char reserved[] = "_sluice_";

/* One change of the source. At one place closing ones stand before the comma, and opening ones after it; of several
 * opening ones the last found is the outermost, of closing ones the first found the innermost. */
struct edit {
    size_t at;
    enum { EDIT_CLOSE, EDIT_COMMA, EDIT_OPEN } kind;
    const char *text;
    size_t removed; /* bytes of the operator */
    int sequence;
};

struct parse {
    struct slice source;
    struct token token, ahead; /* the one to be read, and the one after it */
    size_t end;                /* of the last token read */
    GArray *edits;
    int depth;
    bool failed;
};

/* An operand: where it lies, and what is known of its value. */
struct operand {
    size_t start, end;
    enum { OPERAND_ANY, OPERAND_NUMBER, OPERAND_LENGTH, OPERAND_NO_NUMBER } known;
};

static void statements(struct parse *parse);
static struct operand expression(struct parse *parse, int limit);

/* --- tokens ------------------------------------------------------------------------------------------------------- */

static void advance(struct parse *parse)
{
    parse->end = parse->token.at + parse->token.text.len;
    parse->token = parse->ahead;
    if (parse->ahead.kind != TOKEN_END && parse->ahead.kind != TOKEN_BAD)
        parse->ahead = lexer_next(parse->source, parse->ahead.at + parse->ahead.text.len);
    if (parse->token.kind == TOKEN_BAD)
        parse->failed = true;
}

static void give_up(struct parse *parse)
{
    parse->failed = true;
    parse->token = parse->ahead = (struct token){.kind = TOKEN_END, .at = parse->source.len};
}

static bool is(const struct parse *parse, const char *text)
{
    return lexer_is(&parse->token, text);
}

static bool accept(struct parse *parse, const char *text)
{
    if (!is(parse, text))
        return false;
    advance(parse);
    return true;
}

static void expect(struct parse *parse, const char *text)
{
    if (!accept(parse, text))
        give_up(parse);
}

static void expect_name(struct parse *parse)
{
    if (parse->token.kind != TOKEN_NAME ||
        (parse->token.text.len >= strlen(reserved) && memcmp(parse->token.text.data, reserved, strlen(reserved)) == 0))
        give_up(parse);
    else
        advance(parse);
}

static bool enter(struct parse *parse)
{
    if (++parse->depth > NESTED_MOST)
        give_up(parse);
    return !parse->failed;
}

static void leave(struct parse *parse)
{
    parse->depth--;
}

/* --- edits -------------------------------------------------------------------------------------------------------- */

static void add_edit(struct parse *parse, struct edit edit)
{
    edit.sequence = (int)parse->edits->len;
    g_array_append_val(parse->edits, edit);
}

static void make_call(struct parse *parse, const char *function, const struct operand *left,
                      const struct token *operator, const struct operand * right)
{
    add_edit(parse, (struct edit){.at = left->start, .kind = EDIT_OPEN, .text = function});
    add_edit(parse,
             (struct edit){.at = operator->at, .kind = EDIT_COMMA, .text = ",", .removed = operator->text.len});
    add_edit(parse, (struct edit){.at = right->end, .kind = EDIT_CLOSE, .text = ")"});
}

static int compare_edits(const void *one, const void *other)
{
    const struct edit *a = one, *b = other;
    if (a->at != b->at)
        return a->at < b->at ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return a->kind == EDIT_OPEN ? b->sequence - a->sequence : a->sequence - b->sequence;
}

/* `if-a == b`: what is put before the operand must not become part of the word before it. */
static bool follows_a_word(const GString *text)
{
    char last = text->len ? text->str[text->len - 1] : ' ';
    return last == '_' || g_ascii_isalnum(last);
}

/* `x = a == 1 (f or g)()` are two statements, and `_sluice_eq(a , 1) (f or g)()` would be one: behind the last of
 * several closing parentheses, an opening one can only begin a statement. */
static bool needs_semicolon(const struct parse *parse, guint i)
{
    const struct edit *edit = &g_array_index(parse->edits, struct edit, i);
    const struct edit *next = i + 1 < parse->edits->len ? edit + 1 : NULL;
    if (edit->kind != EDIT_CLOSE || (next && next->kind == EDIT_CLOSE && next->at == edit->at))
        return false;
    struct token token = lexer_next(parse->source, edit->at);
    return lexer_is(&token, "(");
}

/* Up to `end`. */
static void apply_edits(struct parse *parse, size_t end, GString *into)
{
    size_t at = 0;
    const char *source = (const char *)parse->source.data;
    g_array_sort(parse->edits, compare_edits);
    for (guint i = 0; i < parse->edits->len; i++) {
        const struct edit *edit = &g_array_index(parse->edits, struct edit, i);
        g_string_append_len(into, source + at, (gssize)(edit->at - at));
        g_string_append(into, edit->kind == EDIT_OPEN && follows_a_word(into) ? " " : "");
        g_string_append(into, edit->text);
        g_string_append(into, needs_semicolon(parse, i) ? ";" : "");
        at = edit->at + edit->removed;
    }
    g_string_append_len(into, source + at, (gssize)(end - at));
}

/* --- expressions -------------------------------------------------------------------------------------------------- */

static void expressions(struct parse *parse)
{
    do
        expression(parse, 0);
    while (accept(parse, ","));
}

/* From its parameters to its `end`. */
static void function_body(struct parse *parse)
{
    expect(parse, "(");
    while (!is(parse, ")") && !parse->failed) {
        if (!accept(parse, "..."))
            expect_name(parse);
        if (!accept(parse, ","))
            break;
    }
    expect(parse, ")");
    statements(parse);
    expect(parse, "end");
}

static void table(struct parse *parse)
{
    expect(parse, "{");
    while (!is(parse, "}") && !parse->failed) {
        if (accept(parse, "[")) {
            expression(parse, 0);
            expect(parse, "]");
            expect(parse, "=");
        } else if (parse->token.kind == TOKEN_NAME && lexer_is(&parse->ahead, "=")) {
            advance(parse);
            advance(parse);
        }
        expression(parse, 0);
        if (!accept(parse, ",") && !accept(parse, ";"))
            break;
    }
    expect(parse, "}");
}

static void arguments(struct parse *parse)
{
    if (parse->token.kind == TOKEN_STRING)
        advance(parse);
    else if (is(parse, "{"))
        table(parse);
    else {
        expect(parse, "(");
        if (!is(parse, ")"))
            expressions(parse);
        expect(parse, ")");
    }
}

/* One `.name`, `[x]`, `:name(…)` or `(…)`; false: there is none. */
static bool suffix(struct parse *parse)
{
    if (accept(parse, ".")) {
        parse->token.kind == TOKEN_NAME ? advance(parse) : give_up(parse);
    } else if (accept(parse, ":")) {
        parse->token.kind == TOKEN_NAME ? advance(parse) : give_up(parse);
        arguments(parse);
    } else if (accept(parse, "[")) {
        expression(parse, 0);
        expect(parse, "]");
    } else if (is(parse, "(") || is(parse, "{") || parse->token.kind == TOKEN_STRING)
        arguments(parse);
    else
        return false;
    return true;
}

static void suffixed(struct parse *parse)
{
    if (accept(parse, "(")) {
        expression(parse, 0);
        expect(parse, ")");
    } else
        expect_name(parse);
    while (!parse->failed && suffix(parse))
        ;
}

/* What is known of the value is that of what is written out. */
static void simple(struct parse *parse, struct operand *operand)
{
    operand->known = OPERAND_NO_NUMBER;
    if (parse->token.kind == TOKEN_NUMBER) {
        operand->known = OPERAND_NUMBER;
        advance(parse);
    } else if (parse->token.kind == TOKEN_STRING || is(parse, "nil") || is(parse, "true") || is(parse, "false"))
        advance(parse);
    else if (is(parse, "{"))
        table(parse);
    else if (accept(parse, "function"))
        function_body(parse);
    else {
        operand->known = OPERAND_ANY;
        if (!accept(parse, "..."))
            suffixed(parse);
    }
}

static const struct priority {
    const char *operator;
    int left, right;
    const char *function; /* NULL: it stays */
} priorities[] = {{"+", 10, 10, NULL},
                  {"-", 10, 10, NULL},
                  {"*", 11, 11, NULL},
                  {"%", 11, 11, NULL},
                  {"^", 14, 13, "_sluice_pow("},
                  {"/", 11, 11, NULL},
                  {"//", 11, 11, NULL},
                  {"&", 6, 6, NULL},
                  {"|", 4, 4, NULL},
                  {"~", 5, 5, NULL},
                  {"<<", 7, 7, NULL},
                  {">>", 7, 7, NULL},
                  {"..", 9, 8, NULL},
                  {"==", 3, 3, "_sluice_eq("},
                  {"~=", 3, 3, "_sluice_ne("},
                  {"<", 3, 3, NULL},
                  {"<=", 3, 3, NULL},
                  {">", 3, 3, NULL},
                  {">=", 3, 3, NULL},
                  {"and", 2, 2, NULL},
                  {"or", 1, 1, NULL}};

static const struct priority *priority_of(const struct token *token)
{
    for (size_t i = 0; i < G_N_ELEMENTS(priorities); i++)
        if (lexer_is(token, priorities[i].operator))
            return &priorities[i];
    return NULL;
}

/* Whether Lua's own `==` is right for these two: one can be neither number nor decimal, or no decimal at all. */
static bool needs_no_call(const struct operand *left, const struct operand *right)
{
    bool whole = left->known != OPERAND_ANY && right->known != OPERAND_ANY;
    return whole || left->known == OPERAND_NO_NUMBER || right->known == OPERAND_NO_NUMBER;
}

static struct operand unary(struct parse *parse)
{
    struct operand operand = {.start = parse->token.at};
    if (is(parse, "not") || is(parse, "-") || is(parse, "~") || is(parse, "#")) {
        bool length = is(parse, "#");
        advance(parse);
        expression(parse, LIMIT_UNARY);
        operand.known = length ? OPERAND_LENGTH : OPERAND_ANY;
    } else
        simple(parse, &operand);
    operand.end = parse->end;
    return operand;
}

static struct operand expression(struct parse *parse, int limit)
{
    struct operand left = {0};
    if (!enter(parse))
        return left;
    left = unary(parse);
    const struct priority *priority;
    while (!parse->failed && (priority = priority_of(&parse->token)) && priority->left > limit) {
        struct token operator= parse->token;
        advance(parse);
        struct operand right = expression(parse, priority->right);
        bool stays = !priority->function || (priority->function != functions[2] && needs_no_call(&left, &right));
        if (!stays)
            make_call(parse, priority->function, &left, &operator, & right);
        left.end = parse->end;
        left.known = OPERAND_ANY;
    }
    leave(parse);
    return left;
}

/* --- statements --------------------------------------------------------------------------------------------------- */

static void block_until_end(struct parse *parse)
{
    statements(parse);
    expect(parse, "end");
}

static void if_statement(struct parse *parse)
{
    do { /* `if` and each `elseif` */
        advance(parse);
        expression(parse, 0);
        expect(parse, "then");
        statements(parse);
    } while (is(parse, "elseif"));
    if (accept(parse, "else"))
        statements(parse);
    expect(parse, "end");
}

static void for_statement(struct parse *parse)
{
    advance(parse);
    do
        expect_name(parse);
    while (accept(parse, ","));
    if (!accept(parse, "="))
        expect(parse, "in");
    expressions(parse);
    expect(parse, "do");
    block_until_end(parse);
}

static void function_statement(struct parse *parse)
{
    advance(parse);
    do
        parse->token.kind == TOKEN_NAME ? expect_name(parse) : give_up(parse);
    while (accept(parse, ".") || accept(parse, ":"));
    function_body(parse);
}

static void local_statement(struct parse *parse)
{
    advance(parse);
    if (accept(parse, "function")) {
        expect_name(parse);
        function_body(parse);
        return;
    }
    do {
        expect_name(parse);
        if (accept(parse, "<")) {
            expect_name(parse);
            expect(parse, ">");
        }
    } while (accept(parse, ","));
    if (accept(parse, "="))
        expressions(parse);
}

static void assignment_or_call(struct parse *parse)
{
    do
        suffixed(parse);
    while (accept(parse, ","));
    if (accept(parse, "="))
        expressions(parse);
}

static void while_statement(struct parse *parse)
{
    advance(parse);
    expression(parse, 0);
    expect(parse, "do");
    block_until_end(parse);
}

static void do_statement(struct parse *parse)
{
    advance(parse);
    block_until_end(parse);
}

static void repeat_statement(struct parse *parse)
{
    advance(parse);
    statements(parse);
    expect(parse, "until");
    expression(parse, 0);
}

static void goto_statement(struct parse *parse)
{
    advance(parse);
    expect_name(parse);
}

static void label_statement(struct parse *parse)
{
    advance(parse);
    expect_name(parse);
    expect(parse, "::");
}

static bool ends_block(const struct parse *parse)
{
    return parse->failed || parse->token.kind == TOKEN_END || is(parse, "end") || is(parse, "else") ||
           is(parse, "elseif") || is(parse, "until");
}

static void return_statement(struct parse *parse)
{
    advance(parse);
    if (!ends_block(parse) && !is(parse, ";"))
        expressions(parse);
    accept(parse, ";");
}

static const struct statement {
    const char *first;
    void (*read)(struct parse *parse);
} statement_rows[] = {{";", advance},
                      {"break", advance},
                      {"if", if_statement},
                      {"while", while_statement},
                      {"do", do_statement},
                      {"for", for_statement},
                      {"repeat", repeat_statement},
                      {"function", function_statement},
                      {"local", local_statement},
                      {"::", label_statement},
                      {"goto", goto_statement},
                      {"return", return_statement}};

static void statement(struct parse *parse)
{
    for (size_t i = 0; i < G_N_ELEMENTS(statement_rows); i++)
        if (is(parse, statement_rows[i].first)) {
            statement_rows[i].read(parse);
            return;
        }
    assignment_or_call(parse);
}

static void statements(struct parse *parse)
{
    if (!enter(parse))
        return;
    while (!ends_block(parse))
        statement(parse);
    leave(parse);
}

bool operators_rewrite(struct slice source, enum operators_form form, GString *into)
{
    struct parse parse = {.source = source, .edits = g_array_new(FALSE, FALSE, sizeof(struct edit))};
    parse.ahead = lexer_next(source, 0);
    advance(&parse);
    parse.end = 0;
    if (form == OPERATORS_CHUNK)
        statements(&parse);
    else
        expression(&parse, 0);
    bool ok = !parse.failed && parse.token.kind == TOKEN_END;
    if (ok) /* without what a remark at the end of an expression would hide */
        apply_edits(&parse, form == OPERATORS_CHUNK ? source.len : parse.end, into);
    g_array_free(parse.edits, TRUE);
    return ok;
}

/* --- what the calls do -------------------------------------------------------------------------------------------- */

static bool equal(lua_State *lua)
{
    lua_settop(lua, 2); /* an operand may be a call that gave nothing, or more than one value */
    int a = lua_type(lua, 1), b = lua_type(lua, 2);
    if (a == LUA_TSTRING && b == LUA_TSTRING)
        limits_charge(lua, OPERATOR_COST + lua_rawlen(lua, 1) / BYTES_PER_INSTRUCTION);
    if ((a == LUA_TNUMBER && b == LUA_TUSERDATA) || (a == LUA_TUSERDATA && b == LUA_TNUMBER))
        return decimals_equal(lua, 1, 2);
    return lua_compare(lua, 1, 2, LUA_OPEQ);
}

static int operator_eq(lua_State *lua)
{
    lua_pushboolean(lua, equal(lua));
    return 1;
}

static int operator_ne(lua_State *lua)
{
    lua_pushboolean(lua, !equal(lua));
    return 1;
}

static double power(double base, uint64_t exponent)
{
    double result = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1)
            result *= base;
    return result;
}

static int operator_pow(lua_State *lua)
{
    int is_whole;
    lua_settop(lua, 2);
    for (int i = 1; i <= 2; i++)
        if (value_kind(lua, i) == VALUE_DECIMAL)
            return luaL_error(lua, "decimals have no '^': write x * x");
        else if (lua_type(lua, i) != LUA_TNUMBER)
            return luaL_error(lua, "attempt to perform arithmetic on a %s value", values_type(lua, i));
    lua_Integer exponent = lua_tointegerx(lua, 2, &is_whole);
    if (!is_whole)
        return luaL_error(lua, "'^' takes whole exponents only: of others the last digit differs between machines; "
                               "math.sqrt(x) is exact");
    double size = power(lua_tonumber(lua, 1), exponent < 0 ? 0 - (uint64_t)exponent : (uint64_t)exponent);
    lua_pushnumber(lua, exponent < 0 ? 1 / size : size);
    return 1;
}

void operators_open(lua_State *lua)
{
    lua_pushcfunction(lua, operator_eq);
    slot_set(lua, SLOT_OPERATOR_EQ);
    lua_pushcfunction(lua, operator_ne);
    slot_set(lua, SLOT_OPERATOR_NE);
    lua_pushcfunction(lua, operator_pow);
    slot_set(lua, SLOT_OPERATOR_POW);
}

void operators_push(lua_State *lua)
{
    slot_push(lua, SLOT_OPERATOR_EQ);
    slot_push(lua, SLOT_OPERATOR_NE);
    slot_push(lua, SLOT_OPERATOR_POW);
}
