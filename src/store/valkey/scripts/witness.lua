-- Puts a witness: all that a lane wrote here up to a number lies before it. KEYS: the fence of a place that the server has.
-- ARGV: epoch, field, lane, number. The field has LANE:NUMBER of each lane, in order; a lane's newest takes the place of
-- those before. Gives 0 put, { 3, epoch or empty } fenced or lost.
local stands = redis.call('HMGET', KEYS[1], 'e', ARGV[2])
if stands[1] ~= ARGV[1] then
    return { 3, stands[1] or '' }
end
local lanes = stands[2] or ''
local before, last = string.match(lanes, '^(.-)(%d+):%d+$')
if last == ARGV[3] then
    lanes = before
elseif lanes ~= '' then
    lanes = lanes .. ' '
end
redis.call('HSET', KEYS[1], ARGV[2], lanes .. ARGV[3] .. ':' .. ARGV[4])
return 0
