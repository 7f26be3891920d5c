-- Says how many places a process has taken, and counts those of all processes that are there.
-- KEYS: places, leases of the processes
-- ARGV: process, its count, life in ms
-- Returns the count of all.
local places, leases = KEYS[1], KEYS[2]
local process, count, life_ms = unpack(ARGV)
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if count == '0' then
  redis.call('HDEL', places, process)
else
  redis.call('HSET', places, process, count)
  redis.call('PEXPIRE', places, life_ms)
end
local sum = 0
local counts = redis.call('HGETALL', places)
for at = 1, #counts, 2 do
  local lease = redis.call('ZSCORE', leases, counts[at])
  if counts[at] == process or (lease and tonumber(lease) > now_ms) then
    sum = sum + tonumber(counts[at + 1])
  else
    redis.call('HDEL', places, counts[at])
  end
end
return sum
