/* Exact decimals, points in time, binary, uuids; text of all of them; numbers and comparisons. */
#include "unit/sandbox/lua_kit.h"

static void decimals_are_exact(void **state)
{
    static const struct lua_case cases[] = {
        {"doc.b = doc.b + decimal '0.20' return doc", "{\"b\":0.10}", "{\"b\":0.30}"},
        {"doc.b = doc.b * 1.19 return doc", "{\"b\":100.00}", "{\"b\":119.0000}"},
        {"doc.b = decimal.round(doc.b * 1.19, 2) return doc", "{\"b\":10.05}", "{\"b\":11.96}"},
        {"doc.b = (doc.b * 1.19):round(2) return doc", "{\"b\":10.05}", "{\"b\":11.96}"},
        {"doc.b = decimal.round(decimal '2.5') return doc", NULL, "{\"b\":2}"},
        {"doc.b = decimal.round(decimal '3.5', 0) return doc", NULL, "{\"b\":4}"},
        {"doc.b = doc.b + 1 return doc", "{\"b\":0.10}", "{\"b\":1.10}"},
        {"doc.b = 1 - doc.b return doc", "{\"b\":0.10}", "{\"b\":0.90}"},
        {"doc.b = -doc.b return doc", "{\"b\":0.10}", "{\"b\":-0.10}"},
        {"doc.b = doc.b / 3 return doc", "{\"b\":1.00}", "{\"b\":0.3333333333333333333333333333333333}"},
        {"doc.b = doc.b / 4 return doc", "{\"b\":1.00}", "{\"b\":0.25}"},
        {"doc.b = decimal(5) return doc", NULL, "{\"b\":5}"},
        {"doc.b = decimal(0.1) + decimal(doc.c) return doc", "{\"c\":0.20}", "{\"c\":0.20,\"b\":0.30}"},
        {"doc.b = math.floor(doc.b) doc.c = math.ceil(doc.c) return doc", "{\"b\":-1.50,\"c\":1.01}",
         "{\"b\":-2,\"c\":2}"},
        {"doc.b = math.abs(doc.b) doc.c = math.max(doc.b, 1, 0.5) return doc", "{\"b\":-1.50}",
         "{\"b\":1.50,\"c\":1.50}"},
        {"doc.b = math.floor(decimal '1e40') return doc", NULL, "{\"b\":1E+40}"},
        {"return {s = 'EUR ' .. doc.b .. '!'}", "{\"b\":1.10}", "{\"s\":\"EUR 1.10!\"}"},
        {"return {s = tostring(doc.b), n = tonumber(doc.b), i = tonumber(decimal '7.00')}", "{\"b\":1.10}",
         "{\"i\":7,\"n\":1.1,\"s\":\"1.10\"}"},
        {"return {a = doc.b < 1, b = doc.b <= decimal '0.1', c = doc.b > 0.05, d = doc.b < math.huge, e = doc.b < 0/0}",
         "{\"b\":0.10}", "{\"a\":true,\"b\":true,\"c\":true,\"d\":true,\"e\":false}"},
    };
    lua_kit_check_all(cases);
}

static void what_a_decimal_cannot_do_is_told(void **state)
{
    static const struct lua_case cases[] = {
        {"return doc.b * '2'", "{\"b\":0.10}",
         "lua: fix.lua:1: a decimal and a string do not go together; make a number of the text: decimal(x)"},
        {"return doc.b + nil", "{\"b\":0.10}", "lua: fix.lua:1: a decimal and a nil do not go together"},
        {"return doc.b + null", "{\"b\":0.10}", "lua: fix.lua:1: a decimal and a null do not go together"},
        {"return doc.b * (0/0)", "{\"b\":0.10}",
         "lua: fix.lua:1: a decimal cannot be computed with what is not a number (nan)"},
        {"return doc.b * math.huge", "{\"b\":0.10}", "lua: fix.lua:1: a decimal cannot be computed with infinity"},
        {"return doc.b % 2", "{\"b\":0.10}", "lua: fix.lua:1: decimals have + - * and /, and decimal.round(x, scale)"},
        {"return doc.b ^ 2", "{\"b\":0.10}", "lua: fix.lua:1: decimals have no '^': write x * x"},
        {"return doc.b < 'a'", "{\"b\":0.10}",
         "lua: fix.lua:1: attempt to compare a decimal with a string; make a number of the text: decimal(x)"},
        {"return doc.b / 0", "{\"b\":0.10}", "lua: fix.lua:1: 0.10 / 0: the divisor is zero"},
        {"return decimal '1234567890123456789012345678901234' + decimal '0.1'", NULL,
         "lua: fix.lua:1: 1234567890123456789012345678901234 + 0.1: the exact result needs more than 34 digits"},
        {"return decimal 'x'", NULL, "lua: fix.lua:1: 'x' is not a decimal: expected a digit at byte 1"},
        {"return decimal(nil)", NULL,
         "lua: fix.lua:1: decimal: expected a number or a text such as \"0.10\", not a nil"},
        {"return decimal(doc.b, doc.b) .. nil", "{\"b\":0.10}", "lua: fix.lua:1: attempt to concatenate a nil value"},
        {"return null .. 'x'", NULL, "lua: fix.lua:1: attempt to concatenate a null value (global 'null')"},
        {"return null.x", NULL, "lua: fix.lua:1: attempt to index a null value (global 'null')"},
        {"return doc.a.x", "{\"a\":null}", "lua: fix.lua:1: attempt to index a null value (field 'a')"},
        {"return doc.a + 1", "{\"a\":\"5\"}",
         "lua: fix.lua:1: attempt to perform arithmetic on a string value (field 'a')"},
        {"return '10' + 1", NULL, "lua: fix.lua:1: attempt to perform arithmetic on a string value (constant '10')"},
    };
    lua_kit_check_all(cases);
}

static void equality_is_of_values(void **state)
{
    static const struct lua_case cases[] = {
        {"return {a = doc.z == 0, b = doc.z ~= 0, c = 0 == doc.z, d = doc.z == 0.0, e = doc.z == doc.i}",
         "{\"z\":0.00,\"i\":0}", "{\"a\":true,\"b\":false,\"c\":true,\"d\":true,\"e\":true}"},
        {"return {a = doc.p == 1.19, b = doc.p == decimal '1.190', c = doc.p == '1.19', d = doc.p == nil}",
         "{\"p\":1.19}", "{\"a\":true,\"b\":true,\"c\":false,\"d\":false}"},
        {"return {a = doc.p == 0/0, b = doc.p ~= math.huge, c = doc.p == null, d = null == 1.0}", "{\"p\":1.19}",
         "{\"a\":false,\"b\":true,\"c\":false,\"d\":false}"},
        {"local function f() end local t = {} return {a = f == f, b = t == {}, c = t ~= t, d = 1 == 1.0, e = 'a' == "
         "'a'}",
         NULL, "{\"a\":true,\"b\":false,\"c\":false,\"d\":true,\"e\":true}"},
        {"local function none() end local function two() return 0, 1 end\n"
         "return {a = nil == none(), b = none() == none(), c = doc.z == two(), d = two() == doc.z}",
         "{\"z\":0.0}", "{\"a\":true,\"b\":true,\"c\":true,\"d\":true}"},
    };
    lua_kit_check_all(cases);
}

static void points_in_time_are_exact(void **state)
{
    static const struct lua_case cases[] = {
        {"local t = datetime '2026-07-10T12:00:00+02:00' return {t = t, s = tostring(t), m = t.unix_ms}", NULL,
         "{\"m\":1783677600000,\"s\":\"2026-07-10T10:00:00.000Z\",\"t\":\"2026-07-10T10:00:00.000Z\"}"},
        {"local t = datetime '2026-07-10T12:34:56.789Z'\n"
         "return {t.year, t.month, t.day, t.hour, t.minute, t.second, t.millisecond, t.weekday} and\n"
         "{a = {t.year, t.month, t.day, t.hour, t.minute, t.second, t.millisecond, t.weekday}}",
         NULL, "{\"a\":[2026,7,10,12,34,56,789,5]}"},
        {"local a, b = datetime(0), datetime '1970-01-02T00:00:00Z'\n"
         "return {d = b - a, p = a + 1, q = 1 + a, m = b - 86400000 == a, l = a < b, e = a >= b}",
         NULL,
         "{\"d\":86400000,\"e\":false,\"l\":true,\"m\":true,\"p\":\"1970-01-01T00:00:00.001Z\","
         "\"q\":\"1970-01-01T00:00:00.001Z\"}"},
        {"local t = datetime(-1) return {y = t.year, w = t.weekday, ms = t.millisecond, s = 'at ' .. t}", NULL,
         "{\"ms\":999,\"s\":\"at 1969-12-31T23:59:59.999Z\",\"w\":3,\"y\":1969}"},
        {"local t = datetime(-9223372036854775807) return {y = t.year, m = t.month, d = t.day}", NULL,
         "{\"d\":16,\"m\":5,\"y\":-292275055}"},
        {"return {t = type(ctx.planned_at), d = ctx.planned_at - datetime '2026-07-10'}", NULL, NULL},
    };
    lua_kit_check(cases, G_N_ELEMENTS(cases) - 1);
}

static void what_a_point_in_time_cannot_do_is_told(void **state)
{
    static const struct lua_case cases[] = {
        {"return datetime '2026-07-10T12:00:00'", NULL,
         "lua: fix.lua:1: '2026-07-10T12:00:00' is not a point in time: expected Z or an offset such as +02:00 at the "
         "end"},
        {"return datetime '2026-07-10T12:00:00.0001Z'", NULL,
         "lua: fix.lua:1: '2026-07-10T12:00:00.0001Z' is finer than a millisecond, and nothing is rounded"},
        {"return datetime(1.5)", NULL,
         "lua: fix.lua:1: datetime: expected a text such as 2026-07-10T12:00:00Z, or milliseconds since 1970, not a "
         "number"},
        {"return datetime(0) + 0.5", NULL,
         "lua: fix.lua:1: to a datetime milliseconds are added, as an integer, not a number"},
        {"return datetime(0) + datetime(0)", NULL,
         "lua: fix.lua:1: to a datetime milliseconds are added, as an integer, not a datetime"},
        {"return datetime(0) < 5", NULL, "lua: fix.lua:1: a datetime was expected, not a number"},
        {"return 5 - datetime(0)", NULL, "lua: fix.lua:1: a datetime was expected, not a number"},
        {"return datetime(9223372036854775807) + 1", NULL,
         "lua: fix.lua:1: the result is out of the range of a datetime"},
        {"return datetime(0).Year", NULL,
         "lua: fix.lua:1: a datetime has no 'Year'; it has year, month, day, hour, minute, second, millisecond, "
         "weekday "
         "and unix_ms, all in UTC"},
    };
    lua_kit_check_all(cases);
}

static void bytes_and_uuids_are_carried(void **state)
{
    static const struct lua_case cases[] = {
        {"doc.b = binary '\\xff\\0' return {b = doc.b, n = #doc.b, s = doc.b.bytes == '\\xff\\0', e = doc.b == binary "
         "'\\xff\\0', t = type(doc.b), x = tostring(doc.b)}",
         NULL, "{\"b\":\"/wA=\",\"e\":true,\"n\":2,\"s\":true,\"t\":\"binary\",\"x\":\"binary\"}"},
        {"local u = uuid '123E4567-e89b-12d3-a456-426614174000' return {u = u, s = 'u:' .. u, t = type(u), n = #u}",
         NULL,
         "{\"n\":16,\"s\":\"u:123e4567-e89b-12d3-a456-426614174000\",\"t\":\"uuid\","
         "\"u\":\"123e4567-e89b-12d3-a456-426614174000\"}"},
        {"return uuid 'x'", NULL, "lua: fix.lua:1: 'x' is not a uuid such as 123e4567-e89b-12d3-a456-426614174000"},
        {"return binary 'x' .. 'y'", NULL,
         "lua: fix.lua:1: attempt to concatenate a binary value; its bytes are in .bytes"},
        {"return binary('x').size", NULL, "lua: fix.lua:1: binary has no 'size'; it has 'bytes'"},
        {"return binary(1)", NULL, "lua: fix.lua:1: bad argument #1 to 'binary' (string expected, got number)"},
    };
    lua_kit_check_all(cases);
}

static void format_is_exact_and_has_no_addresses(void **state)
{
    static const struct lua_case cases[] = {
        {"return {s = string.format('%5.2f|%-6d|%s|%q|%x|%%|%g', 1.255, 7, 'a', 'b\\n', 255, 0.1)}", NULL,
         "{\"s\":\" 1.25|7     |a|\\\"b\\\\\\n\\\"|ff|%|0.1\"}"},
        {"return {s = string.format('%.2f|%8.1f|%-8.1f|%08.1f|%+.0f|% .1f|%f', doc.b, doc.b, doc.b, doc.b, doc.b, "
         "doc.b, "
         "doc.b)}",
         "{\"b\":1.255}", "{\"s\":\"1.26|     1.3|1.3     |000001.3|+1| 1.3|1.255000\"}"},
        {"return {s = string.format('%.1f|%06.1f|%d|%s', doc.b, doc.b, decimal '-7.00', doc.b)}", "{\"b\":-0.25}",
         "{\"s\":\"-0.2|-000.2|-7|-0.25\"}"},
        {"return {s = string.format('%s|%s|%s|%s|%s|%s', {}, print2, pairs, doc, null, true)}", NULL,
         "{\"s\":\"table|nil|function|object|null|true\"}"},
        {"return {s = string.format('%g|%.1f|%s|%5.1f', 0/0, -(0/0), -(0/0), 1/0)}", NULL,
         "{\"s\":\"nan|nan|nan|  inf\"}"},
        {"return {s = ('%s-%s'):format(1, 2.5)}", NULL, "{\"s\":\"1-2.5\"}"},
        {"return string.format('%p', {})", NULL, "lua: fix.lua:1: '%p' would print an address"},
        {"return string.format('%10p', {})", NULL, "lua: fix.lua:1: '%p' would print an address"},
        {"return string.format('%d', 1.5)", NULL,
         "lua: fix.lua:1: bad argument #2 to 'format' (number has no integer representation)"},
        {"return string.format('%d', decimal '1.5')", NULL,
         "lua: fix.lua:1: bad argument #2 to 'format' (the decimal has no integer representation)"},
        {"return string.format('%s %d', 1)", NULL, "lua: fix.lua:1: bad argument #3 to 'format' (no value)"},
        {"return string.format('%d', {})", NULL,
         "lua: fix.lua:1: bad argument #2 to 'format' (number expected, got table)"},
        {"return string.format('%g', doc.b)", "{\"b\":0.25}",
         "lua: fix.lua:1: bad argument #2 to 'format' (a decimal is formatted by %s, %d (if it is whole) or %.2f)"},
        {"return string.format('%y', 1)", NULL, "lua: fix.lua:1: invalid conversion '%y' to 'format'"},
        {"return string.format('%123d', 1)", NULL, "lua: fix.lua:1: invalid conversion '%123d' to 'format'"},
        {"return string.format('%', 1)", NULL, "lua: fix.lua:1: invalid conversion '%' to 'format'"},
    };
    lua_kit_check_all(cases);
}

static void the_other_libraries_are_as_in_lua(void **state)
{
    static const struct lua_case cases[] = {
        {"return {a = ('abc'):upper(), b = ('ABC'):lower(), c = ('abc'):reverse(), d = ('abc'):len(), e = "
         "('abc'):sub(-2), "
         "f = ('ab'):rep(3, '-'), g = ('abc'):byte(2), h = string.char(72, 105), i = ('abc'):sub(2, 10), j = "
         "('x'):rep(0)}",
         NULL,
         "{\"a\":\"ABC\",\"b\":\"abc\",\"c\":\"cba\",\"d\":3,\"e\":\"bc\",\"f\":\"ab-ab-ab\",\"g\":98,\"h\":\"Hi\","
         "\"i\":\"bc\",\"j\":\"\"}"},
        {"return {a = {('abc'):byte(1, -1)}, b = select('#', ('abc'):byte(0)), c = ('abc'):sub(0), d = ('abc'):sub(3, "
         "2)}",
         NULL, "{\"a\":[97,98,99],\"b\":0,\"c\":\"abc\",\"d\":\"\"}"},
        {"return {a = utf8.len('häß'), b = {utf8.codepoint('hä', 1, -1)}, c = utf8.char(228), d = utf8.offset('häß', "
         "3)}",
         NULL, "{\"a\":3,\"b\":[104,228],\"c\":\"ä\",\"d\":4}"},
        {"local s = '' for p, c in utf8.codes('hä') do s = s .. p .. ':' .. c .. ' ' end return {s = s}", NULL,
         "{\"s\":\"1:104 2:228 \"}"},
        {"return {a = math.floor(1.5), b = math.ceil(1.5), c = math.abs(-2), d = math.max(1, 3, 2), e = math.min(2, "
         "1), "
         "f = math.fmod(7, 3), g = math.sqrt(2.25), h = math.tointeger(3.0), i = math.type(1), j = math.ult(1, -1)}",
         NULL, "{\"a\":1,\"b\":2,\"c\":2,\"d\":3,\"e\":1,\"f\":1,\"g\":1.5,\"h\":3,\"i\":\"integer\",\"j\":true}"},
        {"return {a = 2^10, b = 2^-1, c = 10^2, d = (-2)^3, e = -2^2, f = 2^3^2, g = 0^0}", NULL,
         "{\"a\":1024,\"b\":0.5,\"c\":100,\"d\":-8,\"e\":-4,\"f\":512,\"g\":1}"},
        {"return 2^0.5", NULL,
         "lua: fix.lua:1: '^' takes whole exponents only: of others the last digit differs between machines; "
         "math.sqrt(x) is exact"},
        {"local t = {5, 3, 4} table.sort(t) local u = table.move(t, 1, 3, 2, {1}) local p = "
         "table.pack(table.unpack(u))\n"
         "return {t = t, u = u, n = p.n, c = table.concat(u, '-', 2, 3), r = table.remove(t), t2 = #t}",
         NULL, "{\"c\":\"3-4\",\"n\":4,\"r\":5,\"t\":[3,4],\"t2\":2,\"u\":[1,3,4,5]}"},
        {"local t = {} for i = 1, 100 do t[i] = {k = i % 3, i = i} end table.sort(t, function(a, b) return a.k < b.k "
         "end)\n"
         "local s = {} for i, x in ipairs(t) do s[i] = x.i end return {a = s[1], b = s[2], c = s[34], d = s[100]}",
         NULL, "{\"a\":3,\"b\":6,\"c\":1,\"d\":98}"},
        {"table.sort({3, 'a'})", NULL, "lua: fix.lua:1: attempt to compare string with number"},
        {"table.sort({1, 2, nil, 4})", NULL, NULL},
        {"return table.concat({1, {}})", NULL,
         "lua: fix.lua:1: invalid value (a table at index 2) in table for 'concat'"},
        {"table.insert({}, 5, 1)", NULL, "lua: fix.lua:1: bad argument #2 to 'insert' (position out of bounds)"},
        {"table.insert({})", NULL, "lua: fix.lua:1: wrong number of arguments to 'insert'"},
        {"local ok, e = pcall(error, {code = 7}) return {ok = ok, c = e.code}", NULL, "{\"c\":7,\"ok\":false}"},
        {"local ok, e = pcall(function() local x = nil; return x.y end) return {e = e}", NULL,
         "{\"e\":\"fix.lua:1: attempt to index a nil value (local 'x')\"}"},
        {"local ok, e = xpcall(error, function(m) return 'h:' .. m end, 'x') return {ok = ok, e = e}", NULL,
         "{\"e\":\"h:x\",\"ok\":false}"},
        {"local ok, a, b = xpcall(function(...) return ... end, error, 1, 2) return {ok = ok, a = a, b = b}", NULL,
         "{\"a\":1,\"b\":2,\"ok\":true}"},
        {"local ok, a, b = pcall(function(...) return ... end, 1, 2) return {ok = ok, a = a, b = b}", NULL,
         "{\"a\":1,\"b\":2,\"ok\":true}"},
        {"local C = {} C.__index = C function C.new(x) return setmetatable({x = x}, C) end function C:get() return "
         "self.x "
         "end C.__add = function(a, b) return C.new(a.x + b.x) end C.__tostring = function(c) return 'C' .. c.x end\n"
         "local c = C.new(1) + C.new(2) return {g = c:get(), s = tostring(c), m = getmetatable(c) == C}",
         NULL, "{\"g\":3,\"m\":true,\"s\":\"C3\"}"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        if (cases[i].expected)
            lua_kit_check(&cases[i], 1);
}

static void tables_are_walked_in_one_order(void **state)
{
    static const struct lua_case cases[] = {
        {"local t = {b = 1, a = 2, [3] = 3, [1] = 4, [2.5] = 5, [-1] = 6, [true] = 7, [false] = 8, [10] = 9, B = 10}\n"
         "local s = {} for k, v in pairs(t) do s[#s + 1] = tostring(k) .. '=' .. v end return {s = table.concat(s, ' "
         "')}",
         NULL, "{\"s\":\"-1=6 1=4 2.5=5 3=3 10=9 B=10 a=2 b=1 false=8 true=7\"}"},
        {"local t = {b = 1, a = 2, [3] = 3, [1] = 4} local s, k, v = '', next(t)\n"
         "while k do s = s .. k .. '=' .. v .. ' ' k, v = next(t, k) end return {s = s, e = next({}) == nil}",
         NULL, "{\"e\":true,\"s\":\"1=4 3=3 a=2 b=1 \"}"},
        {"local s = '' for k, v in pairs(doc) do s = s .. k .. '=' .. tostring(v) .. ' ' end return {s = s}",
         "{\"z\":1,\"a\":{},\"m\":[]}", "{\"s\":\"a=object m=list z=1 \"}"},
        {"local s = '' for k, v in pairs(doc.l) do s = s .. k .. '=' .. v .. ' ' end return {s = s}", "{\"l\":[7,8]}",
         "{\"s\":\"1=7 2=8 \"}"},
        {"local k = next(doc) local k2, v2 = next(doc, 'a') return {k = k, k2 = k2, v2 = v2, e = next(doc.e) == nil}",
         "{\"z\":1,\"a\":2,\"e\":{}}", "{\"e\":true,\"k\":\"a\",\"k2\":\"e\",\"v2\":{}}"},
        {"local t = {a = 1, b = 2, c = 3} local s = '' for k in pairs(t) do t[k] = nil t.b = nil s = s .. k end\n"
         "return {s = s, e = next(t) == nil}",
         NULL, "{\"e\":true,\"s\":\"ac\"}"},
        {"for k in pairs(doc) do doc[k] = nil end return doc", "{\"z\":1,\"a\":2}", "{}"},
        {"local t = {[{}] = 1} for k in pairs(t) do end", NULL,
         "lua: fix.lua:1: a table with a table as a key cannot be walked: there is no order that is the same "
         "everywhere"},
        {"next({[pairs] = 1})", NULL,
         "lua: fix.lua:1: a table with a function as a key cannot be walked: there is no order that is the same "
         "everywhere"},
        {"local t = {[math.maxinteger] = 1, [2^53] = 2, [1e300] = 3, [-1e300] = 4, [math.mininteger] = 5, [0.5] = 6}\n"
         "local s = {} for k, v in pairs(t) do s[#s + 1] = v end return {s = s}",
         NULL, "{\"s\":[4,5,6,2,1,3]}"},
        {"local t = setmetatable({}, {__pairs = function() return function(_, k) if not k then return 1, 2 end end "
         "end})\n"
         "local n = 0 for k, v in pairs(t) do n = n + v end return {n = n}",
         NULL, "{\"n\":2}"},
        {"pairs()", NULL, "lua: fix.lua:1: bad argument #1 to 'pairs' (value expected)"},
        {"pairs(7)", NULL, "lua: fix.lua:1: bad argument #1 to 'pairs' (table expected, got number)"},
    };
    lua_kit_check_all(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decimals_are_exact),
        cmocka_unit_test(what_a_decimal_cannot_do_is_told),
        cmocka_unit_test(equality_is_of_values),
        cmocka_unit_test(points_in_time_are_exact),
        cmocka_unit_test(what_a_point_in_time_cannot_do_is_told),
        cmocka_unit_test(bytes_and_uuids_are_carried),
        cmocka_unit_test(format_is_exact_and_has_no_addresses),
        cmocka_unit_test(the_other_libraries_are_as_in_lua),
        cmocka_unit_test(tables_are_walked_in_one_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
