-- A process begins to use the log: makes it, goes on with it, or renews it if events were lost.
-- KEYS: log, events, texts, told, writer
-- ARGV: fresh epoch, token, run, writer's life in ms, then what this process saw last: epoch ('' if
--       it saw nothing), event id, mark of that event
-- Returns epoch, head, mark of the head, live, and the writer's last batch with its first event id
-- ('' if none).
local log, events, texts, told, writer = unpack(KEYS)
local fresh, token, run, life_ms, seen_epoch, seen_id, seen_mark = unpack(ARGV)

local function mark_of(id)
  local entry = redis.call('XRANGE', events, id .. '-0', id .. '-0')[1]
  if not entry then return nil end
  return entry[2][4]
end

local function oldest()
  local entry = redis.call('XRANGE', events, '-', '+', 'COUNT', 1)[1]
  return entry and tonumber(string.match(entry[1], '^%d+')) or nil
end

local state = redis.call('HMGET', log, 'epoch', 'head', 'live', 'run')
local epoch, head, live, known_run = state[1], state[2] or '0', state[3] or '0', state[4] or ''

-- Redis that is the same process as before lost nothing. After a restart or a failover somebody who
-- was there has to say that the last event he saw is still the same one.
local unbroken = run ~= '' and run == known_run
local whole = false
if epoch and epoch == seen_epoch then
  if seen_id == '0' then
    whole = true
  elseif tonumber(seen_id) <= tonumber(head) then
    local mark = mark_of(seen_id)
    local first = oldest()
    if mark then
      whole = mark == seen_mark
    else
      -- It may be trimmed since: then only an unbroken log is known to be the same.
      whole = unbroken and first and tonumber(seen_id) < first
    end
  end
elseif epoch then
  whole = unbroken or run == ''
end

if not whole then
  redis.call('DEL', events, texts, told, writer)
  epoch, head, live = fresh, '0', '0'
end
redis.call('HSET', log, 'epoch', epoch, 'head', head, 'live', live, 'run', run)
redis.call('HSET', writer, 'token', token)
redis.call('PEXPIRE', writer, life_ms)
local written = redis.call('HMGET', writer, 'batch', 'first')
return { epoch, head, mark_of(head) or '', live, written[1] or '', written[2] or '' }
