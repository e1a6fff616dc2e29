#!lua flags=allow-oom
-- KEYS: 1 gen, 2 log, 3 purges, 4 trips, 5 edges, 6 run, 7 tags, 8 resets. The caller may do without
-- those at the end of its arguments, never without these: they are of one hash tag.

local LOG, PURGES, TAGS, RESETS = 10000, 1024, 131072, 1024

local time = redis.call('TIME')
local function text(n) return string.format('%.0f', n) end

-- append gives the event the number and writes it down.
local function append(g, kind, json, tag)
	redis.call('XADD', KEYS[2], 'MAXLEN', '~', LOG, text(g) .. '-0', 'e', json)
	if kind == 'purge' then
		while redis.call('XLEN', KEYS[3]) >= PURGES do
			local oldest = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)[1][1]
			redis.call('HSET', KEYS[6], 'purge_floor', string.match(oldest, '^%d+'))
			redis.call('XDEL', KEYS[3], oldest)
		end
		redis.call('XADD', KEYS[3], text(g) .. '-0', 'e', json)
		redis.call('HSET', KEYS[6], 'purges', redis.call('XLEN', KEYS[3]))
	end
	if tag ~= '' then
		redis.call('ZADD', KEYS[7], text(g), tag)
		local over = redis.call('ZCARD', KEYS[7]) - TAGS
		if over > 0 then
			local popped = redis.call('ZPOPMIN', KEYS[7], over)
			redis.call('HSET', KEYS[6], 'tag_floor', popped[#popped])
		end
		redis.call('HSET', KEYS[6], 'tags', redis.call('ZCARD', KEYS[7]))
	end
	redis.call('SET', KEYS[1], text(g))
end

-- whole returns the last generation and the log's epoch. If this server may have forgotten
-- anything (it was started anew, it was another's replica, somebody deleted or evicted
-- keys, or somebody has applied more than it knows of), the log begins again: with a purge
-- of everything, under a number that was never given before, whatever was forgotten.
local function whole(applied, edge)
	local g = tonumber(redis.call('GET', KEYS[1]) or 0)
	local server = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
	local run = redis.call('HMGET', KEYS[6], 'server', 'epoch', 'purges', 'tags', 'trips')
	local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
	if server and run[1] == server and run[2] and applied <= g and last and last[1] == text(g) .. '-0'
		and tonumber(run[3]) == redis.call('XLEN', KEYS[3])
		and tonumber(run[4]) == redis.call('ZCARD', KEYS[7])
		and tonumber(run[5]) == redis.call('HLEN', KEYS[4]) then
		return g, run[2]
	end
	if not server then
		return nil
	end
	if last then
		g = math.max(g, tonumber(string.match(last[1], '^%d+')))
	end
	local ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
	g = math.max(g + 1, applied + 1, ms)
	local epoch = server .. '.' .. text(g)
	redis.call('DEL', KEYS[2], KEYS[3], KEYS[7], KEYS[6])
	redis.call('HSET', KEYS[6], 'server', server, 'epoch', epoch, 'began', text(ms), 'purges', 0, 'tags', 0,
		'trips', redis.call('HLEN', KEYS[4]), 'purge_floor', text(g - 1), 'tag_floor', text(g - 1))
	append(g, 'purge', cjson.encode({edge = edge, kind = 'purge', all = true, afresh = true}), '')
	return g, epoch
end
