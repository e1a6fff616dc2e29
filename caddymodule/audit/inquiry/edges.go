package inquiry

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// maxEdges is how many edges are told apart.
const maxEdges = 100

// byEdge has something for each edge of a fleet. What comes when it is full counts as of
// others. Records without an edge have no place in it.
type byEdge[T any] map[string]*T

// of is what there is for the edge; fresh makes it if there is nothing yet.
func (b byEdge[T]) of(edge string, fresh func() *T) *T {
	if t := b[edge]; t != nil {
		return t
	}
	if len(b) >= maxEdges && edge != others {
		return b.of(others, fresh)
	}
	t := fresh()
	b[strings.Clone(edge)] = t
	return t
}

// sorted are the edges' names, none where there is only one: then nobody needs to be told.
func (b byEdge[T]) sorted() []string {
	if len(b) < 2 {
		return nil
	}
	return sortedKeys(b)
}

// edgeFigures are those of one edge, in weights.
type edgeFigures struct {
	sampled                 bool
	requests, served, asked int64
	fills                   int64
}

func (f *edgeFigures) merge(o *edgeFigures) {
	f.sampled = f.sampled || o.sampled
	f.requests += o.requests
	f.served += o.served
	f.asked += o.asked
	f.fills += o.fills
}

// EdgeSummary are the figures of one of several edges. They are as in [RouteSummary].
type EdgeSummary struct {
	Edge      string  `json:"edge"`
	Requests  int64   `json:"requests"`
	Estimated bool    `json:"estimated,omitempty"`
	Served    int64   `json:"served"`
	HitShare  float64 `json:"hit_share"`
	Origin    int64   `json:"origin_requests"`
}

// edge counts a record at its edge.
func (s *Summary) edge(e *reading.Entry) {
	if e.Edge == "" {
		return
	}
	switch e.Event {
	case audit.EventServe, audit.EventBypass, audit.EventDeny:
		if e.Probe {
			return
		}
		f, weight := s.edges.of(e.Edge, func() *edgeFigures { return new(edgeFigures) }), weightOf(e)
		f.sampled = f.sampled || weight != one
		f.requests += weight
		if fromObject(e) {
			f.served += weight
		}
		if e.Event == audit.EventBypass {
			f.asked += weight
		}
	case audit.EventStore, audit.EventRefuse, audit.EventDiverge, audit.EventRefresh:
		if answered(e) {
			s.edges.of(e.Edge, func() *edgeFigures { return new(edgeFigures) }).fills += one
		}
	}
}

// edgeSummaries are the edges, the busiest first.
func (s *Summary) edgeSummaries() []EdgeSummary {
	var all []EdgeSummary
	for _, edge := range s.edges.sorted() {
		f := s.edges[edge]
		all = append(all, EdgeSummary{
			Edge: edge, Requests: whole(f.requests), Estimated: f.sampled, Served: whole(f.served), HitShare: share(f.served, f.requests),
			Origin: whole(f.asked + f.fills),
		})
	}
	slices.SortStableFunc(all, func(a, b EdgeSummary) int { return cmp.Compare(b.Requests, a.Requests) })
	return all
}

// tellingReach is how far apart the records may be of what one edge has done and others did
// after it, by their clocks.
const tellingReach = 10 * time.Minute

// onceEach leaves out, of what was done on several edges, what others did after the one
// where it was ordered: it is one purge, trip or reset. Where that one's record is not
// there, the first of the others stands for it. The list is in the order of time.
func onceEach(list []happening) []happening {
	type what struct{ event, scope text }
	ordered, kept := make(map[what][]int64), make(map[what]*happening)
	for i := range list {
		if h := &list[i]; !h.told {
			w := what{h.event, h.scope}
			ordered[w] = append(ordered[w], h.at)
		}
	}
	return slices.DeleteFunc(list, func(h happening) bool {
		if !h.told {
			return false
		}
		w := what{h.event, h.scope}
		times := ordered[w]
		if i, _ := slices.BinarySearch(times, h.at-int64(tellingReach)); i < len(times) && times[i] <= h.at+int64(tellingReach) {
			return true
		}
		if k := kept[w]; k != nil && k.edge != h.edge && h.at-k.at <= int64(tellingReach) {
			return true
		}
		kept[w] = &h
		return false
	})
}

// among says whether names are of more than one edge.
func among(edges ...string) bool {
	slices.Sort(edges)
	return len(slices.DeleteFunc(slices.Compact(edges), func(edge string) bool { return edge == "" })) > 1
}

// onEdges says on which edges something happened.
func onEdges(edges []string) string {
	slices.Sort(edges)
	edges = slices.Compact(edges)
	switch n := len(edges); {
	case n == 0 || edges[0] == "":
		return ""
	case n == 1:
		return ", on edge " + edges[0]
	case n <= maxCommands:
		return ", on the edges " + strings.Join(edges[:n-1], ", ") + " and " + edges[n-1]
	}
	return ", on " + counted(len(edges), "edge", "edges")
}
