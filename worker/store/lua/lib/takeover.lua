-- Put before the scripts that begin or end a takeover: accept, settle, claim, hand_back.
--
-- A person has a conversation: its events are accepted in order and wait; nothing is asked, delivered or followed up
-- until it is handed back. What is only told is no message: it is told all the same, and never dropped. A follow-up that
-- was pulled waits for no person: it ends. What the person has said goes out first, and is never dropped. `keys`:
-- conversation, inbox, timeline, books, dead, follow_ups, taken_over, journals (a prefix).

local DROPPED = 'dropped_at_hand_back'

local function take_over(keys, name, reason, now)
  redis.call('HSET', keys.conversation, 'taken_over', reason, 'taken_over_at', now)
  redis.call('HSET', keys.taken_over, name, now)
  redis.call('PERSIST', keys.conversation)
  end_plan(keys.conversation, keys.follow_ups, keys.timeline, name, now, 'taken_over')
  note(keys.timeline, now, 'taken over', reason)
  local by_itself = reason == 'livechat' or reason == 'escalated'
  notice_conversation(keys.conversation, name, now, 'taken_over', by_itself and reason or 'operator')
end

-- The message that an event is a further image of, or nil. Of what a release without derived_from accepted, only the id
-- tells: <id>#2, <id>#3 ...
local function message_of(id, journal)
  if journal[3] then return journal[3] ~= '' and journal[3] or nil end
  return string.match(id, '^(.+)#%d+$')
end

-- The newest message of the lead that was accepted before then: places of its first and last event in the inbox. Its
-- further images are events of their own.
local function newest_chat(ids, journals, before)
  local last = #ids
  while last > 0 and not (journals[last][1] == 'inbound_chat' and number(journals[last][2]) < before) do
    last = last - 1
  end
  local first, message = last, last > 0 and message_of(ids[last], journals[last])
  while message and first > 1 and ids[first] ~= message do
    local other = ids[first - 1]
    if other ~= message and message_of(other, journals[first - 1]) ~= message then break end
    first = first - 1
  end
  return first, last
end

-- Let the persona go on. `answer`: joined = all that waits stays, last = the lead's newest message, none = nothing.
-- What is asked or delivered at this moment stays, and so does what was accepted since `ended`.
-- `why`: operator, quiet or livechat_over, for those outside.
-- Returns how many events were dropped, how many are left, whether a turn is at work on them.
local function hand_back(keys, name, answer, now, ended, settled_ms, why)
  local state = redis.call('HMGET', keys.conversation, 'owner', 'lease_until', 'group', 'group_aside')
  local at_work = state[1] and number(state[2]) > now
  -- Behind what the person says at this moment, nothing is at work.
  local before = state[4] and 1 or 0
  local group = before + number(state[4] or state[3])
  local ids, journals = redis.call('LRANGE', keys.inbox, 0, -1), {}
  for index, id in ipairs(ids) do
    journals[index] = redis.call('HMGET', keys.journals .. id .. ' ' .. name, 'kind', 'accepted_at',
      'derived_from')
  end
  local first, last = newest_chat(ids, journals, ended)
  -- A group that was asked has one answer, so it stays or goes as a whole.
  local whole = at_work and before == 0 or (answer == 'last' and last > 0 and first <= group)

  local left, covered = {}, 0
  for index, id in ipairs(ids) do
    local kind = journals[index][1]
    local wanted = only_told(kind) or by_operator(kind) or (answer == 'joined' and asks(kind)) or (answer == 'last' and index >= first and index <= last)
    if wanted or (whole and index <= group) or number(journals[index][2]) >= ended then
      left[#left + 1] = id
    else
      end_event(keys.journals .. id .. ' ' .. name, keys.books, name, 'skipped', DROPPED, now, settled_ms)
      covered = covered
        + end_members(keys.journals, keys.books, keys.dead, name, id, 'skipped', DROPPED, now, settled_ms)
    end
  end
  local dropped = #ids - #left
  if dropped > 0 then
    redis.call('DEL', keys.inbox)
    for _, id in ipairs(left) do redis.call('RPUSH', keys.inbox, id) end
    if left[1] ~= ids[1] then
      -- They belonged to the head that is gone: a holder that wakes up late must find that it has lost its lease.
      redis.call('HDEL', keys.conversation, 'owner', 'lease_until', 'group', 'hold_until', 'hold_reason')
    end
    if before == 1 and left[2] ~= ids[2] then redis.call('HDEL', keys.conversation, 'group_aside') end
  end
  redis.call('HDEL', keys.conversation, 'taken_over', 'taken_over_at', 'rings')
  redis.call('HDEL', keys.taken_over, name)
  note(keys.timeline, now, 'handed back', answer)
  notice_conversation(keys.conversation, name, now, 'handed_back', why)
  if dropped > 0 then note(keys.timeline, now, 'skipped', DROPPED, dropped + covered) end
  return dropped, #left, at_work
end
