-- The limit of bench/valkey.py: one numbered write a call, with all that cas.lua asks, and does, for each of several
-- (docs/drivers/valkey.md, "Numbered writes on a cluster").
-- KEYS: the record, the fence of its place.
-- ARGV: 1 epoch  2 partition  3 the number as marks of its own: lane, 1, base, number, number  4 etag; empty: absent
--       5 the command that reads the record  6 "p" put, "d" delete  7 expiry in ms; "0": none
--       8 how many fields are to be pruned, then the name of each and the eight bytes with which it begins
--       then the commands that write: of each its name, how many arguments follow, and those behind the key.
-- Gives 0 written; 1 done; { 2, what the reading command gives, expiry } changed; { 3, epoch or empty } fenced or lost.
-- The mark is written first: where memory is full, nothing at all has happened yet.
local call, pcall, unpack4 = redis.call, redis.pcall, struct.unpack
local key, fence, part, mark, etag, reader = KEYS[1], KEYS[2], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local stands = call('HMGET', fence, 'e', part)
local marks = stands[2]
if stands[1] ~= ARGV[1] then
    return { 3, stands[1] or '' }
end

-- The number put into the marks that stand. A lower lane's give way: whoever opened this one has read them.
if marks then
    local lane, count, base = unpack4('<I4I4I4', marks)
    local mine, _, floor, number = unpack4('<I4I4I4I4', mark)
    if lane > mine then
        return { 3, stands[1] }
    elseif lane == mine then
        base = math.max(base, floor)
        if number <= base then
            return 1
        end
        local out, n, first, last, put = { '' }, 1, number, number, false
        for at = 13, #marks, 8 do
            local from, to = unpack4('<I4I4', marks, at)
            if from <= number and number <= to then
                return 1
            elseif to > base then -- what is not, is settled
                if to + 1 == first then
                    first = from
                elseif last + 1 == from then
                    last = to
                else
                    if not put and from > last then
                        n, put = n + 1, true
                        out[n] = struct.pack('<I4I4', first, last)
                    end
                    n = n + 1
                    out[n] = struct.pack('<I4I4', from, to)
                end
            end
        end
        if not put then
            n = n + 1
            out[n] = struct.pack('<I4I4', first, last)
        end
        out[1] = struct.pack('<I4I4I4', lane, count + 1, base)
        mark = table.concat(out)
    end
end

if etag == '' then
    if call('EXISTS', key) == 1 then
        return { 2, pcall(reader, key), call('PEXPIRETIME', key) }
    end
else
    local image, expires = pcall(reader, key), call('PEXPIRETIME', key)
    local now = string.sub(reader, 1, 1) .. expires .. ':' .. cmsgpack.pack(image)
    if string.sub(redis.sha1hex(now), 1, 32) ~= etag then
        return { 2, image, expires }
    end
end

-- No command may fail once the old record is gone: what the user may not do shows here. HSET shows with the mark.
local pruned = tonumber(ARGV[8])
local at, put, expiry = 9 + 2 * pruned, ARGV[6] == 'p', ARGV[7]
local writer = ARGV[at]
local unlinks = etag ~= '' and (not put or (writer ~= 'SET' and writer ~= 'RESTORE')) -- these two replace what stands
if unlinks and not redis.acl_check_cmd('UNLINK', key) then
    return redis.error_reply('NOPERM this user has no permissions to run the \'UNLINK\' command')
end
if put and writer ~= 'HSET' and not redis.acl_check_cmd(writer, key) then
    return redis.error_reply('NOPERM this user has no permissions to run the \'' .. writer .. '\' command')
elseif put and expiry ~= '0' and not redis.acl_check_cmd('PEXPIREAT', key, expiry) then
    return redis.error_reply('NOPERM this user has no permissions to run the \'PEXPIREAT\' command')
end
call('HSET', fence, part, mark)
if unlinks then
    call('UNLINK', key)
end
while put and at < #ARGV do
    local n = tonumber(ARGV[at + 1])
    local said = pcall(ARGV[at], key, unpack(ARGV, at + 2, at + 1 + n))
    if type(said) == 'table' and said.err then -- a value that the server does not take
        if marks then
            call('HSET', fence, part, marks)
        else
            call('HDEL', fence, part)
        end
        return said
    end
    at = at + 2 + n
end
if put and expiry ~= '0' then
    call('PEXPIREAT', key, expiry) -- deletes where it has passed
end
for i = 1, pruned do
    local name = ARGV[7 + 2 * i]
    local old = call('HGET', fence, name)
    if old and string.sub(old, 1, 8) == ARGV[8 + 2 * i] then
        call('HDEL', fence, name)
    end
end
return 0
