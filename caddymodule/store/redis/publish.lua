-- ARGV: 1 edge, 2 kind, 3 the event as JSON, 4 its tag or '', 5 its route (of a trip or a
-- reset), 6 the trip as JSON, 7 since when the trip was that a reset ends.
local g = whole(0, ARGV[1])
if not g then
	return redis.error_reply('ERR the server does not tell its run_id')
end
if ARGV[2] == 'trip' then
	redis.call('HSET', KEYS[4], ARGV[5], text(g + 1) .. ' ' .. ARGV[6])
elseif ARGV[2] == 'reset' then
	-- Of the trip that it names and no other: it may come late.
	local trip = redis.call('HGET', KEYS[4], ARGV[5])
	if trip and (ARGV[7] == '' or cjson.decode(string.match(trip, ' (.*)$')).since == ARGV[7]) then
		redis.call('HDEL', KEYS[4], ARGV[5])
	end
	if redis.call('HLEN', KEYS[8]) >= RESETS then
		redis.call('DEL', KEYS[8])
	end
	redis.call('HSET', KEYS[8], ARGV[5], text(g + 1) .. ' ' .. ARGV[3])
end
redis.call('HSET', KEYS[6], 'trips', redis.call('HLEN', KEYS[4]))
append(g + 1, ARGV[2], ARGV[3], ARGV[4])
return text(g + 1)
