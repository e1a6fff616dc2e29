#!lua
-- KEYS: 1 lead, 2 no. ARGV: 1 token, 2 verdict or '', 3 its milliseconds. Who took too long
-- has lost the turn to another edge, and says nothing.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
	return 0
end
redis.call('DEL', KEYS[1])
if ARGV[2] ~= '' then
	redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
end
return 1
