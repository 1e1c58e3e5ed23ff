-- Numbered writes to records of one place, in order (docs/drivers/valkey.md, "Numbered writes on a cluster").
-- KEYS: the fence of the place, then the records, each once; one more behind a single record: a key in which its value
--       stands already, to be renamed; its command is RENAME, without arguments. With a way (8): of each record the key
--       of its shadow, behind the records (docs/shadow.md).
-- ARGV: 1 epoch  2 partition  3 what marks of its own begin with: lane, 0, base  4 the command that reads a record
--       5 of each record, packed: number, ascending; how many commands write it, 0: it is deleted; expiry in ms, 0: none
--       6 how many bytes of live records are looked at, about: the rest stays as it is, but for the first
--       7 how much of the server's memory a record takes at most that is read
--       8 the way: empty; "beside": what the key shows is looked at, and the shadow written; "live": a RENAME moves the
--       shadow's record to its key
--       9 how many fields are to be pruned, then the name of each, the eight bytes with which it begins, and its moment
--       then of each record its etag, empty: absent, "*": the caller watches it; and the commands that write it: of each its name, how many
--       arguments follow, and those behind the key.
-- Gives 0 all written; { 3, epoch or empty } fenced or lost; else { 2, answers }, one a record: 0 written; 1 done;
-- { what the reading command gives, expiry } changed; { bytes } too large to be read: changed, as a rule; an error of this
-- record alone; 4 not looked at; 5 there is no shadow to be moved. Behind image and expiry stands 1 where they are the
-- shadow's.
-- The marks are written first: where memory is full, nothing at all has happened yet.
local call, pcall, pack4, unpack4 = redis.call, redis.pcall, struct.pack, struct.unpack
local fence, part, reader, heads = KEYS[1], ARGV[2], ARGV[4], ARGV[5]
local letter, sha, may = string.sub(reader, 1, 1), redis.sha1hex, redis.acl_check_cmd
local stands = call('HMGET', fence, 'e', part)
local marks = stands[2]
if stands[1] ~= ARGV[1] then
    return { 3, stands[1] or '' }
end

-- Which numbers stand: `last` of a range by its `first`. A lower lane's give way: whoever opened this one has read them.
local lane, _, base = unpack4('<I4I4I4', ARGV[3])
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

-- The marks that stand, and these: numbers, ascending, none of which stands. false are those that are none.
local function marked(numbers)
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
    for i = 1, #numbers do
        local number = numbers[i]
        if number then
            while first[at] and first[at] < number do
                put(first[at], last[at])
                at = at + 1
            end
            put(number, number)
            n = n + 1
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

local function none(what)
    return redis.error_reply("NOPERM this user has no permissions to run the '" .. what .. "' command")
end

-- Whether nothing stands at any record that is to be absent: one question for all of them, as a rule.
local records = 1 + #heads / 16
local way = ARGV[8]
local hidden = way == '' and KEYS[records + 1]
local function shadow_of(i)
    return KEYS[records + i - 1]
end
local TOMB = 562949953421312 -- what "expires" about then is a deletion: a slot that moves takes along what is left
local answers, numbers, starts, absent = {}, {}, {}, {}
local at, step = 10 + 3 * ARGV[9], 1
for i = 2, records do
    local _, commands = unpack4('<I4I4', heads, step)
    if ARGV[at] == '' then
        absent[#absent + 1] = KEYS[i]
        absent[#absent + 1] = way == 'beside' and shadow_of(i) or nil
    end
    at, step, starts[i] = at + 1, step + 16, at + 1
    for _ = 1, commands do
        at = at + 2 + ARGV[at + 1]
    end
end
local clear = #absent > 0 and call('EXISTS', unpack(absent)) == 0

-- What is to be done. No command may fail once an old record is gone: what the user may not do shows here, with the
-- first record that wants it. HSET shows with the marks; SET and RESTORE leave what stands where they fail.
local room, most, due, range, rights = tonumber(ARGV[6]), tonumber(ARGV[7]), false, 1, {}

-- What stands there and its expiry; a value that would keep the server from others: how large it is. Who may not ask that, reads.
local function look(key)
    local size = reader ~= 'TYPE' and pcall('MEMORY', 'USAGE', key, 'SAMPLES', '1')
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
local over = {}
step = 1
for i = 2, records do
    local key, number, commands, expiry = KEYS[i], unpack4('<I4I4i8', heads, step)
    local answer, etag, writer = 0, ARGV[starts[i] - 1], commands > 0 and ARGV[starts[i]] or ''
    step = step + 16
    while first[range] and last[range] < number do
        range = range + 1
    end
    if number <= floor or (first[range] and first[range] <= number) then
        answer = 1
    elseif room <= 0 or (hidden and call('EXISTS', hidden) == 0) then
        answer = 4
    elseif etag == '*' then
        answer = 0
    elseif way == 'beside' then
        if etag ~= '' or not clear then
            answer, over[i] = look_over(key, shadow_of(i), etag)
        end
        room = room - (answer ~= 0 and #cmsgpack.pack(answer) or 64)
    elseif way == 'live' and writer == 'RENAME' and call('EXISTS', shadow_of(i)) == 0 then
        answer = 5
    elseif etag ~= '' then
        local live = look(key)
        local packed = live[2] and cmsgpack.pack(live[1]) or ''
        room = room - #packed
        if not live[2] or string.sub(sha(letter .. live[2] .. ':' .. packed), 1, 32) ~= etag then
            answer = live
        end
    elseif not clear and call('EXISTS', key) == 1 then
        answer = look(key)
        room = room - #cmsgpack.pack(answer)
    end
    if answer == 0 and way ~= '' then
        local into, moves = way == 'beside' and shadow_of(i) or key, writer == 'RENAME'
        local wants = (over[i] or (way == 'live' and etag ~= '')) and 'UNLINK'
        if wants and not rights[wants] and not may(wants, into) then
            return none(wants)
        elseif moves and not rights[writer] and not (may(writer, shadow_of(i), key) and may('PERSIST', key)) then
            return none('RENAME or PERSIST')
        elseif commands > 0 and not moves and writer ~= 'HSET' and not rights[writer] and not may(writer, into) then
            return none(writer)
        elseif expiry ~= 0 and not rights.PEXPIREAT and not may('PEXPIREAT', into, '1') then
            return none('PEXPIREAT')
        end
        due, rights[wants], rights[writer], rights.PEXPIREAT = true, true, true, rights.PEXPIREAT or expiry ~= 0
    elseif answer == 0 then
        local wants = etag ~= '' and (commands == 0 or (writer ~= 'SET' and writer ~= 'RESTORE')) and 'UNLINK'
        if wants and not rights[wants] and not may(wants, key) then
            return none(wants)
        elseif hidden and not (may('RENAME', hidden, key) and may('PERSIST', key)) then
            return none('RENAME or PERSIST')
        elseif commands > 0 and writer ~= 'HSET' and not hidden and not rights[writer] and not may(writer, key) then
            return none(writer)
        elseif expiry ~= 0 and not may('PEXPIREAT', key, '1') then
            return none('PEXPIREAT')
        end
        due, rights[wants], rights[writer] = true, true, true
    end
    answers[i - 1], numbers[i - 1] = answer, answer == 0 and number
end
-- In a slot on the move a command on a key that is not there is refused, also within a script: a record that was removed to
-- be written anew would stay removed. Of two keys one is not there: whichever way the slot moves, that shows it.
if due and type(pcall('EXISTS', fence, fence .. '?')) == 'table' then
    return redis.error_reply('TRYAGAIN the slot is on the move')
end
if due then
    call('HSET', fence, part, marked(numbers))
end

-- Writes one record; gives the error of what the server does not take.
local function write(key, from, commands, i)
    local writer = ARGV[from]
    if way == 'beside' then
        key = shadow_of(i)
        if over[i] then
            call('UNLINK', key)
        end
    elseif ARGV[from - 1] ~= '' and (commands == 0 or (writer ~= 'SET' and writer ~= 'RESTORE')) then
        local said = pcall('UNLINK', key)
        if type(said) == 'table' then
            return said
        end
    end
    if (hidden or writer == 'RENAME') and commands > 0 then
        call('RENAME', hidden or shadow_of(i), key)
        call('PERSIST', key)
        return
    end
    for _ = 1, commands do
        local n = ARGV[from + 1]
        local said = pcall(ARGV[from], key, unpack(ARGV, from + 2, from + 1 + n))
        if type(said) == 'table' and said.err then
            return said
        end
        from = from + 2 + n
    end
end

local all, failed = true, false
step = 1
for i = 2, records do
    if answers[i - 1] == 0 then
        local _, commands, expiry = unpack4('<I4I4i8', heads, step)
        local said = write(KEYS[i], starts[i], commands, i)
        if said then
            answers[i - 1], numbers[i - 1], all, failed = said, false, false, true
        elseif expiry ~= 0 then
            call('PEXPIREAT', way == 'beside' and shadow_of(i) or KEYS[i], string.format('%.0f', expiry)) -- deletes where it has passed
        end
    else
        all = false
    end
    step = step + 16
end
if failed then
    local some = false
    for i = 1, #numbers do
        some = some or numbers[i]
    end
    if some or marks then
        call('HSET', fence, part, some and marked(numbers) or marks)
    else
        call('HDEL', fence, part)
    end
end
local newest = ''
for i = 1, tonumber(ARGV[9]) do
    local name = ARGV[7 + 3 * i]
    local old = call('HGET', fence, name)
    if old and string.sub(old, 1, 8) == ARGV[8 + 3 * i] then
        call('HDEL', fence, name)
        newest = ARGV[9 + 3 * i] > newest and ARGV[9 + 3 * i] or newest
    end
end
if newest ~= '' and newest > (call('HGET', fence, 'x') or '') then -- up to when this place has forgotten
    call('HSET', fence, 'x', newest)
end
return all and 0 or { 2, answers }
