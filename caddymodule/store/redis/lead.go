package redis

import (
	"context"
	"crypto/rand"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
)

//go:embed lead.lua
var leadLua string

//go:embed done.lua
var doneLua string

// leadTime is for how long an edge may keep the others waiting for what it asks the origin.
// One that died does not for longer.
const leadTime = 5 * time.Second

// leading gives edges their turn to ask the origin.
type leading struct {
	lead, done *rueidis.Lua
	// afresh is the last generation that made everything be forgotten which was remembered
	// beside objects.
	afresh atomic.Uint64
}

func newLeading() leading {
	return leading{lead: rueidis.NewLuaScript(leadLua), done: rueidis.NewLuaScript(doneLua)}
}

// Lead says whether this edge is to ask the origin for what waits in the lane. If another
// one does so already, the Turn is neither Mine nor has it a verdict: it is to be asked for
// again, after a look at what was stored meanwhile. The turn ends with Done, or after a few
// seconds. It spares the origin requests and decides nothing else.
func (s *Store) Lead(ctx context.Context, lane store.Key) (fleet.Turn, error) {
	client, err := s.objects.get()
	if err != nil {
		return fleet.Turn{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	at, token := s.options.namesOf(lane), rand.Text()
	reply, err := s.leading.lead.Exec(ctx, client, []string{at.lead(), at.no()},
		[]string{token, strconv.FormatInt(leadTime.Milliseconds(), 10)}).ToArray()
	if err != nil {
		return fleet.Turn{}, fmt.Errorf("asking whose turn it is: %w", err)
	}
	r := answerReader{rest: reply}
	if len(reply) == 1 {
		mine := r.int() == 1
		if r.err != nil || !mine {
			return fleet.Turn{}, r.err
		}
		return fleet.Turn{Mine: true, Done: func(v fleet.Verdict) { s.over(lane, token, v) }}, nil
	}
	digits, reason, _ := strings.Cut(r.text(), " ")
	generation, err := strconv.ParseUint(digits, 10, 63)
	left := time.Duration(r.int()) * time.Millisecond
	switch {
	case r.err != nil:
		return fleet.Turn{}, r.err
	case err != nil:
		return fleet.Turn{}, fmt.Errorf("verdict: %w", err)
	case generation < s.leading.afresh.Load() || left <= 0:
		// It is not to be remembered any more, but nobody has taken the turn either.
		return fleet.Turn{Mine: true, Done: func(fleet.Verdict) {}}, nil
	}
	return fleet.Turn{Verdict: fleet.Verdict{Reason: reason, For: left}}, nil
}

// over ends a turn, once what was stored in it is in Redis: those who wait then find it.
func (s *Store) over(lane store.Key, token string, v fleet.Verdict) {
	if s.closed.Load() {
		return
	}
	keys := slices.Clone(v.Stored)
	var next func()
	next = func() {
		if len(keys) == 0 {
			s.say(lane, token, v)
			return
		}
		key := keys[0]
		keys = keys[1:]
		s.writing.add(write{key: key, then: next}) // if there is no room, the turn ends by itself
	}
	if len(keys) == 0 {
		keys = []store.Key{lane}
	}
	next()
}

// say tells the others. If it fails, they wait a little longer.
func (s *Store) say(lane store.Key, token string, v fleet.Verdict) {
	client, err := s.objects.get()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(s.writing.ctx, s.options.Timeout)
	defer cancel()
	at, verdict := s.options.namesOf(lane), ""
	left := v.For.Milliseconds()
	if v.Reason != "" && left > 0 {
		verdict = strconv.FormatUint(s.Generation(), 10) + " " + v.Reason
	}
	_ = s.leading.done.Exec(ctx, client, []string{at.lead(), at.no()}, []string{token, verdict, strconv.FormatInt(left, 10)}).Error()
}
