-- Takes a place over. KEYS: its fence. ARGV: the new epoch, N-HOLDER.
-- Gives { 1, all fields } where it is the holder's now (also when it was before), { 0, epoch } where that is not higher.
-- `b` is the epoch under which the fence came to be: above that of a lane, the marks which the lane had here are lost.
local fence, epoch = KEYS[1], ARGV[1]
local stands = redis.call('HGET', fence, 'e')
if stands ~= epoch then
    local function number(text)
        return tonumber(string.match(text, '^%d+')) or 0
    end
    if stands and number(stands) >= number(epoch) then
        return { 0, stands }
    elseif stands then
        redis.call('HSET', fence, 'e', epoch)
    else
        redis.call('HSET', fence, 'e', epoch, 'b', epoch)
    end
end
return { 1, redis.call('HGETALL', fence) }
