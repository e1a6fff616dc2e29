package plot

// samples are charts with everything in them, for the golden files.
var samples = map[string]interface{ SVG() ([]byte, error) }{
	"line": Line{
		Title:    "A hit costs the same with every number of routes",
		Subtitle: "CPU a request, of the server's process, 1 KiB pages; medians of 5 rounds of 3 s with their spread, load and server on a core each",
		X:        Axis{Label: "routes of the policy", Log: true},
		Y:        Axis{Label: "CPU a request", Unit: "µs"},
		Series: []Series{
			{Name: "Cacheward", Points: []Point{{10, 29.1, 28.2, 30.6}, {100, 29.3, 28.9, 31}, {1000, 29.2, 28.7, 29.9}, {10_000, 30.1, 29.4, 31.8}}},
			{Name: "Caddy's respond", Muted: true, Points: []Point{{10, 27.9, 27.1, 29}, {100, 28.1, 27.5, 28.6}, {1000, 28, 27.8, 28.9}, {10_000, 28.2, 27.7, 29.1}}},
		},
		Bars: []Bar{{30.8, "bar: 1.10 × respond"}},
	},
	"log": Line{
		Title: "Ordinary route matchers & <ours>",
		X:     Axis{Label: "routes", Log: true},
		Y:     Axis{Label: "CPU a request", Unit: "µs", Log: true},
		Series: []Series{
			{Name: "Caddy's matchers", Points: []Point{{X: 1, Y: 28}, {X: 100, Y: 60}, {X: 1000, Y: 320}, {X: 10_000, Y: 3300}}},
			{Name: "a policy", Points: []Point{{X: 1, Y: 29}, {X: 100, Y: 29}, {X: 1000, Y: 30}, {X: 10_000, Y: 30}}},
			{Name: "nothing at all", Muted: true, Points: []Point{{X: 1, Y: 27}, {X: 100, Y: 28}, {X: 1000, Y: 28}, {X: 10_000, Y: 28.5}}},
			{Name: "stops earlier", Points: []Point{{X: 1, Y: 40}, {X: 100, Y: 45}}},
		},
	},
	"grid": Grid{
		Title:    "How the cost of a hit grows",
		Subtitle: "CPU a request, of the server's process; medians of 5 rounds with their spread. 2026-11-23, 2 cores.",
		Charts: []Line{
			{
				Title: "routes", X: Axis{Label: "routes of the policy", Log: true}, Y: Axis{Label: "CPU a request", Unit: "µs"},
				Series: []Series{
					{Name: "hit", Points: []Point{{10, 29, 28, 31}, {100, 30, 28, 31}, {1000, 29, 29, 30}, {10_000, 30, 29, 33}}},
					{Name: "respond", Muted: true, Points: []Point{{10, 28, 27, 30}, {100, 28, 27, 30}, {1000, 28, 27, 29}, {10_000, 28, 27, 29}}},
				},
				Bars: []Bar{{31.9, "1.10 × of 10 routes"}},
			},
			{
				Title: "body", X: Axis{Label: "size of the body", Log: true, Bytes: true}, Y: Axis{Label: "CPU a request", Unit: "µs"},
				Series: []Series{
					{Name: "hit", Points: []Point{{X: 1 << 10, Y: 29}, {X: 4 << 10, Y: 30}, {X: 16 << 10, Y: 35}, {X: 64 << 10, Y: 52}, {X: 256 << 10, Y: 140}, {X: 1 << 20, Y: 480}}},
					{Name: "respond", Muted: true, Points: []Point{{X: 1 << 10, Y: 28}, {X: 4 << 10, Y: 29}, {X: 16 << 10, Y: 36}, {X: 64 << 10, Y: 57}, {X: 256 << 10, Y: 160}, {X: 1 << 20, Y: 530}}},
				},
			},
			{
				Title: "parameters", Subtitle: "stripped ones; the key does not have them", X: Axis{Label: "parameters of the URL"}, Y: Axis{Label: "CPU a request", Unit: "µs"},
				Series: []Series{{Name: "hit", Points: []Point{{0, 29, 28, 30}, {1, 29.5, 29, 31}, {2, 30, 29, 31}, {5, 31, 30, 32}, {10, 34, 33, 36}, {20, 38, 37, 41}, {40, 48, 47, 50}}}},
			},
			{
				Title: "memory", X: Axis{Label: "objects of 4 KiB"}, Y: Axis{Label: "resident set", Bytes: true},
				Series: []Series{
					{Name: "Cacheward", Points: []Point{{X: 0, Y: 60 << 20}, {X: 50_000, Y: 270 << 20}, {X: 100_000, Y: 480 << 20}}},
					{Name: "the payload", Muted: true, Points: []Point{{X: 0, Y: 0}, {X: 50_000, Y: 195 << 20}, {X: 100_000, Y: 391 << 20}}},
				},
			},
		},
	},
}
