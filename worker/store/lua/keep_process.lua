-- A process that runs turns in this shard lives: until then its leases are not taken for those of a dead one.
--
-- Returns 1, or 0 when it was not known here: it is new, or it was found dead meanwhile and its leases were ended.

finish_even_when_full(processes)
return 1 - redis.call('ZADD', processes, stamp(clock() + ttl_ms), process)
