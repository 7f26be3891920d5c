-- Says that a process is there, forgets those that are long gone, and asks for the others.
-- KEYS: leases, versions, members of the process
-- ARGV: process, version, lease in ms, life in ms
-- Returns 'OK', then for each process its name, its version and '1' if its lease has not run out;
-- 'LOST' if the process is not known under this version.
local leases, versions, members = unpack(KEYS)
local process, version, lease_ms, life_ms = unpack(ARGV)

if redis.call('HGET', versions, process) ~= version then return { 'LOST' } end
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', leases, now_ms + tonumber(lease_ms), process)
redis.call('PEXPIRE', members, life_ms)
redis.call('PEXPIRE', leases, life_ms)
redis.call('PEXPIRE', versions, life_ms)
local gone = redis.call('ZRANGEBYSCORE', leases, '-inf', now_ms - tonumber(life_ms), 'LIMIT', 0, 100)
for _, name in ipairs(gone) do
  redis.call('ZREM', leases, name)
  redis.call('HDEL', versions, name)
end
local answer = { 'OK' }
local held = redis.call('ZRANGEBYSCORE', leases, '-inf', '+inf', 'WITHSCORES')
for at = 1, #held, 2 do
  answer[#answer + 1] = held[at]
  answer[#answer + 1] = redis.call('HGET', versions, held[at]) or '0'
  answer[#answer + 1] = tonumber(held[at + 1]) > now_ms and '1' or '0'
end
return answer
