-- Numbered writes to records of one place, in order (docs/drivers/valkey.md, "Numbered writes on a cluster").
-- KEYS: the fence of the place, then the records, each once; one more behind a single record: a key in which its value
--       stands already, to be renamed; its command is RENAME, without arguments. With a way: of each record the key
--       of its shadow, behind the records (docs/shadow.md).
-- ARGV: 1 packed (MessagePack), since a server takes longer for an argument than a script does to unpack it:
--         epoch, partition, lane, base of the marks; the command that reads a record
--         how many bytes of live records are looked at, about: the rest stays as it is, but for the first
--         how much of the server's memory a record takes at most that is read
--         the way: empty; "beside": what the key shows is looked at, and the shadow written; "live": a RENAME moves the
--         shadow's record to its key
--         of fields that are to be pruned: the name, the eight bytes with which it begins, and its moment
--         of the records, a list each: numbers, ascending; how many commands write it, 0: it is deleted; expiries in ms, 0 or
--         none: none; etags, empty or none: absent, "*": the caller watches it
--         the commands, in order: their names; what follows the key of each, packed once more, or how many of ARGV that are
--         instead of those, where all are SET: 1, or 2 where several may be one MSETNX; else 0
--       2 and on: arguments of commands that are too large to be packed; where all are SET, the values. A script takes long
--       for each byte of a string, as often as it is part of another.
-- Gives 0 all written; { 3, epoch or empty } fenced or lost; else { 2, answers }, one a record: 0 written; 1 done;
-- { what the reading command gives, expiry } changed; { bytes } too large to be read: changed, as a rule; an error of this
-- record alone; 4 not looked at; 5 there is no shadow to be moved. Behind image and expiry stands 1 where they are the
-- shadow's.
-- The marks are written first: where memory is full, nothing at all has happened yet.
local call, pcall, pack4, unpack4, unpacked = redis.call, redis.pcall, struct.pack, struct.unpack, cmsgpack.unpack
local epoch, part, lane, base, reader, room, most, way, pruned, numbers, counts, expiries, etags, verbs, words, strings = unpacked(ARGV[1])
local fence, letter, sha, may = KEYS[1], string.sub(reader, 1, 1), redis.sha1hex, redis.acl_check_cmd
local stands = call('HMGET', fence, 'e', part)
local marks = stands[2]
if stands[1] ~= epoch then
    return { 3, stands[1] or '' }
end

-- Which numbers stand: `last` of a range by its `first`. A lower lane's give way: whoever opened this one has read them.
local count, floor, first, last = 0, 0, {}, {}
if marks then
    local above, n, settled = unpack4('<I4I4I4', marks)
    if above > lane then
        return { 3, stands[1] }
    elseif above == lane then
        base = math.max(base, settled)
        count, floor = n, base
        for at = 13, #marks, 8 do
            local from, to = unpack4('<I4I4', marks, at)
            if to > base then -- what is not, is settled
                first[#first + 1], last[#last + 1] = from, to
            end
        end
    end
end

-- The marks that stand, and these: numbers, ascending, none of which stands. false are those that are none; `dense`: they
-- follow each other, and all are.
local records = #numbers
local function marked(dense)
    local out, at, n, from, to = { '' }, 1, count, nil, nil
    local function put(a, b)
        if from and a == to + 1 then
            to = b
        else
            if from then
                out[#out + 1] = pack4('<I4I4', from, to)
            end
            from, to = a, b
        end
    end
    local function put_new(a, b)
        while first[at] and first[at] < a do
            put(first[at], last[at])
            at = at + 1
        end
        put(a, b)
        n = n + b - a + 1
    end
    if dense then
        put_new(numbers[1], numbers[records])
    else
        for i = 1, records do
            if numbers[i] then
                put_new(numbers[i], numbers[i])
            end
        end
    end
    for i = at, #first do
        put(first[i], last[i])
    end
    if from then
        out[#out + 1] = pack4('<I4I4', from, to)
    end
    out[1] = pack4('<I4I4I4', lane, n, base)
    return table.concat(out)
end

-- In a slot on the move a command on a key that is not there is refused, also within a script: a record that was removed to
-- be written anew would stay removed. Of two keys one is not there: whichever way the slot moves, that shows it.
local function is_moving()
    return type(pcall('EXISTS', fence, fence .. '?')) == 'table'
end
local MOVING = 'TRYAGAIN the slot is on the move'

local function unmark()
    if marks then
        call('HSET', fence, part, marks)
    else
        call('HDEL', fence, part)
    end
end

local function prune()
    local newest = ''
    for i = 1, #pruned, 3 do
        local old = call('HGET', fence, pruned[i])
        if old and string.sub(old, 1, 8) == pruned[i + 1] then
            call('HDEL', fence, pruned[i])
            newest = pruned[i + 2] > newest and pruned[i + 2] or newest
        end
    end
    if newest ~= '' and newest > (call('HGET', fence, 'x') or '') then -- up to when this place has forgotten
        call('HSET', fence, 'x', newest)
    end
end

-- No number stands, and all is to be absent. Strings that do not expire are then set together: all of them, or none, where
-- something stands after all or the user may not.
local hidden = way == '' and KEYS[records + 2]
local fresh = #etags == 0 and way ~= 'live' and not hidden and numbers[1] > floor and (last[#last] or 0) < numbers[1]
local dense = numbers[records] - numbers[1] == records - 1
if fresh and way == '' and strings == 2 and #expiries == 0 then
    local pairs = {}
    for i = 1, records do
        pairs[2 * i - 1], pairs[2 * i] = KEYS[i + 1], ARGV[i + 1]
    end
    if is_moving() then
        return redis.error_reply(MOVING)
    end
    call('HSET', fence, part, marked(dense))
    if pcall('MSETNX', unpack(pairs)) == 1 then
        prune()
        return 0
    end
    unmark()
end

-- Whether nothing stands at any record that is to be absent: one question for all of them, as a rule.
local function shadow_of(i)
    return KEYS[records + 1 + i]
end
local TOMB = 562949953421312 -- what "expires" about then is a deletion: a slot that moves takes along what is left
local clear
if #etags == 0 then
    clear = call('EXISTS', unpack(KEYS, 2, way == 'beside' and #KEYS or records + 1)) == 0
else
    local absent = {}
    for i = 1, records do
        if etags[i] == '' then
            absent[#absent + 1] = KEYS[i + 1]
            absent[#absent + 1] = way == 'beside' and shadow_of(i) or nil
        end
    end
    clear = #absent > 0 and call('EXISTS', unpack(absent)) == 0
end
-- Nothing stands, and no number: then there is nothing to be asked of each.
local plain = clear and fresh

-- What stands there and its expiry; a value that would keep the server from others: how large it is. Who may not ask that, reads.
local function look(key)
    local size = reader ~= 'TYPE' and pcall('MEMORY', 'USAGE', key)
    if type(size) == 'number' and size > most then
        return { size }
    end
    return { pcall(reader, key), call('PEXPIRETIME', key) }
end

-- What a key shows with its shadow over it, where that is not what `etag` says: an answer; else 0. And whether a shadow stands.
local function look_over(key, shadow, etag)
    local expires = call('PEXPIRETIME', shadow)
    if expires > TOMB / 2 and expires < TOMB * 1.5 then
        return etag == '' and 0 or { false, -2 }, true
    elseif expires ~= -2 then
        local live = look(shadow)
        local packed = live[2] and cmsgpack.pack(live[1]) or ''
        if live[2] and etag == 'S' .. string.sub(sha(letter .. live[2] .. ':' .. packed), 2, 32) then
            return 0, true
        end
        live[3] = live[2] and 1
        return live, true
    elseif etag == '' and call('EXISTS', key) == 0 then
        return 0, false
    end
    local live = look(key)
    local packed = live[2] and cmsgpack.pack(live[1]) or ''
    if live[2] and string.sub(sha(letter .. live[2] .. ':' .. packed), 1, 32) == etag then
        return 0, false
    end
    return live, false
end

-- What is to be done with a record: an answer, 0: it is written. And whether a shadow stands.
local range = 1
local function judge(i, key, etag, writer)
    local number = numbers[i]
    while first[range] and last[range] < number do
        range = range + 1
    end
    if number <= floor or (first[range] and first[range] <= number) then
        return 1
    elseif room <= 0 or (hidden and call('EXISTS', hidden) == 0) then
        return 4
    elseif etag == '*' then
        return 0
    elseif way == 'beside' then
        local answer, over = 0, nil
        if etag ~= '' or not clear then
            answer, over = look_over(key, shadow_of(i), etag)
        end
        room = room - (answer ~= 0 and #cmsgpack.pack(answer) or 64)
        return answer, over
    elseif way == 'live' and writer == 'RENAME' and call('EXISTS', shadow_of(i)) == 0 then
        return 5
    elseif etag ~= '' then
        local live = look(key)
        local packed = live[2] and cmsgpack.pack(live[1]) or ''
        room = room - #packed
        if live[2] and string.sub(sha(letter .. live[2] .. ':' .. packed), 1, 32) == etag then
            return 0
        end
        return live
    elseif not clear and call('EXISTS', key) == 1 then
        local live = look(key)
        room = room - #cmsgpack.pack(live)
        return live
    end
    return 0
end

-- No command may fail once an old record is gone: what the user may not do shows here, with the
-- first record that wants it. HSET shows with the marks; SET and RESTORE leave what stands where they fail.
local rights = { HSET = true }
local function lacks(what, ...)
    if rights[what] == nil then
        rights[what] = may(what, ...)
    end
    return not rights[what]
end
local function replaces(writer)
    return writer == 'SET' or writer == 'RESTORE'
end
local function denied(i, key, etag, writer, over)
    local into, moves, unlinks = way == 'beside' and shadow_of(i) or key, hidden or writer == 'RENAME', over
    if way == '' then
        unlinks = etag ~= '' and not replaces(writer)
    elseif way == 'live' then
        unlinks = etag ~= ''
    end
    if unlinks and lacks('UNLINK', into) then
        return 'UNLINK'
    elseif moves and (lacks('RENAME', hidden or shadow_of(i), key) or lacks('PERSIST', key)) then
        return 'RENAME or PERSIST'
    elseif writer and not moves and lacks(writer, into) then
        return writer
    elseif (expiries[i] or 0) ~= 0 and lacks('PEXPIREAT', into, '1') then
        return 'PEXPIREAT'
    end
end

local answers, over, due, all, at = {}, {}, false, true, 1
for i = 1, records do
    local key, etag, answer, writer = KEYS[i + 1], etags[i] or '', 0, counts[i] > 0 and (strings > 0 and 'SET' or verbs[at])
    if not plain then
        answer, over[i] = judge(i, key, etag, writer)
    end
    if answer == 0 then
        local what = denied(i, key, etag, writer, over[i])
        if what then
            return redis.error_reply("NOPERM this user has no permissions to run the '" .. what .. "' command")
        end
        due = true
    else
        numbers[i], all = false, false
    end
    answers[i], at = answer, at + counts[i]
end
if due and is_moving() then
    return redis.error_reply(MOVING)
end
if due then
    call('HSET', fence, part, marked(all and dense))
end

-- Writes one record; gives the error of what the server does not take.
local arg = 2
local function write(i, key, etag, commands)
    local writer = commands > 0 and (strings > 0 and 'SET' or verbs[at])
    if way == 'beside' then
        key = shadow_of(i)
        if over[i] then
            call('UNLINK', key)
        end
    elseif etag ~= '' and not replaces(writer) then
        local said = pcall('UNLINK', key)
        if type(said) == 'table' then
            return said
        end
    end
    if writer and (hidden or writer == 'RENAME') then
        call('RENAME', hidden or shadow_of(i), key)
        call('PERSIST', key)
        return
    end
    for j = at, at + commands - 1 do
        local word, said = words[j], nil
        if strings > 0 then
            said = pcall('SET', key, ARGV[i + 1])
        elseif type(word) == 'number' then
            said = pcall(verbs[j], key, unpack(ARGV, arg, arg + word - 1))
            arg = arg + word
        else
            said = pcall(verbs[j], key, unpacked(word))
        end
        if type(said) == 'table' and said.err then
            return said
        end
    end
end

local failed = false
at = 1
for i = 1, records do
    local expiry = expiries[i] or 0
    if answers[i] == 0 then
        local said = write(i, KEYS[i + 1], etags[i] or '', counts[i])
        if said then
            answers[i], numbers[i], all, failed = said, false, false, true
        elseif expiry ~= 0 then
            call('PEXPIREAT', way == 'beside' and shadow_of(i) or KEYS[i + 1], string.format('%.0f', expiry)) -- deletes where it has passed
        end
    end
    at = at + counts[i]
end
if failed then
    local some = false
    for i = 1, records do
        some = some or numbers[i]
    end
    if some then
        call('HSET', fence, part, marked(false))
    else
        unmark()
    end
end
prune()
return all and 0 or { 2, answers }
