package main

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// lane is one of the contenders of a comparison, and what it is asked for.
type lane struct {
	name    string
	proc    *process
	traffic traffic
	// origin is how many requests the origin gets for each of the lane's: 0 for hits, 1
	// for what passes. The comparison fails where it is not so.
	origin float64
	bar    float64 // for the subject's ratio to this one; 0: none
}

// sample is one round of one lane.
type sample struct {
	cpu     float64 // microseconds a request
	rate    float64 // requests a second
	outcome outcome
}

// compare loads the lanes in turn, round after round.
func (b *bench) compare(lanes ...lane) ([][]sample, error) {
	for i := range lanes {
		if _, err := b.round(&lanes[i], b.warmUp()); err != nil {
			return nil, err
		}
	}
	samples := make([][]sample, len(lanes))
	for range b.rounds {
		for i := range lanes {
			s, err := b.round(&lanes[i], b.spell)
			if err != nil {
				return nil, err
			}
			samples[i] = append(samples[i], s)
		}
	}
	return samples, nil
}

// round loads one lane once and holds what happened against what should have.
func (b *bench) round(l *lane, d time.Duration) (sample, error) {
	asked, err := b.origin.count()
	if err != nil {
		return sample{}, err
	}
	before, err := l.proc.use()
	if err != nil {
		return sample{}, err
	}
	o, err := b.wrk(l.traffic, d)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w", l.name, err)
	}
	after, err := l.proc.use()
	if err != nil {
		return sample{}, err
	}
	if o.errors > 0 {
		return sample{}, fmt.Errorf("%s: %d of %d requests failed", l.name, o.errors, o.requests)
	}
	now, err := b.origin.count()
	if err != nil {
		return sample{}, err
	}
	if err := l.heldUp(now-asked, o.requests); err != nil {
		return sample{}, err
	}
	return sample{
		cpu:     float64(after.cpu-before.cpu) / float64(o.requests) / float64(time.Microsecond),
		rate:    float64(o.requests) / o.elapsed.Seconds(),
		outcome: o,
	}, nil
}

// heldUp says whether the origin had as many requests as it should have, so that hits were
// hits and passes passes. The first few of a load may meet a store that is being warmed,
// and wrk does not count those that it gave up at the end.
func (l *lane) heldUp(asked, requests int64) error {
	tolerated := 64 + float64(requests)/1000
	if want := l.origin * float64(requests); math.Abs(float64(asked)-want) > tolerated {
		return fmt.Errorf("%s: the origin had %d requests for %d of the load's, %.0f were expected", l.name, asked, requests, want)
	}
	return nil
}

// spread is the median of some figures and how far they lie apart.
type spread struct {
	Median, Min, Max float64
}

func spreadOf(figures []float64) spread {
	if len(figures) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(figures))
	middle := sorted[len(sorted)/2]
	if len(sorted)%2 == 0 {
		middle = (sorted[len(sorted)/2-1] + middle) / 2
	}
	return spread{middle, sorted[0], sorted[len(sorted)-1]}
}

// ratios are those of each round's two neighbours.
func ratios(of, to []sample, figure func(sample) float64) spread {
	var all []float64
	for i := range min(len(of), len(to)) {
		all = append(all, figure(of[i])/figure(to[i]))
	}
	return spreadOf(all)
}

func cpuOf(s sample) float64  { return s.cpu }
func rateOf(s sample) float64 { return s.rate }

func medianOf(samples []sample, figure func(sample) float64) float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, figure(s))
	}
	return spreadOf(all).Median
}

// row compares the subject with each reference in one run and reports a row for each.
func (b *bench) row(name, what string, subject lane, references ...lane) error {
	samples, err := b.compare(append([]lane{subject}, references...)...)
	if err != nil {
		return err
	}
	for i, reference := range references {
		r := result{
			Name: name, What: what, Against: reference.name, Unit: "× CPU", Bar: reference.bar,
			Value: ratios(samples[0], samples[i+1], cpuOf),
			Detail: fmt.Sprintf("%.1f µs against %.1f µs; %s against %s requests/s",
				medianOf(samples[0], cpuOf), medianOf(samples[i+1], cpuOf),
				thousands(medianOf(samples[0], rateOf)), thousands(medianOf(samples[i+1], rateOf))),
		}
		b.report(r)
	}
	return nil
}
