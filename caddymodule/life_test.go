package caddymodule

import (
	"fmt"
	"testing"
)

// TestWaysBetweenPhases visits every pair of phases. The list repeats the drawing
// in life.go, not the table.
func TestWaysBetweenPhases(t *testing.T) {
	allowed := map[[2]phase]bool{
		{received, routed}: true, {received, own}: true,
		{routed, keyed}: true, {routed, own}: true, {routed, denied}: true,
		{keyed, lookedUp}: true, {keyed, own}: true,
		{lookedUp, served}: true, {lookedUp, waiting}: true, {lookedUp, filling}: true, {lookedUp, own}: true,
		{lookedUp, denied}: true,
		{waiting, served}:  true, {waiting, own}: true, {waiting, failed}: true, {waiting, lookedAgain}: true,
		{lookedAgain, served}: true, {lookedAgain, waitingAgain}: true, {lookedAgain, filling}: true,
		{lookedAgain, own}: true, {lookedAgain, denied}: true,
		{waitingAgain, served}: true, {waitingAgain, own}: true, {waitingAgain, failed}: true,
		{filling, served}: true, {filling, own}: true, {filling, failed}: true,
		{own, answered}: true, {own, served}: true, {own, failed}: true,
	}
	for from := range phaseCount {
		for to := range phaseCount {
			t.Run(fmt.Sprintf("%v to %v", from, to), func(t *testing.T) {
				l := life{phase: from}
				want := allowed[[2]phase{from, to}]
				if got := l.to(to); got != want {
					t.Fatalf("to = %v; %v was expected", got, want)
				}
				stands := from
				if want {
					stands = to
				}
				if l.phase != stands {
					t.Errorf("the phase is %v; %v was expected", l.phase, stands)
				}
			})
		}
	}
}

// TestEveryLifeEnds: no phase repeats, none is a dead end but the four ends, and
// none is out of reach.
func TestEveryLifeEnds(t *testing.T) {
	ends := map[phase]bool{served: true, answered: true, denied: true, failed: true}
	reached := map[phase]bool{}
	var visit func(p phase, path map[phase]bool)
	visit = func(p phase, path map[phase]bool) {
		if path[p] {
			t.Fatalf("phase %v leads back to itself", p)
		}
		reached[p], path[p] = true, true
		leads := false
		for to := range phaseCount {
			if ways[p][to] {
				leads = true
				visit(to, path)
			}
		}
		if leads == ends[p] {
			t.Errorf("phase %v: leads on %v, is an end %v", p, leads, ends[p])
		}
		path[p] = false
	}
	visit(received, map[phase]bool{})
	names := map[string]bool{}
	for p := range phaseCount {
		if !reached[p] {
			t.Errorf("phase %v is out of reach", p)
		}
		if p.String() == "" || names[p.String()] {
			t.Errorf("phase %d has the name %q, which is empty or another's", p, p)
		}
		names[p.String()] = true
	}
}
