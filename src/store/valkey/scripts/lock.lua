-- Changes the locks of a server's datasets, only where they are as the caller has read them. Nothing stays behind the last lock.
-- KEYS: the locks. ARGV: their version ("0": none there)  the next one, never given before  field  value; empty: it is removed.
-- Gives 1 changed, 0 not as they were. Where nothing was there, a lock is not yet taken: a version that nobody had before is
-- put there, so that a command which arrives late, behind others' locks and their end, meets another one and does nothing.
local locks, version, after, field, value = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if (redis.call('HGET', locks, 'v') or '0') ~= version then
    return 0
end
if version == '0' then
    redis.call('HSET', locks, 'v', after)
    return 0
end
if value == '' then
    redis.call('HDEL', locks, field)
    if #redis.call('HGETALL', locks) == 2 then
        redis.call('UNLINK', locks)
        return 1
    end
    redis.call('HSET', locks, 'v', after)
else
    redis.call('HSET', locks, 'v', after, field, value)
end
return 1
