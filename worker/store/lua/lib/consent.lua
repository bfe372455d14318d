-- Put before the scripts that write or heed what a lead has said about messages.
--
-- The field `consent` of a conversation is out or in. The hash `consents` of its shard keeps the same for ever: "out" or
-- "in", milliseconds, who said it. The hash `opted_out` counts those that are out. `keys`: conversation, follow_ups,
-- timeline, consents, opted_out.

-- Why a head is not wanted: nothing of it is asked or sent; nil = it is wanted. So is what the lead asked for, unless the
-- policy is silence. The lead's own word (`said`) gets its confirmation. What is only told is no message.
local function unwanted_because(consent, kind, said, silence, only_opted_in)
  if said or only_told(kind) then return nil end
  -- The person who said it did not mean to write to somebody who has opted out.
  if by_operator(kind) then return consent == 'out' and 'opted_out' or nil end
  if consent == 'out' and (silence or is_outreach(kind)) then return 'opted_out' end
  return only_opted_in and consent ~= 'in' and is_outreach(kind) and 'not_opted_in' or nil
end

-- Keep count of who is out. `name`: of the conversation, or * for a mark that counts for all personas. `past`, `state`: out, in,
-- or nil = there is none.
local function count_out(opted_out, name, past, state)
  if (past == 'out') == (state == 'out') then return end
  redis.call('HINCRBY', opted_out, string.match(name, '^[^:]*'), state == 'out' and 1 or -1)
end

-- A conversation that begins, also again: what was said before still counts. `erased`: its name as a keyed hash, or ''.
local function recall_consent(keys, erased_consents, name, erased)
  local kept = redis.call('HGET', keys.consents, name)
  if not kept and erased ~= '' then
    kept = redis.call('HGET', erased_consents, erased)
    if kept then
      redis.call('HSET', keys.consents, name, kept)
      redis.call('HDEL', erased_consents, erased)
      count_out(keys.opted_out, name, nil, string.match(kept, '^%l+'))
    end
  end
  local state = kept and string.match(kept, '^%l+')
  if state and redis.call('EXISTS', keys.conversation) == 1 then
    redis.call('HSET', keys.conversation, 'consent', state)
  end
  return state
end

-- Of two changes the later one has the later time, also when the clock has stepped back between them. `since`: another
-- time, or ''.
local function write_consent(keys, name, state, by, now, since)
  local past, past_at = string.match(redis.call('HGET', keys.consents, name) or '', '^(%l+) (%d+) ')
  local at = tonumber(since) or math.max(now, number(past_at) + 1)
  count_out(keys.opted_out, name, past, state)
  redis.call('HSET', keys.consents, name, state .. ' ' .. string.format('%.0f', at) .. ' ' .. by)
  if redis.call('EXISTS', keys.conversation) == 1 then
    redis.call('HSET', keys.conversation, 'consent', state)
    if state == 'out' then
      redis.call('PERSIST', keys.conversation)
      end_plan(keys.conversation, keys.follow_ups, keys.timeline, name, now, 'opted_out')
    end
  end
  note(keys.timeline, now, state == 'out' and 'opted out' or 'opted in', by)
  local who = by == 'lead' and by or 'operator'
  notice_conversation(keys.conversation, name, now, state == 'out' and 'opted_out' or 'opted_in', who)
end
