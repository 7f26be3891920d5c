-- Reads who is online in a process.
-- KEYS: versions, members of the process
-- ARGV: process
-- Returns its version and its members.
local versions, members = unpack(KEYS)
local version = redis.call('HGET', versions, ARGV[1])
if not version then return {} end
local answer = redis.call('SMEMBERS', members)
table.insert(answer, 1, version)
return answer
