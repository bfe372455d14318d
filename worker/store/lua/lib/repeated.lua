-- Put before the scripts of acts of operators that leave nothing by which the same act would be known again.
--
-- done:<digest>  HASH  answer: what an act of this name came to; unfinished: 1 while a part of it, outside of the script, may
--                    have to be done again. Kept for a day, which is longer than a form of the console can be sent.

-- `key`: any key of the slot. `name`: of the conversation, or of the lead. Only a digest of it is kept: it may be forgotten.
local function done_key(key, act, call, name)
  return string.match(key, '^[^}]*}') .. ':done:' .. redis.sha1hex(act .. ' ' .. call .. ' ' .. name)
end

-- What the same act came to before; false = it was not carried out, or it has no name.
local function done_before(key, act, call, name)
  return call ~= '' and redis.call('HGET', done_key(key, act, call, name), 'answer')
end

-- Remember what an act came to, unless it has no name. Returns the key.
local function remember_done(key, act, call, name, answer)
  if call == '' then return end
  local done = done_key(key, act, call, name)
  redis.call('HSET', done, 'answer', answer)
  redis.call('PEXPIRE', done, 86400000)
  return done
end
