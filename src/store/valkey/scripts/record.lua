-- Writes a partition's lanes. KEYS: the fence of its home place. ARGV: epoch, field, lanes.
-- Gives 0 written, { 3, epoch or empty } fenced or lost.
local stands = redis.call('HGET', KEYS[1], 'e')
if stands ~= ARGV[1] then
    return { 3, stands or '' }
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
return 0
