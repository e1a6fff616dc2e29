package soak

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
)

// report logs what was done.
func (r *rig) report() {
	r.t.Helper()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "requests\tasked\thits\t304\t206\tleft\t")
	for _, k := range kinds {
		c := r.tally.of(k.kind)
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", k.kind, c.asked.Load(), c.hits.Load(), c.unchanged.Load(), c.parts.Load(), c.left.Load())
	}
	fmt.Fprintf(w, "all\t%d\t%d\t\t\t\t\n", r.tally.asked(), r.tally.hits())
	_ = w.Flush() // into memory
	fmt.Fprintf(&b, "%.1f MiB of bodies; %d failures while an origin was dead, %d bodies that it broke off\n",
		mebi(float64(r.tally.bytes.Load())), r.tally.died.Load(), r.tally.broken.Load())
	fmt.Fprintf(&b, "sent again at a reload: %s\n", listed(r.tally.again))
	last := r.samples[len(r.samples)-1]
	fmt.Fprintf(&b, "operators: %s\n", listed(r.tally.orders))
	fmt.Fprintf(&b, "fills %.0f, evictions %.0f, expirations %.0f, origin requests %d, audit records %.0f, CPU %.1f s\n\n",
		last.of("fills_total"), last.of("evictions"), last.of("expirations"), r.origin.requests.Load(), last.of("audit_written"), last.of("cpu_s"))

	w = tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "drained after\tgoroutines\tfds\tRSS\tlive heap\tstore\tfills\twaiters\tfill memory\t")
	for _, s := range thinned(r.drained()) {
		fmt.Fprintf(w, "%.0f s\t%.0f\t%.0f\t%.1f MiB\t%.1f MiB\t%.1f MiB\t%.0f\t%.0f\t%.0f\t\n", s.at.Seconds(), s.of("goroutines"), s.of("fds"),
			mebi(s.of("rss")), mebi(s.liveHeap), mebi(s.of("store_bytes")), s.of("fills"), s.of("waiters"), s.of("fill_memory"))
	}
	most := func(name string) (n float64) {
		for _, s := range r.samples {
			n = max(n, s.of(name))
		}
		return n
	}
	fmt.Fprintf(w, "at most\t%.0f\t%.0f\t%.1f MiB\t\t%.1f MiB\t%.0f\t%.0f\t%.0f\t\n", most("goroutines"), most("fds"),
		mebi(most("rss")), mebi(most("store_bytes")), most("fills"), most("waiters"), most("fill_memory"))
	_ = w.Flush()
	r.t.Logf("what was done in %.0f s:\n%s", last.at.Seconds(), b.String())
}

// listed is each name with its number.
func listed(counts map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%s: %d", name, counts[name]))
	}
	return strings.Join(all, ", ")
}

func mebi(bytes float64) float64 { return bytes / (1 << 20) }

// mostShown is how many samples are shown of a long run.
const mostShown = 40

// thinned leaves samples out, so that the rest can be read: neither the first nor the
// last.
func thinned(all []sample) (some []sample) {
	if len(all) <= mostShown {
		return all
	}
	for i := range mostShown {
		some = append(some, all[i*(len(all)-1)/(mostShown-1)])
	}
	return some
}

// topGroups are the groups of which there are most goroutines, of a profile in words.
func topGroups(profile string) string {
	groups := strings.SplitN(profile, "\n\n", 13)
	return strings.Join(groups[:min(12, len(groups))], "\n\n")
}

// files are the open files of the process, counted by what they are, where the system
// tells.
func files(pid int) string {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err.Error()
	}
	counts := make(map[string]int)
	for _, e := range entries {
		to, err := os.Readlink(dir + "/" + e.Name())
		if err != nil {
			continue // closed by now
		}
		if kind, _, ok := strings.Cut(to, ":["); ok {
			to = kind
		}
		counts[to]++
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(&b, "%6d %s\n", counts[name], name)
	}
	return b.String()
}
