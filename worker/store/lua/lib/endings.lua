-- Put before the scripts that give events their fate.

-- FluidTalk is told, apart from the turn, that a follow-up which was pulled has its fate.
local function owe_ack(journal, name, now)
  local ref = redis.call('HGET', journal, 'ref')
  if ref then redis.call('ZADD', pulled_of(journal, name), stamp(now), ref) end
end

-- Give one event its fate: journal, retention, books. Whoever calls takes it off the inbox. Only who is dead can be
-- replayed: of all others nobody needs what was said, which is most of their memory. `asked_with`: id of the head of its
-- group, nil = it is the head, or was not asked. `entry`: see notice_event.
local function end_event(journal, books, name, fate, reason, now, retention, asked_with, entry)
  redis.call('HSET', journal, 'fate', fate, 'reason', reason, 'step', 'settled', 'settled_at', stamp(now))
  if fate ~= 'dead' then redis.call('HDEL', journal, 'payload', 'reply', 'image_url') end
  redis.call('PEXPIRE', journal, retention)
  count(books, name, fate)
  if string.find(journal, ':journal:pulled-', 1, true) then rare.owe_ack(journal, name, now) end
  notice_event(journal, name, now, fate, reason, asked_with, entry)
end

-- A group that died with its reply is replayed by its head: whoever was asked with it ends with it. Returns how many,
-- and their highest rank.
local function end_members(prefix, books, dead, name, head_id, fate, reason, now, retention)
  local own = fate == 'answered' and 'joined' or fate
  local ended, highest = 0, 0
  local members = redis.call('HGET', prefix .. head_id .. ' ' .. name, 'members')
  if not members then return 0, 0 end
  local head = redis.call('HMGET', prefix .. head_id .. ' ' .. name, 'replied_at', 'alone')
  for id in string.gmatch(members, '%S+') do
    local journal = prefix .. id .. ' ' .. name
    local letter = redis.call('HMGET', journal, 'fate', 'asked_with', 'settled_at', 'rank')
    -- A reply from after their common death is to the head's words alone.
    if letter[1] == 'dead' and letter[2] == head_id and is_of_group(head[1], head[2], letter[3]) then
      end_event(journal, books, name, own, reason, now, retention, head_id)
      redis.call('HDEL', journal, 'asked_with', 'discarded_at')
      count(books, name, 'dead', -1)
      redis.call('ZREM', dead, id .. ' ' .. name)
      ended, highest = ended + 1, math.max(highest, number(letter[4]))
    end
  end
  return ended, highest
end
