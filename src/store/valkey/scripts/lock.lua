-- Changes the locks of a server's datasets, only where they are as the caller has read them.
-- KEYS: the locks. ARGV: their version ("0": none there)  field  value; empty: the field is removed.
-- Gives 1 changed, 0 not as they were.
local version = redis.call('HGET', KEYS[1], 'v') or '0'
if version ~= ARGV[1] then
    return 0
end
redis.call('HSET', KEYS[1], 'v', version + 1)
if ARGV[3] == '' then
    redis.call('HDEL', KEYS[1], ARGV[2])
else
    redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
end
return 1
