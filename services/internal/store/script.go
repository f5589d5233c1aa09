package store

import "github.com/redis/go-redis/v9"

// commitScript compares, writes, moves. KEYS: position, retired generations,
// then every key written. ARGV: the expected position ("" for none), the new
// one, the format with a blank, then each command as a count and its words.
//
// A position of another format counts as absent; when it is replaced, its
// generation is noted for the sweeper. The position is set last, so that a
// command that fails (which is an error of the program) leaves it unmoved.
var commitScript = redis.NewScript(`
local stored = redis.call('GET', KEYS[1])
if ARGV[1] == '' then
  if stored then
    if string.sub(stored, 1, #ARGV[3]) == ARGV[3] then return 0 end
    local format, generation = string.match(stored, '^(%S+) (%S+) ')
    if generation then redis.call('SADD', KEYS[2], format .. ' ' .. generation) end
  end
elseif stored ~= ARGV[1] then
  return 0
end
local i, last = 4, #ARGV
while i <= last do
  local n = tonumber(ARGV[i])
  redis.call(unpack(ARGV, i + 1, i + n))
  i = i + n + 1
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
`)

// resetScript makes the position absent and notes its generation for the
// sweeper. A generation without a position has no keys: the first commit writes
// both.
var resetScript = redis.NewScript(`
local stored = redis.call('GET', KEYS[1])
if stored then
  local format, generation = string.match(stored, '^(%S+) (%S+) ')
  if generation then redis.call('SADD', KEYS[2], format .. ' ' .. generation) end
  redis.call('DEL', KEYS[1])
end
return 1
`)
