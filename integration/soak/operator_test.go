package soak

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// operator does what operators do, in an order that its plan has: everything once, then
// everything again in another order.
type operator struct {
	site     *site
	families map[string]*family
	fragile  *server
	plan     *plan
	tally    *tally
	pause    time.Duration // between two orders
}

// act is one thing that an operator does. It is done in the end, whatever it was.
type act struct {
	name string
	do   func(*operator) error
}

// engineering changes how the site works, editing what is stored. They go on beside each
// other.
var (
	engineering = []act{
		{"reload", func(o *operator) error { return o.site.reload(usual) }},
		{"reload, changed", (*operator).reconfigure},
		{"trip", func(o *operator) error { return o.trip(o.route(), false) }},
		{"trip, kept", func(o *operator) error { return o.trip(o.route(), true) }},
		{"trip of all", func(o *operator) error { return o.trip("", true) }},
		{"death of an origin", (*operator).kill},
	}
	editing = []act{
		{"purge by URL", func(o *operator) error { return o.purge(byURL, false) }},
		{"purge by URL, soft", func(o *operator) error { return o.purge(byURL, true) }},
		{"purge by tag", func(o *operator) error { return o.purge(byTag, false) }},
		{"purge by tag, soft", func(o *operator) error { return o.purge(byTag, true) }},
		{"purge by prefix", func(o *operator) error { return o.purge(byPrefix, false) }},
		{"purge by route", func(o *operator) error { return o.purge(byRoute, false) }},
		{"status", func(o *operator) error { _, err := o.site.get("/cacheward/status"); return err }},
		{"objects", func(o *operator) error { _, err := o.site.get("/cacheward/objects?limit=50"); return err }},
	}
)

// work goes through the acts until it is to stop, and at least once.
func (o *operator) work(acts []act, stop *atomic.Bool) {
	for once := false; !once || !stop.Load(); once = true {
		hand := slices.Clone(acts)
		o.plan.random.Shuffle(len(hand), func(i, k int) { hand[i], hand[k] = hand[k], hand[i] })
		for _, a := range hand {
			if once && stop.Load() {
				return
			}
			if err := a.do(o); err != nil {
				o.tally.fault("%s: %v", a.name, err)
			}
			o.tally.done(a.name)
			time.Sleep(o.pause)
		}
	}
}

// reconfigure loads another configuration, lets it work, and loads the usual one.
func (o *operator) reconfigure() error {
	if err := o.site.reload(variants[o.plan.random.IntN(len(variants))]); err != nil {
		return err
	}
	time.Sleep(o.pause)
	return o.site.reload(usual)
}

func (o *operator) route() string {
	return []string{"page", "file", "coded", "slow", "landing"}[o.plan.random.IntN(5)]
}

// trip stops caching for a while.
func (o *operator) trip(route string, keep bool) error {
	done, err := order[control.Switched](o.site, "/cacheward/trip", control.Trip{Route: route, Why: "to see", By: "the soak test"})
	if err := cmp.Or(err, problems(done.Problems)); err != nil {
		return err
	}
	time.Sleep(o.pause)
	done, err = order[control.Switched](o.site, "/cacheward/reset", control.Reset{Route: route, Keep: keep, Why: "seen", By: "the soak test"})
	return cmp.Or(err, problems(done.Problems))
}

// kill has the fragile origin die, and come back.
func (o *operator) kill() error {
	o.site.deaths.begin()
	defer o.site.deaths.end()
	o.fragile.die()
	time.Sleep(o.pause)
	return o.fragile.start()
}

// The ways to purge: which pages change, and what is asked for.
type selecting func(o *operator, f *family, page int) (pages []int, q control.Purge)

func byURL(o *operator, f *family, page int) ([]int, control.Purge) {
	return []int{page}, control.Purge{URL: "http://" + o.site.address + f.path(page)}
}

func byTag(_ *operator, f *family, page int) ([]int, control.Purge) {
	return f.shelf(page % shelves), control.Purge{Tag: shelfName(f, page)}
}

func byPrefix(o *operator, f *family, page int) ([]int, control.Purge) {
	return f.shelf(page % shelves), control.Purge{Prefix: fmt.Sprintf("%s/%s/%d/", o.site.address, f.name, page%shelves)}
}

func byRoute(_ *operator, f *family, _ int) (pages []int, q control.Purge) {
	for n := range shelves {
		pages = append(pages, f.shelf(n)...)
	}
	return pages, control.Purge{Route: f.name}
}

// purge changes pages and purges what is stored of them. From then on nobody may be given
// what was before, unless the purge is a soft one.
func (o *operator) purge(by selecting, soft bool) error {
	f := o.families[[]string{"file", "coded"}[o.plan.random.IntN(2)]]
	pages, q := by(o, f, int(o.plan.pages[f.name].Uint64()))
	q.Soft, q.Why, q.By = soft, "to see", "the soak test"
	changes := f.change(pages...)
	done, err := order[control.Purged](o.site, "/cacheward/purge", q)
	if err := cmp.Or(err, problems(done.Problems)); err != nil {
		return err
	}
	if !soft {
		if !done.Verified {
			return fmt.Errorf("it is not verified: %+v", done)
		}
		settled(changes)
	}
	return nil
}

func problems(all []string) error {
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("problems: %s", strings.Join(all, "; "))
}
