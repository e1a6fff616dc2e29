#!lua
-- KEYS: 1 lead, 2 no. ARGV: 1 token, 2 milliseconds. Returns a verdict and for how long it is
-- good; or 1 if the edge with the token is to ask the origin, 0 if another one does.
local verdict = redis.call('GET', KEYS[2])
if verdict then
	return {verdict, redis.call('PTTL', KEYS[2])}
end
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
	return {1}
end
return {0}
