-- Says that a process's members changed, and tells the others.
-- KEYS: leases, versions, members of the process
-- ARGV: process, version, lease in ms, life in ms, publish command, channel, how: 'all' or 'some',
--       then for 'all' the members, for 'some' each member with '+' or '-' before it
-- Returns 'OK'; 'LOST' if what the changes were made to is not there; 'LATE' if they are of a
-- connection that was given up.
local leases, versions, members = unpack(KEYS)
local process, version, lease_ms, life_ms, publish, channel, how = unpack(ARGV, 1, 7)

local known = tonumber(redis.call('HGET', versions, process) or '0')
if known >= tonumber(version) then return 'LATE' end
local told
if how == 'all' then
  redis.call('DEL', members)
  for at = 8, #ARGV do redis.call('SADD', members, ARGV[at]) end
  told = '='
else
  if known ~= tonumber(version) - 1 then return 'LOST' end
  for at = 8, #ARGV do
    local act = string.sub(ARGV[at], 1, 1) == '+' and 'SADD' or 'SREM'
    redis.call(act, members, string.sub(ARGV[at], 2))
  end
  told = table.concat(ARGV, ' ', 8)
end
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', versions, process, version)
redis.call('ZADD', leases, now_ms + tonumber(lease_ms), process)
redis.call('PEXPIRE', members, life_ms)
redis.call('PEXPIRE', leases, life_ms)
redis.call('PEXPIRE', versions, life_ms)
redis.call(publish, channel, process .. ' ' .. version .. ' ' .. told)
return 'OK'
