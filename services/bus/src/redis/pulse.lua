-- Says that a process is there, and what the newest events are. It writes, so that a demoted Redis
-- refuses it.
-- KEYS: log, events, texts, told, writer
-- ARGV: token, writer's life in ms
local log, writer = KEYS[1], KEYS[5]
local token, life_ms = unpack(ARGV)

if redis.call('HGET', writer, 'token') ~= token then return { 'FENCED' } end
redis.call('PEXPIRE', writer, life_ms)
local state = redis.call('HMGET', log, 'epoch', 'head', 'live')
if not state[1] then return { 'OTHER' } end
return { 'OK', state[1], state[2], state[3] }
