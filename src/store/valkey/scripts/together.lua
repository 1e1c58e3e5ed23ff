-- Strings into nothing that one MSETNX sets, in a transaction: this before it and behind it. So no script has to take
-- each byte of them (docs/drivers/valkey.md, "Strings together").
-- KEYS: the fence of the place; where it is put aside.
-- ARGV: before it: a name of the transaction, partition, epoch, lane, base of the marks, the first number and the last, between
--       which none lacks. Behind it: the first two.
-- The fence's key is there when this comes, and MSETNX is to set it too: so nothing is set unless this has put the fence aside.
-- Before: gives 0 they may; 1 they may not so; { 3, epoch or empty } fenced or lost. Behind: 0 all written; 1 nothing is.
-- The marks are written before: where memory is full, nothing at all has happened yet. `o` keeps the name, and what stood in
-- their place; the caller removes it.
local call, pack4, unpack4 = redis.call, struct.pack, struct.unpack
local fence, aside, name, part = KEYS[1], KEYS[2], ARGV[1] .. ':', ARGV[2]
if #ARGV == 2 then
    local before = call('HGET', aside, 'o')
    if not before or string.sub(before, 1, #name) ~= name then
        return 1
    end
    local unset = call('EXISTS', fence) == 0
    call('RENAME', aside, fence)
    if unset and #before > #name then
        call('HSET', fence, part, string.sub(before, #name + 1))
    elseif unset then
        call('HDEL', fence, part)
    end
    return unset and 1 or 0
end
local epoch, lane, base, first, last = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local stands = call('HMGET', fence, 'e', part)
local marks, ranges, count, from = stands[2], '', 0, first
if stands[1] ~= epoch then
    return { 3, stands[1] or '' }
end
if marks then
    local above, n, settled = unpack4('<I4I4I4', marks)
    if above > lane then
        return { 3, stands[1] }
    elseif above == lane then
        local at = 13
        base, count = math.max(base, settled), n
        while at < #marks and unpack4('<I4', marks, at + 4) <= base do -- what is settled
            at = at + 8
        end
        ranges = string.sub(marks, at)
    end
end
local newest = base
if ranges ~= '' then
    local a, b = unpack4('<I4I4', ranges, #ranges - 7)
    newest = b
    if b + 1 == first then
        from, ranges = a, string.sub(ranges, 1, -9)
    end
end
if newest >= first then
    return 1
end
marks = pack4('<I4I4I4', lane, count + last - first + 1, base) .. ranges .. pack4('<I4I4', from, last)
call('HSET', fence, part, marks, 'o', name .. (stands[2] or ''))
call('RENAME', fence, aside)
return 0
