-- Writes a batch to the log and tells it, all or nothing.
-- KEYS: log, events, texts, told, writer
-- ARGV: epoch, token, batch, mark, events kept, live events lost before this batch, publish command,
--       channel, writer's life in ms, then for each event: kind (E or L), body, text, what the text
--       is about ('' if it has none), what is to be forgotten ('' if nothing)
-- Returns 'OK' and the id of the first durable event; or why nothing was written.
local log, events, texts, told, writer = unpack(KEYS)
local epoch, token, batch, mark, kept, lost, publish, channel, life_ms = unpack(ARGV, 1, 9)

local function digits(number)
  return string.format('%.0f', number)
end

-- A command of a connection that was given up, late: its writer has gone on without it.
if redis.call('HGET', writer, 'token') ~= token then return { 'FENCED' } end
local state = redis.call('HMGET', log, 'epoch', 'head', 'live')
if state[1] ~= epoch then return { 'OTHER' } end

local head, live = tonumber(state[2]), tonumber(state[3]) + tonumber(lost)
local first = head + 1
local durable, alive = 0, 0
for at = 10, #ARGV, 5 do
  if ARGV[at] == 'E' then durable = durable + 1 else alive = alive + 1 end
end
-- First, because it is refused where memory is short, and then nothing has been written.
redis.call('HSET', log, 'head', digits(head + durable), 'live', digits(live + alive))
redis.call('HSET', writer, 'batch', batch, 'first', digits(first))
redis.call('PEXPIRE', writer, life_ms)

local function forget(about)
  local from, to = '[' .. about .. ' ', '(' .. about .. '!'
  for _, member in ipairs(redis.call('ZRANGEBYLEX', told, from, to)) do
    redis.call('HDEL', texts, string.match(member, '%d+$'))
    redis.call('ZREM', told, member)
  end
end

local function trim(id)
  local entry = redis.call('XRANGE', events, digits(id) .. '-0', digits(id) .. '-0')[1]
  if entry and entry[2][6] then
    redis.call('HDEL', texts, digits(id))
    redis.call('ZREM', told, entry[2][6] .. ' ' .. digits(id))
  end
end

for at = 10, #ARGV, 5 do
  local kind, body, text, about, erased = unpack(ARGV, at, at + 4)
  if kind == 'E' then
    head = head + 1
    local id = digits(head)
    if head > tonumber(kept) then trim(head - kept) end
    local entry = { 'XADD', events, 'MAXLEN', '=', kept, id .. '-0', 'body', body, 'mark', mark }
    if about ~= '' then
      entry[#entry + 1] = 'about'
      entry[#entry + 1] = about
      redis.call('HSET', texts, id, text)
      redis.call('ZADD', told, 0, about .. ' ' .. id)
    end
    redis.call(unpack(entry))
    if erased ~= '' then forget(erased) end
    redis.call(publish, channel, table.concat({ 'E', epoch, id, mark, #body, body .. text }, ' '))
  else
    live = live + 1
    redis.call(publish, channel, table.concat({ 'L', epoch, digits(live), '-', #body, body }, ' '))
  end
end
return { 'OK', digits(first) }
