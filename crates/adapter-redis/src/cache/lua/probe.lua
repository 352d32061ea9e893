-- A write without effect, refused when those of a lease or a copy are.

redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return false
