package command

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// TestFleetExitStatus: 1 where an edge has not done what it was to do, or does not hear
// from the others; a silent one harms nobody.
func TestFleetExitStatus(t *testing.T) {
	all := &control.FleetDelivery{Generation: 7, Edges: 3, Confirmed: 3}
	unsaid := &control.FleetDelivery{Generation: 7, Edges: 3, Confirmed: 2}
	unsent := &control.FleetDelivery{Edges: 1, Confirmed: 1, Problem: "connection refused"}
	with := func(d *control.FleetDelivery) (p control.Purged, s control.Switched) {
		p, s = purged, switched
		p.Fleet, s.Fleet = d, d
		return p, s
	}
	for _, test := range []struct {
		name  string
		fleet *control.FleetDelivery
		want  int
	}{{"no fleet", nil, 0}, {"all", all, 0}, {"one is silent", delivery(true), 0}, {"one is missing", delivery(false), 1}, {"one too few", unsaid, 1}, {"not sent", unsent, 1}} {
		p, s := with(test.fleet)
		for verb, answer := range map[string]any{"purge --route landing": p, "trip --reason x": s, "reset --reason x": s} {
			args := strings.Fields(verb)
			stdout, stderr, code := controls(t.Context(), t, args[0], append(args[1:], "--address", newEndpoint(t, http.StatusOK, answer).address())...)
			if code != test.want || stderr != "" {
				t.Errorf("%s, %s: exit %d instead of %d: %s%s", test.name, args[0], code, test.want, stdout, stderr)
			}
		}
	}

	whole, gone, cut := three(), three(), three()
	whole.Members = whole.Members[:2]
	cut.Trusted = false
	for _, test := range []struct {
		name             string
		fleets           []control.FleetStatus
		status, allEdges int
	}{
		{"no fleet", nil, 0, 2},
		{"all there", []control.FleetStatus{whole}, 0, 0},
		{"one is silent", []control.FleetStatus{whole, gone}, 0, 1},
		{"this one hears nothing", []control.FleetStatus{whole, cut}, 1, 1},
	} {
		s := running
		s.Fleets = test.fleets
		e := newEndpoint(t, http.StatusOK, s)
		if stdout, stderr, code := controls(t.Context(), t, "status", "--address", e.address()); code != test.status || stderr != "" {
			t.Errorf("%s: exit %d: %s%s", test.name, code, stdout, stderr)
		}
		stdout, stderr, code := controls(t.Context(), t, "status", "--all-edges", "--format", "json", "--address", e.address())
		if code != test.allEdges || (stderr != "") != (code == 2) {
			t.Errorf("%s, all edges: exit %d: %s%s", test.name, code, stdout, stderr)
		}
		if code == 2 {
			continue
		}
		var told control.Status // it is a part of that answer
		if err := json.Unmarshal([]byte(stdout), &told); err != nil || told.Schema != control.Schema || len(told.Fleets) != len(test.fleets) ||
			len(told.Fleets[0].Members) != 2 || told.Fleets[0].Heard != 412 || strings.Contains(stdout, "handlers") {
			t.Errorf("%v: %s", err, stdout)
		}
	}
}
