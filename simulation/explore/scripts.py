"""What the exploration itself asks of the server: one script for each look, each copy of all keys, each return to one.

The keys of a small world are few, so each of these is one round trip. Doorbells are thrown away at each look: they are
hints, and the workers of an exploration may begin at any time.
"""

LOOK = """
redis.call('DEL', 'turns', 'outreach')
local found = {}
for _, key in ipairs(redis.call('KEYS', 'parley:{*')) do
  local kind = redis.call('TYPE', key).ok
  if kind == 'hash' then
    found[key] = {kind, redis.call('HGETALL', key)}
  elseif kind == 'zset' then
    found[key] = {kind, redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')}
  elseif kind == 'set' then
    found[key] = {kind, redis.call('SMEMBERS', key)}
  elseif kind == 'string' then
    found[key] = {kind, redis.call('GET', key)}
  elseif kind == 'list' and (ARGV[1] == 'all' or not string.find(key, ':timeline:', 1, true)) then
    found[key] = {kind, redis.call('LRANGE', key, 0, -1)}
  elseif kind == 'stream' and ARGV[1] == 'all' then
    local texts = {}
    for index, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do texts[index] = entry[2][2] end
    found[key] = {kind, texts}
  end
end
return cjson.encode(found)
"""

COPY = """
local copy = {}
for index, key in ipairs(redis.call('KEYS', 'parley:{*')) do
  copy[2 * index - 1], copy[2 * index] = key, redis.call('DUMP', key)
end
return copy
"""

RETURN = """
redis.call('FLUSHDB')
for index = 1, #ARGV, 2 do redis.call('RESTORE', ARGV[index], 0, ARGV[index + 1]) end
"""
