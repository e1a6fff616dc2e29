-- ARGV: 1 edge, 2 applied, 3 epoch that the edge knows ('': it joins), 4 milliseconds after
-- which a silent edge is forgotten, 5 how many events to answer with at most,
-- 6 the lease in milliseconds.
-- Writing the edge down comes first: a master that may not write, or has too few replicas,
-- refuses, and so grants nothing.
local applied = tonumber(ARGV[2])
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[5], ARGV[1], ARGV[2] .. ',' .. text(now))

local g, epoch = whole(applied, ARGV[1])
if not g then
	return redis.error_reply('ERR the server does not tell its run_id')
end

local members = redis.call('HGETALL', KEYS[5])
local alive = {}
for i = 1, #members, 2 do
	local at, seen = string.match(members[i + 1], '^(%d+),(%d+)$')
	local silent = at and math.max(0, now - tonumber(seen)) or nil
	if not silent or silent > tonumber(ARGV[4]) then
		redis.call('HDEL', KEYS[5], members[i])
	else
		alive[#alive + 1] = members[i]
		alive[#alive + 1] = at
		alive[#alive + 1] = text(silent)
	end
end

local lost = ARGV[3] ~= epoch
-- Of what this server has forgotten the edges that know of it are to tell first.
local flags, began = 0, tonumber(redis.call('HGET', KEYS[6], 'began'))
if began > now then -- the clock went back
	began = now
	redis.call('HSET', KEYS[6], 'began', text(now))
end
if now < began + tonumber(ARGV[6]) then
	flags = 2
end
local events = {}
if not lost and applied < g then
	events = redis.call('XRANGE', KEYS[2], text(applied + 1) .. '-0', '+', 'COUNT', ARGV[5])
	-- The log is without gaps; its beginning may be gone.
	lost = #events == 0 or events[1][1] ~= text(applied + 1) .. '-0'
end
if not lost then
	return {text(g), epoch, flags, time[1], time[2], alive, events}
end
local floor = redis.call('HGET', KEYS[6], 'purge_floor')
return {text(g), epoch, flags + 1, time[1], time[2], alive, {}, floor,
	redis.call('XRANGE', KEYS[3], '-', '+'), redis.call('HVALS', KEYS[4]), redis.call('HVALS', KEYS[8])}
