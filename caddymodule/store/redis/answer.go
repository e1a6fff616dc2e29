package redis

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/cacheward/cacheward/caddymodule/control"
	"github.com/cacheward/cacheward/caddymodule/fleet"
)

// readAnswer reads what the script ask.lua returns. Nothing in it is guessed.
func readAnswer(reply []rueidis.RedisMessage) (fleet.Heard, string, error) {
	r := answerReader{rest: reply}
	heard := fleet.Heard{Generation: r.number()}
	epoch := r.text()
	flags := r.int()
	heard.Lost, heard.Settling = flags&1 != 0, flags&2 != 0
	seconds, micros := r.number(), r.number()
	heard.Now = time.Unix(int64(seconds), int64(micros)*1000)
	heard.Members = r.members()
	heard.Events = r.events()
	if heard.Lost {
		heard.Floor = r.number()
		heard.Purges = r.events()
		heard.Trips = r.trips()
		heard.Resets = r.resets()
	}
	if r.err == nil && (epoch == "" || heard.Generation == 0) {
		r.err = errors.New("it has no epoch, or no generation")
	}
	return heard, epoch, r.err
}

// answerReader takes an answer apart; the first error sticks.
type answerReader struct {
	rest []rueidis.RedisMessage
	err  error
}

func (r *answerReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *answerReader) next() (m rueidis.RedisMessage) {
	if len(r.rest) == 0 {
		r.fail(errors.New("it is too short"))
		return m
	}
	m, r.rest = r.rest[0], r.rest[1:]
	return m
}

func (r *answerReader) text() string {
	m := r.next()
	if r.err != nil {
		return ""
	}
	s, err := m.ToString()
	if err != nil {
		r.fail(err)
	}
	return s
}

func (r *answerReader) number() uint64 {
	text := r.text()
	if r.err != nil {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		r.fail(err)
	}
	return n
}

func (r *answerReader) int() int64 {
	m := r.next()
	if r.err != nil {
		return 0
	}
	n, err := m.AsInt64()
	if err != nil {
		r.fail(err)
	}
	return n
}

// list returns a reader of the list that is next.
func (r *answerReader) list() answerReader {
	m := r.next()
	if r.err != nil {
		return answerReader{}
	}
	items, err := m.ToArray()
	if err != nil {
		r.fail(err)
	}
	return answerReader{rest: items}
}

func (r *answerReader) members() (members []fleet.Member) {
	list := r.list()
	for len(list.rest) > 0 && list.err == nil {
		members = append(members, fleet.Member{
			Edge: list.text(), Applied: list.number(),
			Silent: time.Duration(list.number()) * time.Millisecond,
		})
	}
	if list.err != nil {
		r.fail(fmt.Errorf("members: %w", list.err))
	}
	return members
}

func (r *answerReader) events() (events []fleet.Event) {
	list := r.list()
	for len(list.rest) > 0 && list.err == nil {
		entry := list.list() // the number, and a list of the fields
		id := entry.text()
		fields := entry.list()
		name, text := fields.text(), fields.text()
		digits, isFirst := strings.CutSuffix(id, "-0")
		generation, err := strconv.ParseUint(digits, 10, 63)
		switch {
		case entry.err != nil || fields.err != nil:
			list.fail(errors.Join(entry.err, fields.err))
			continue
		case err != nil || !isFirst || name != "e":
			list.fail(fmt.Errorf("entry %q is no event", id))
			continue
		}
		event, err := decodeEvent(generation, text)
		if err != nil {
			list.fail(err)
			continue
		}
		events = append(events, event)
	}
	if list.err != nil {
		r.fail(list.err)
		return nil
	}
	return events
}

// numbered calls read with each value of the list that is next: a generation, a blank, and
// JSON.
func (r *answerReader) numbered(what string, read func(generation uint64, text string) error) {
	list := r.list()
	for len(list.rest) > 0 && list.err == nil {
		digits, text, _ := strings.Cut(list.text(), " ")
		generation, err := strconv.ParseUint(digits, 10, 63)
		if err == nil {
			err = read(generation, text)
		}
		if err != nil {
			list.fail(err)
		}
	}
	if list.err != nil {
		r.fail(fmt.Errorf("%s: %w", what, list.err))
	}
}

func (r *answerReader) trips() (trips []control.Tripped) {
	r.numbered("trips", func(generation uint64, text string) error {
		var trip control.Tripped
		err := json.Unmarshal([]byte(text), &trip)
		trip.Generation = generation
		trips = append(trips, trip)
		return err
	})
	return trips
}

func (r *answerReader) resets() (resets []fleet.Event) {
	r.numbered("resets", func(generation uint64, text string) error {
		event, err := decodeEvent(generation, text)
		resets = append(resets, event)
		return err
	})
	return resets
}
