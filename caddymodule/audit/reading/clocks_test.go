package reading

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// told is a line of an edge's log. What happened at a moment has the time of the edge's clock.
func told(edge, event, object string, at time.Duration, more string) string {
	return fmt.Sprintf(`{"ts":%.3f,"msg":"cacheward","event":%q,"edge":%q,"object":%q%s}`+"\n", 1764000000+at.Seconds(), event, edge, object, more)
}

func statsOf(t interface {
	Fatal(...any)
	Helper()
}, workers int, filter *Filter, logs ...string) *Stats {
	t.Helper()
	source, err := Open([]string{"-"}, strings.NewReader(strings.Join(logs, "")), Options{})
	if err != nil {
		t.Fatal(err)
	}
	stats, err := source.Scan(context.Background(), ScanOptions{Workers: workers, Filter: filter, blockSize: 512}, func(int) func(*Entry) { return func(*Entry) {} })
	if err != nil {
		t.Fatal(err)
	}
	return &stats
}

// TestSkews: what is stored on one edge is served on others, whose clocks are off.
func TestSkews(t *testing.T) {
	page := func(maker, reader string, off time.Duration) string {
		return told(maker, "store", maker+reader, 0, "") + told(maker, "serve", maker+reader, time.Second, "") +
			told(reader, "serve", maker+reader, 2*time.Second+off, "") + told(reader, "serve", maker+reader, 40*time.Second+off, "")
	}
	purge := func(origin, other string, off time.Duration) string {
		return told(origin, "purge", "", 0, `,"by":"ops","scope":"all"`) + told(other, "purge", "", off, fmt.Sprintf(`,"by":"edge %s","scope":"all"`, origin))
	}
	trip := func(origin, other string, off time.Duration) string {
		return told(origin, "trip", "", 0, `,"by":"ops","scope":"everything"`) +
			told(other, "trip", "", off, fmt.Sprintf(`,"by":"ops","scope":"everything","detail":"edge %s"`, origin))
	}
	for _, test := range []struct {
		name string
		log  string
		want []Skew
	}{
		{"nothing", "", nil},
		{"in order", page("a", "b", 0) + page("b", "a", 0) + purge("a", "b", -time.Second), nil},
		{"ahead and not seen from there", page("a", "b", 5*time.Minute), nil},
		{"behind", page("a", "b", -5*time.Minute), []Skew{{"b", false, 298 * time.Second, []string{"a"}}}},
		{"the least of several", page("a", "b", -5*time.Minute) + page("a", "b", -time.Minute), []Skew{{"b", false, 298 * time.Second, []string{"a"}}}},
		{"as clocks are", page("a", "b", -2900*time.Millisecond), nil},
		{"one of three is behind", page("a", "b", -5*time.Minute) + page("c", "b", -4*time.Minute) + page("a", "c", 0),
			[]Skew{{"b", false, 238 * time.Second, []string{"a", "c"}}}},
		{"one of three is ahead", page("b", "a", -5*time.Minute) + page("b", "c", -4*time.Minute) + page("c", "a", 0),
			[]Skew{{"b", true, 238 * time.Second, []string{"a", "c"}}}},
		{"all differ", page("a", "b", -5*time.Minute) + page("a", "c", -15*time.Minute) + page("b", "c", -10*time.Minute),
			[]Skew{{"c", false, 598 * time.Second, []string{"a", "b"}}, {"b", false, 298 * time.Second, []string{"a"}}}},
		{"a purge", purge("a", "b", -5*time.Minute), []Skew{{"b", false, 230 * time.Second, []string{"a"}}}},
		{"a trip", trip("a", "b", -5*time.Minute), []Skew{{"b", false, 230 * time.Second, []string{"a"}}}},
		{"a purge that was long waited for", purge("a", "b", -65*time.Second), nil},
		{"one purge too few", purge("a", "b", -5*time.Minute) + told("a", "purge", "", 0, `,"by":"ops","scope":"all"`), nil},
		{"whose it was is not known", told("b", "purge", "", -time.Hour, `,"by":"edge c","scope":"all"`), nil},
		{"one edge only", told("", "store", "o", time.Hour, "") + told("", "serve", "o", 0, ""), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, workers := range []int{1, 3} {
				if got := statsOf(t, workers, nil, test.log).Skews(); !reflect.DeepEqual(got, test.want) {
					t.Errorf("%+v, want %+v", got, test.want)
				}
			}
			if got := statsOf(t, 1, &Filter{Edges: []string{"b"}}, test.log).Skews(); !reflect.DeepEqual(got, test.want) {
				t.Errorf("of the records of edge b alone: %+v, want %+v", got, test.want)
			}
		})
	}
}

// TestSkewsNeverExceed: edges with clocks that are off, pages going to and fro, in any
// order. What is said is true, and enough is said.
func TestSkewsNeverExceed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		offs := rapid.SliceOfN(rapid.IntRange(-600, 600), 1, 4).Draw(t, "offs")
		name := func(edge int) string { return string(rune('a' + edge)) }
		var lines []string
		for i := range rapid.IntRange(0, 30).Draw(t, "pages") {
			maker := rapid.IntRange(0, len(offs)-1).Draw(t, "maker")
			at := rapid.IntRange(0, 3600).Draw(t, "at")
			lines = append(lines, told(name(maker), "store", fmt.Sprint(i), time.Duration(at+offs[maker])*time.Second, ""))
			for range rapid.IntRange(0, 3).Draw(t, "serves") {
				reader, after := rapid.IntRange(0, len(offs)-1).Draw(t, "reader"), rapid.IntRange(0, 60).Draw(t, "after")
				lines = append(lines, told(name(reader), "serve", fmt.Sprint(i), time.Duration(at+after+offs[reader])*time.Second, ""))
			}
		}
		stats := statsOf(t, rapid.IntRange(1, 3).Draw(t, "workers"), nil, rapid.Permutation(lines).Draw(t, "order")...)
		for _, k := range stats.Skews() {
			for _, other := range k.Others {
				behind := time.Duration(offs[other[0]-'a']-offs[k.Edge[0]-'a']) * time.Second
				if k.Ahead {
					behind = -behind
				}
				if k.By > behind || k.By < leastSkew {
					t.Fatalf("%+v, and it is %s", k, behind)
				}
			}
		}
	})
}

// TestClocksAreBounded: of very many objects some are compared, and that is enough.
func TestClocksAreBounded(t *testing.T) {
	var log strings.Builder
	for i := range 3 * maxTraced {
		log.WriteString(told("a", "store", fmt.Sprint("object-", i), time.Minute, ""))
		log.WriteString(told("b", "serve", fmt.Sprint("object-", i), 0, ""))
	}
	stats := statsOf(t, 2, nil, log.String())
	if got := len(stats.clocks.objects); got > maxTraced || got < maxTraced/8 {
		t.Errorf("%d objects are held", got)
	}
	if want := []Skew{{"b", false, time.Minute, []string{"a"}}}; !reflect.DeepEqual(stats.Skews(), want) {
		t.Errorf("%+v", stats.Skews())
	}
	if !slices.Equal(stats.Edges(), []string{"a", "b"}) {
		t.Errorf("%q", stats.Edges())
	}
	many := new(clocks)
	for i := range 2 * maxEdges {
		many.add(&Entry{Edge: fmt.Sprint(i), Object: "o", Time: time.Unix(1, 0)})
	}
	if len(many.names) != maxEdges || len(many.objects["o"].first) != maxEdges {
		t.Errorf("%d edges", len(many.names))
	}
}
