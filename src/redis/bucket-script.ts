// A token bucket in Redis, in the whole numbers of `Refill`.
//
// A key is a hash with a field for each pair of capacity and rate, so that one command forgets all buckets of the key. A
// field holds how many units were used, and the millisecond for which that is true: `300@1900000000000`. Not the moment
// at which the bucket is full again, as in memory: in units since 1970 that would be more than a Lua number holds, which
// is a double. These two are below 2^53 at every rate, and so nothing is ever rounded. (`tostring` would round them.)
//
// The time is the server's. A clock that is set back, as by a fail-over to another machine, brings no tokens, and the
// bucket goes on filling from there. Writes replicate as what they did, not as the script, from Redis 5 on.
//
// The key lives a second longer than its fullest field takes to be full: what has expired was full, and is full again.
// The second is for the time between TIME, which reads the clock, and PEXPIRE, which counts from the script's beginning.

import { Script } from './script.ts'

/**
 * ARGV: the field; the capacity and the cost in units; units that come back in a millisecond; `1` to take, `0` to look.
 * Answers the units that were used before. The cost was taken if there was room for it.
 */
export const BUCKET_SCRIPT = new Script(`
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local capacity, cost, perMs = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local used, at = 0, now
local state = redis.call('HGET', KEYS[1], ARGV[1])
if state then
  local first, second = string.match(state, '^(%d+)@(%d+)$')
  at = tonumber(second)
  used = math.max(0, tonumber(first) - math.max(0, now - at) * perMs)
end
if ARGV[5] == '1' then
  local taken = used + cost <= capacity
  if taken or now < at then
    local left = used
    if taken then left = used + cost end
    redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f@%.0f', left, now))
    local ms = math.ceil(left / perMs) + 1000
    if redis.call('PTTL', KEYS[1]) < ms then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ms)) end
  end
end
return used
`)
