-- Which of the commands in ARGV the caller may give: for each, its number of words and the words. Answers '1' may, '0' may not,
-- '?' there is no such command here.
local answers, at = {}, 1
while at <= #ARGV do
    local n = tonumber(ARGV[at])
    local words = {}
    for i = 1, n do words[i] = ARGV[at + i] end
    local known, may = pcall(redis.acl_check_cmd, unpack(words))
    answers[#answers + 1] = not known and '?' or may and '1' or '0'
    at = at + n + 1
end
return table.concat(answers)
