-- Reads what follows an event.
-- KEYS: log, events, texts, told, writer
-- ARGV: epoch, event id, limit
-- Returns {'OK', head}, then for each event its id, body, mark and text; or why there is none, for a
-- trimmed one with head and the head's mark.
local log, events, texts = unpack(KEYS)
local epoch, after, limit = unpack(ARGV)

local state = redis.call('HMGET', log, 'epoch', 'head')
if state[1] ~= epoch then return { 'OTHER' } end
local head = tonumber(state[2])
after = tonumber(after)
if after > head then return { 'OTHER' } end
local found = { 'OK', state[2] }
if after == head then return found end

local from = string.format('%.0f-0', after + 1)
local entries = redis.call('XRANGE', events, from, '+', 'COUNT', limit)
if not entries[1] or entries[1][1] ~= from then
  local newest = redis.call('XRANGE', events, state[2] .. '-0', state[2] .. '-0')[1]
  return { 'TRIMMED', state[2], newest and newest[2][4] or '' }
end
for _, entry in ipairs(entries) do
  local id = string.match(entry[1], '^%d+')
  local fields = entry[2]
  found[#found + 1] = id
  found[#found + 1] = fields[2]
  found[#found + 1] = fields[4]
  found[#found + 1] = fields[6] and redis.call('HGET', texts, id) or ''
end
return found
