-- Takes one of an allowance, as in the generic cell rate algorithm (ITU-T I.371 annex A).
-- KEYS: allowance
-- ARGV: interval in us in which it grows by one, window in us in which it is full again
-- Returns -1, or after how many us there will be one.
local key = KEYS[1]
local interval, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local full_at = math.max(tonumber(redis.call('GET', key) or '0'), now) + interval
local wanted = full_at - now
if wanted > window then return wanted - window end
redis.call('SET', key, string.format('%.0f', full_at), 'PX', math.ceil(wanted / 1000))
return -1
