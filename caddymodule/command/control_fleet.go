package command

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/caddymodule/control"
)

// cutOff says whether the edge that was asked does not hear from one of its fleets.
func cutOff(fleets []control.FleetStatus) bool {
	return slices.ContainsFunc(fleets, func(f control.FleetStatus) bool { return !f.Trusted })
}

// anySilent says whether there is an edge that its fleet has not heard within its lease.
func anySilent(fleets []control.FleetStatus) bool {
	return slices.ContainsFunc(fleets, func(f control.FleetStatus) bool {
		return slices.ContainsFunc(f.Members, func(m control.FleetMember) bool { return isSilent(&f, m) })
	})
}

func isSilent(f *control.FleetStatus, m control.FleetMember) bool { return m.Silent >= f.Lease }

// partitions writes a block for each fleet that the edge does not hear from.
func (p *page) partitions(fleets []control.FleetStatus) {
	for _, f := range fleets {
		if f.Trusted {
			continue
		}
		lines := []string{"THIS EDGE DOES NOT HEAR FROM THE OTHERS: " + f.Edge, "store " + f.Store + ", " + unheard(&f)}
		if f.OnPartition == control.OnPartitionServe {
			lines = append(lines, "it goes on serving what it has in memory (on_partition serve): no purge and no trip of another edge reaches it")
		} else {
			lines = append(lines, "it serves nothing that is stored (on_partition "+cmp.Or(f.OnPartition, control.OnPartitionBypass)+"): every request goes to the app")
		}
		if f.Unsent > 0 {
			lines = append(lines, plural(f.Unsent, "purge, trip or reset", "purges, trips or resets")+" of this edge could not be told to the others yet")
		}
		if f.Problem != "" {
			lines = append(lines, "why: "+f.Problem)
		}
		p.alarm(lines...)
		p.next("see that what the edges share runs, and can be reached and written to from here; then it comes back by itself")
		p.WriteByte('\n')
	}
}

// unheard says for how long an edge has not heard from the others.
func unheard(f *control.FleetStatus) string {
	if f.Heard < 0 {
		return "not since it was started"
	}
	return "not for " + millis(f.Heard) + "; the lease is " + millis(f.Lease)
}

func millis(n int64) string { return show.Duration(time.Duration(n) * time.Millisecond) }

// fleet writes what this edge knows of the edges that it shares a store with.
func (p *page) fleet(f *control.FleetStatus) {
	p.headline(show.Strong, "Fleet of store "+f.Store)
	if f.Trusted {
		p.fact("edge", f.Edge+", heard the others "+millis(f.Heard)+" ago, lease "+millis(f.Lease), show.Good)
	} else {
		p.fact("edge", f.Edge+", has heard nothing: "+unheard(f), show.Bad)
	}
	switch behind := f.Generation - f.Applied; {
	case f.Generation == 0:
		p.fact("applied", "nothing was purged, tripped or reset yet", show.Plain)
	case f.Applied >= f.Generation:
		p.fact("applied", "everything, up to generation "+show.Count(int64(f.Generation)), show.Plain)
	default:
		p.fact("applied", fmt.Sprintf("up to generation %s, %s behind", show.Count(int64(f.Applied)), show.Count(int64(behind))), show.Warn)
	}
	if f.Unsent > 0 {
		p.fact("unsent", plural(f.Unsent, "event", "events")+" of this edge; the others do not know of them", show.Bad)
	}
	if f.Problem != "" && f.Trusted {
		p.fact("problem", f.Problem, show.Warn)
	}
	if f.Lapses > 0 {
		p.fact("lapsed", plural(int(f.Lapses), "time", "times")+" since the start, for "+millis(f.Partitioned)+" altogether", show.Warn)
	}
	p.sharedTier(f.Shared)
	if len(f.Members) > 0 {
		if !f.Trusted {
			p.fact("below", "the edges as they were when this one last heard of them", show.Warn)
		}
		p.WriteByte('\n')
		p.members(f)
	}
}

// sharedTier says what came of the tier behind the memory.
func (p *page) sharedTier(s *control.SharedStatus) {
	if s == nil {
		return
	}
	text := "nothing was asked for"
	if s.Fetches > 0 {
		text = fmt.Sprintf("%s asked for, %s of them there", show.Count(int64(s.Fetches)), show.PercentOf(float64(s.Hits)/float64(s.Fetches)))
	}
	text += fmt.Sprintf("; %s written, %s", show.Count(int64(s.Writes)), show.Bytes(int64(s.Bytes)))
	p.fact("shared", text, show.Plain)
	var odd []string
	for _, c := range []struct {
		n    uint64
		what string
	}{
		{s.Errors, "could not be asked for"}, {s.Damaged, "damaged"}, {s.Foreign, "of another format or key"},
		{s.Refused, "refused: purged since"}, {s.Dropped, "not written"},
	} {
		if c.n > 0 {
			odd = append(odd, show.Count(int64(c.n))+" "+c.what)
		}
	}
	if len(odd) > 0 {
		color := show.Plain
		if s.Errors+s.Damaged+s.Foreign+s.Dropped > 0 {
			color = show.Warn
		}
		p.fact("", strings.Join(odd, ", "), color)
	}
}

// members writes a line for each edge: who is there, how far, and silent for how long.
func (p *page) members(f *control.FleetStatus) {
	type row = control.FleetMember
	rows := slices.SortedStableFunc(slices.Values(f.Members), func(a, b row) int { return cmp.Compare(a.Edge, b.Edge) })
	writeTable(p, []column[row]{
		words("edge", func(m row) show.Cell { return show.Colored(show.Strong, m.Edge) }).flexible(),
		figures("applied", func(m row) show.Cell { return figure(m.Applied, show.Plain) }),
		figures("behind", func(m row) show.Cell { return figure(f.Generation-min(m.Applied, f.Generation), show.Warn) }),
		figures("heard", func(m row) show.Cell { return show.Text(millis(m.Silent) + " ago") }),
		words("", func(m row) show.Cell {
			switch {
			case isSilent(f, m) && m.Edge == f.Edge:
				return show.Colored(show.Bad, "this one, not heard within the lease")
			case isSilent(f, m):
				return show.Colored(show.Warn, "silent: trusts nothing that is stored")
			case m.Edge == f.Edge:
				return show.Colored(show.Dim, "this one")
			case m.Applied < f.Generation:
				return show.Colored(show.Warn, "has not applied everything yet")
			}
			return show.Colored(show.Good, "up to date")
		}),
	}, rows)
}

// fleetAnswer is what --all-edges says as JSON.
type fleetAnswer struct {
	Schema int                   `json:"schema"`
	Fleets []control.FleetStatus `json:"fleets"`
}

func fleetsText(v view, fleets []control.FleetStatus) string {
	p := page{view: v}
	p.partitions(fleets)
	for i := range fleets {
		if i > 0 {
			p.WriteByte('\n')
		}
		p.fleet(&fleets[i])
	}
	if !cutOff(fleets) && anySilent(fleets) {
		p.WriteByte('\n')
		p.next("look at the edges that are silent: are they to be there, and do they reach what the edges share?")
	}
	return p.String()
}

// delivered says whether all edges have done what was asked for that are not silent.
func delivered(d *control.FleetDelivery) bool {
	return d == nil || d.Problem == "" && len(d.Unconfirmed()) == 0 && d.Confirmed+len(d.Silent) >= d.Edges
}

// delivery says which edges have done what was asked for, and what it means if some have
// not.
func (p *page) delivery(d *control.FleetDelivery) {
	if d == nil {
		return
	}
	confirmed := fmt.Sprintf("confirmed by %s of %s in %s", show.Count(int64(d.Confirmed)), plural(d.Edges, "edge", "edges"),
		show.Duration(time.Duration(d.Took*float64(time.Millisecond))))
	switch {
	case d.Problem != "":
		p.fact("edges", "the others could not be told yet; they are when they can be reached, and until then this edge trusts nothing that is stored", show.Bad)
		return
	case !delivered(d):
		p.fact("edges", confirmed, show.Bad)
	case len(d.Silent) > 0:
		p.fact("edges", confirmed, show.Warn)
	default:
		p.fact("edges", confirmed, show.Good)
	}
	if len(d.Silent) > 0 {
		p.fact("silent", strings.Join(d.Silent, ", ")+": not heard within the lease; nothing that is stored is served there "+
			"(unless on_partition is serve) until this is done there as well", show.Warn)
	}
	if missing := d.Unconfirmed(); len(missing) > 0 {
		p.fact("missing", strings.Join(missing, ", ")+": still there, and not confirmed. Within a lease it is in force there as well, or nothing that is stored is served; "+
			"see that it is so", show.Bad)
	}
	if !delivered(d) {
		p.next("who has confirmed what", "cacheward", "status", "--all-edges")
	}
}
