-- Write what a lead has said about messages, said by somebody else than the lead's own word.
--
-- state: out | in | none. by: who and why. since: milliseconds since when, or '' = now. erased: the name of the
-- conversation as a keyed hash, or ''. errand: to tell the lead's other personas, or ''. only_later_than: change only what
-- was out before then (ms), or ''. call: names the act and no other, or ''.
-- timeline_ms, conversation_ms: retentions.
-- Returns 'done' | 'nothing' (it is so already). Twice for one call: the second time answers the same and changes nothing.

if call ~= '' and rare.done_before(conversation, 'consent', call, name) then
  -- Who was forgotten meanwhile is not named again.
  return (state == 'none' or redis.call('HEXISTS', consents, name) == 1) and 'done' or 'nothing'
end
finish_even_when_full(conversation)
local now = clock()
local keys = {conversation = conversation, follow_ups = follow_ups, timeline = timeline, consents = consents,
  opted_out = opted_out}
local past = recall_consent(keys, erased_consents, name, erased)
local past_at, past_by = string.match(redis.call('HGET', consents, name) or '', '^%l+ (%d+) (.*)$')
if only_later_than ~= '' and (past ~= 'out' or number(past_at) >= tonumber(only_later_than)) then return 'nothing' end
-- What was said later than it counts.
if since ~= '' and number(past_at) >= tonumber(since) then return past == state and past_by == by and 'done' or 'nothing' end
if (past or 'none') == state then
  return (call ~= '' or state == 'none' or past_by ~= by) and 'nothing' or 'done'
end

if state == 'none' then
  redis.call('HDEL', consents, name)
  count_out(opted_out, name, past, nil)
  redis.call('HDEL', conversation, 'consent')
  note(timeline, now, 'consent removed', by)
  notice_conversation(conversation, name, now, 'consent_removed', 'operator')
else
  write_consent(keys, name, state, by, now, since)
end
if errand ~= '' then redis.call('ZADD', errands, now + 5000, errand) end
if redis.call('EXISTS', inbox) == 0 then
  redis.call('PEXPIRE', timeline, timeline_ms)
  if redis.call('EXISTS', conversation) == 1 then expire_quiet(conversation, follow_ups, name, now, conversation_ms) end
end
if call ~= '' then rare.remember_done(conversation, 'consent', call, name, 1) end
return 'done'
