-- Put before the scripts that write or change a fate, or say something about a conversation or a persona that the outside
-- may have to know (docs/notices.md). One notice is written for each, in the same step, so that none is lost or told twice.
--
-- notices      STREAM <milliseconds>-<number in its shard> -> n, the notice: lines with word, sequence, kind, cause, asks,
--                    sends, accepted_at, event id, id of the event that it was asked with, conversation. No content.
-- notices_kept HASH  count (number of the last notice of the shard; only grows, from the clock of the first one on), begun
--                    (number of the first one),
--                    dropped (notices that were dropped for their age or for want of room, so far),
--                    until, bytes, ms (processes that are not told whether notices are kept, such as producers, write them
--                    until then, with these bounds), floor (no count of a conversation begins below it),
--                    "sequence <persona>" (of the last notice about a persona)
-- noticed      TEXT  sequence of the last notice about a conversation that has no state
-- Of a conversation that has a state, its field noticed is the sequence of the last notice about it.
--
-- Before it stand NOTICES_BYTES and NOTICES_MS: what this process keeps of them in each shard, nil = it is not told.
-- No notice is the first write of a script, so a full store keeps none from being written. None of what is done for a
-- notice may keep a script from its own work, so errors of it are passed over.

-- Bounds are looked at once in so many notices.
local NOTICES_AT_ONCE = 128

local kept_notices

-- The lead is being forgotten: what ends with it is told without its name.
local nameless_notices = false

-- What is kept of them: {bytes, milliseconds}; false = notices are off. `tag`: "parley:{NN}:".
local function bounds_of_notices(tag, now)
  if kept_notices == nil then
    kept_notices = NOTICES_BYTES and {NOTICES_BYTES, NOTICES_MS}
    if not kept_notices then
      -- Of most stores none are kept, and this is asked at the end of each turn.
      local key = tag .. 'notices_kept'
      kept_notices = number(redis.call('HGET', key, 'until')) > now
      if kept_notices then
        local told = redis.call('HMGET', key, 'bytes', 'ms')
        kept_notices = {number(told[1]), number(told[2])}
      end
    end
  end
  return kept_notices
end

-- Drop the oldest beyond the bounds, in whole nodes of the stream.
local function trim_notices(tag, now, kept)
  local stream = tag .. 'notices'
  local dropped = number(redis.pcall('XTRIM', stream, 'MINID', '~', stamp(math.max(0, now - kept[2]))))
  local bytes = number(redis.pcall('MEMORY', 'USAGE', stream))
  if bytes > kept[1] then
    local wanted = math.floor(number(redis.pcall('XLEN', stream)) * kept[1] * 0.9 / bytes)
    dropped = dropped + number(redis.pcall('XTRIM', stream, 'MAXLEN', '~', wanted))
  end
  if dropped > 0 then redis.pcall('HINCRBY', tag .. 'notices_kept', 'dropped', dropped) end
end

-- Where a count of notices begins.
local function first_sequence(tag, now)
  return math.max(now, number(redis.call('HGET', tag .. 'notices_kept', 'floor')) + 1)
end

-- The number of the next notice about a conversation that has a state, whose last one the state does not know.
local function first_of_state(tag, now, name)
  local aside = tag .. 'noticed:' .. name
  local before = redis.call('GET', aside)
  if not before then return first_sequence(tag, now) end
  redis.call('DEL', aside)
  return number(before) + 1
end

-- The number of the next notice about a conversation. It begins at the clock.
local function next_of_conversation(tag, now, name)
  local conversation, aside = tag .. 'conversation:' .. name, tag .. 'noticed:' .. name
  local sequence = redis.call('HINCRBY', conversation, 'noticed', '1')
  if sequence > 1 then return sequence end
  if redis.call('HLEN', conversation) > 1 then
    sequence = first_of_state(tag, now, name)
    redis.call('HSET', conversation, 'noticed', stamp(sequence))
    return sequence
  end
  -- It has no state, and a notice gives it none.
  redis.call('DEL', conversation)
  sequence = redis.call('INCR', aside)
  if sequence == 1 then
    sequence = first_sequence(tag, now)
    redis.call('SET', aside, stamp(sequence))
  end
  redis.call('PEXPIRE', aside, 604800000)
  return sequence
end

-- The number behind this one, both as text. Most often only the last digit is another one; a number as text costs the
-- server as much as half a command.
local function next_number(text)
  local digit = string.byte(text, -1)
  if digit == 57 then return stamp(tonumber(text) + 1) end
  return string.sub(text, 1, -2) .. string.char(digit + 1)
end

-- A conversation is forgotten: should it begin again, its count goes on above this one.
local function end_sequence(conversation, name, now)
  local tag = string.sub(conversation, 1, 12)
  local last = number(redis.call('HGET', conversation, 'noticed'))
  local aside = number(redis.call('GET', tag .. 'noticed:' .. name))
  if math.max(last, aside) == 0 then return end
  redis.call('DEL', tag .. 'noticed:' .. name)
  if math.max(last, aside) > math.max(now, number(redis.call('HGET', tag .. 'notices_kept', 'floor'))) then
    redis.call('HSET', tag .. 'notices_kept', 'floor', stamp(math.max(last, aside)))
  end
end

local function next_of_persona(tag, now, persona)
  local field = 'sequence ' .. persona
  local sequence = redis.call('HINCRBY', tag .. 'notices_kept', field, '1')
  if sequence > 1 then return sequence end
  redis.call('HSET', tag .. 'notices_kept', field, stamp(now))
  return now
end

-- Of a reason only its code: figures are for the journal, and words of an operator for nobody outside.
local function cause_of(reason)
  if reason == '' then return '' end
  return string.match(reason, '^%l+_[%l_]*') or string.gsub(reason, '%c', ' ')
end

local function write_notice(tag, now, kept, word, sequence, kind, cause, asks, sends, accepted_at, id, with, name)
  local stream = tag .. 'notices'
  local count = number(redis.pcall('HINCRBY', tag .. 'notices_kept', 'count', '1'))
  if count == 1 then
    count = now
    redis.pcall('HSET', tag .. 'notices_kept', 'count', stamp(now), 'begun', stamp(now))
  end
  if nameless_notices then name = string.match(name, '^[^:]*:') end
  local text = word .. '\n' .. sequence .. '\n' .. kind .. '\n' .. cause .. '\n' .. asks .. '\n' .. sends .. '\n'
    .. accepted_at .. '\n' .. id .. '\n' .. with .. '\n' .. name
  if type(redis.pcall('XADD', stream, stamp(now) .. '-' .. stamp(count), 'n', text)) == 'table' then
    -- The clock has stepped back.
    local about = redis.pcall('XINFO', 'STREAM', stream)
    for place = 1, #about, 2 do
      if about[place] == 'last-generated-id' then
        redis.pcall('XADD', stream, string.match(about[place + 1], '^%d+') .. '-' .. stamp(count), 'n', text)
      end
    end
  end
  if count % NOTICES_AT_ONCE == 0 then rare.trim_notices(tag, now, kept) end
end

local function entry_of(tag, journal, name, with)
  local entry = redis.call('HMGET', journal, 'kind', 'accepted_at', 'asks', 'sends')
  if with then
    local head = redis.call('HMGET', tag .. 'journal:' .. with .. ' ' .. name, 'asks', 'sends')
    entry[3], entry[4] = head[1], head[2]
  end
  return entry
end

local function write_event_notice(tag, now, kept, journal, name, word, reason, with, entry)
  -- "parley:{NN}:journal:<id> <name>"
  local id = string.sub(journal, 21, -2 - #name)
  if not entry then
    entry = rare.entry_of(tag, journal, name, with)
    -- What was refused may have any character. No turn ends such an event.
    id = string.gsub(id, '%c', ' ')
  end
  local sequence = entry.sequence or stamp(rare.next_of_conversation(tag, now, name))
  write_notice(tag, now, kept, 'event.' .. word, sequence, entry[1] or '', cause_of(reason), entry[3] or '', entry[4] or '',
    entry[2] or '', id, with or '', name)
end

-- An event has got its fate, or lost it. `journal`: its key. `word`: the fate, or what became of a dead letter. `with`: id
-- of the event that it was asked with, or nil: that one has the attempts. `entry`: its kind, accepted_at, and of the event that
-- it was asked with asks and sends, and as `sequence` that of this notice, which the caller writes (nil = it is counted here);
-- nil = they are read here.
local function notice_event(journal, name, now, word, reason, with, entry)
  local tag = string.sub(journal, 1, 12)
  local kept = bounds_of_notices(tag, now)
  if kept then rare.write_event_notice(tag, now, kept, journal, name, word, reason, with, entry) end
end

-- `key`: any key of the shard.
local function notice_conversation(key, name, now, word, cause)
  local tag = string.sub(key, 1, 12)
  local kept = bounds_of_notices(tag, now)
  if not kept then return end
  local sequence = stamp(next_of_conversation(tag, now, name))
  write_notice(tag, now, kept, 'conversation.' .. word, sequence, '', cause, '', '', '', '', '', name)
end

-- `key`: any key of the persona's home shard.
local function notice_persona(key, persona, now, word, gate)
  local tag = string.sub(key, 1, 12)
  local kept = bounds_of_notices(tag, now)
  if not kept then return end
  local sequence = stamp(next_of_persona(tag, now, persona))
  write_notice(tag, now, kept, 'persona.' .. word, sequence, '', gate, '', '', '', '', '', persona .. ':')
end
