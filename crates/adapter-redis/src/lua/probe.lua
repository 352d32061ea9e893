-- A write that costs nothing and is refused whenever joins are: a script that says what it is, and
-- has no flags, is refused before it starts where the server is out of memory, cannot write its
-- disk, is read-only or short of replicas.

redis.call('HSET', KEYS[1], 'probed', '1')
redis.call('PEXPIRE', KEYS[1], 60000)
return 1
