#!lua flags=no-writes
-- KEYS: 1 run, 2 tags. ARGV: tags. Returns the log's epoch, the generation up to which it is
-- unknown what was invalidated, and the last at which one of the tags was; or nothing if
-- this server may have forgotten any.
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local run = redis.call('HMGET', KEYS[1], 'server', 'epoch', 'tags', 'tag_floor')
if not server or run[1] ~= server or not run[2] or tonumber(run[3]) ~= redis.call('ZCARD', KEYS[2]) then
	return {}
end
local last = '0'
if #ARGV > 0 then
	for _, g in ipairs(redis.call('ZMSCORE', KEYS[2], unpack(ARGV))) do
		if g and tonumber(g) > tonumber(last) then
			last = string.format('%.0f', tonumber(g))
		end
	end
end
return {run[2], run[4], last}
