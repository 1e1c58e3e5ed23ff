-- Leaves the mark of a run's end. KEYS: those of a while. ARGV: the run, the mark. A script, so that what it wrote is settled.
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 0
