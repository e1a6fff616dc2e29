package redis

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/cacheward/cacheward/caddymodule/store"
)

//go:embed tags.lua
var tagsLua string

// maxTags is how many tags an object in Redis may have: a script takes no more arguments
// than a few thousand.
const maxTags = 2000

// errRefused is why an object of Redis is not used: an event selects it, or may.
var errRefused = errors.New("object was purged or invalidated")

// Fetch looks the object up in Redis, and puts it into memory if it is there. It returns nil
// and no error if it is not, or must not be used: it is damaged, another key's, over, or
// purged since; or while this edge does not hear from Redis. An error means that Redis
// could not be asked; the caller goes to the origin in either case. The object is shared,
// as what [store.Store.Get] returns.
//
// It takes two round trips of [Options.Timeout] at most each, and never more memory than
// the store may have.
func (s *Store) Fetch(ctx context.Context, key store.Key, parts []byte) (*store.Object, error) {
	s.counts.fetches.Add(1)
	o, err := s.fetch(ctx, key, parts)
	switch {
	case err == nil && o != nil:
		s.counts.hits.Add(1)
		return o, nil
	case err == nil, errors.Is(err, store.ErrTooLarge):
		s.counts.misses.Add(1)
	case errors.Is(err, store.ErrForeign):
		s.counts.foreign.Add(1)
	case errors.Is(err, store.ErrDamaged):
		s.counts.damaged.Add(1)
	case errors.Is(err, errRefused), errors.Is(err, store.ErrInvalidated):
		s.counts.refused.Add(1)
	default:
		s.counts.errors.Add(1)
		return nil, err
	}
	return nil, nil
}

// fetch does not let an object through that an event has selected of which this edge knows,
// or will:
//
// Let now be the moment at which it begins. The object gets it as its Requested. An event
// is noted by the edge (and then [fleet.Edge.Known] refuses the object) before it is
// applied to the memory, which remembers the moment of that. If that moment is not before
// now, Put refuses the object, or the event finds it in memory and drops it. If it is before
// now, Known, asked later, knows of the event. So it is no use to read now any later.
// An invalidation that is in the log when the tags are read is seen there; one that comes
// later is applied later than now.
func (s *Store) fetch(ctx context.Context, key store.Key, parts []byte) (*store.Object, error) {
	now := time.Now()
	_, latest, clock := s.edge.Clock(now)
	if !clock || !s.edge.Trusted(now) {
		return nil, nil
	}
	client, err := s.objects.get()
	if err != nil {
		return nil, fmt.Errorf("fetching: %w", err)
	}
	at := s.options.namesOf(key)
	values, err := s.read(ctx, client,
		client.B().Getrange().Key(at.head()).Start(0).End(maxHead).Build(),
		client.B().Getrange().Key(at.piece(0)).Start(0).End(MaxPiece+pieceHead).Build())
	if err != nil || values[0] == "" {
		return nil, err
	}
	o, body, err := store.ReadWire([]byte(values[0]), key, parts, now, latest)
	if err != nil {
		return nil, err
	}
	if !time.Now().Before(o.UsableUntil()) || o.Size()+body.Size > s.Memory.Stats().Limit {
		return nil, nil
	}
	if !s.edge.Known(o) || len(o.Tags) > maxTags {
		return nil, errRefused
	}
	o.Body, err = s.readBody(ctx, client, at, o, body, values[1])
	if errors.Is(err, store.ErrDamaged) && s.rewritten(ctx, client, at, values[0]) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// Again: it has taken a while.
	if !s.edge.Known(o) {
		return nil, errRefused
	}
	return o, s.Memory.Put(o)
}

// readBody reads what is missing of the body, of which the first piece is there.
func (s *Store) readBody(ctx context.Context, client rueidis.Client, at names, o *store.Object, body store.Body, first string) ([]byte, error) {
	p, err := open(first, body.Size)
	if err != nil {
		return nil, err
	}
	others, err := s.readRest(ctx, client, at, o, &p)
	if err != nil {
		return nil, err
	}
	return p.join(others, body)
}

// rewritten reports whether the head is another by now: then the pieces were those of what
// took the object's place, and nothing is damaged.
func (s *Store) rewritten(ctx context.Context, client rueidis.Client, at names, head string) bool {
	values, err := s.read(ctx, client, client.B().Getrange().Key(at.head()).Start(0).End(maxHead).Build())
	return err == nil && values[0] != head
}

// readRest reads the other pieces of the body and, beside them, whether one of the object's
// tags was invalidated.
func (s *Store) readRest(ctx context.Context, client rueidis.Client, at names, o *store.Object, p *parcel) ([]string, error) {
	tags := make([]string, len(o.Tags))
	for i := range o.Tags {
		tags[i] = string(o.Tags[i][:])
	}
	commands := make(rueidis.Commands, 0, p.pieces)
	commands = append(commands, client.B().EvalRo().Script(tagsLua).Numkeys(2).
		Key(s.options.controlKey("run"), s.options.controlKey("tags")).Arg(tags...).Build())
	for i := 1; i < p.pieces; i++ {
		commands = append(commands, client.B().Getrange().Key(at.piece(i)).Start(0).End(MaxPiece).Build())
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	results := client.DoMulti(ctx, commands...)
	if err := s.judgeTags(o, results[0]); err != nil {
		return nil, err
	}
	return texts(results[1:])
}

// judgeTags returns an error unless none of the object's tags was invalidated after its
// generation, by the log that this edge has heard of.
func (s *Store) judgeTags(o *store.Object, result rueidis.RedisResult) error {
	reply, err := result.AsStrSlice()
	if err != nil {
		return fmt.Errorf("fetching generations of tags: %w", err)
	}
	epoch := s.link.epoch.Load()
	if len(reply) != 3 || epoch == nil || reply[0] != *epoch {
		return errRefused // the server has forgotten something, which it will say when it is asked
	}
	floor, err := strconv.ParseUint(reply[1], 10, 63)
	if err != nil {
		return fmt.Errorf("fetching generations of tags: %w", err)
	}
	last, err := strconv.ParseUint(reply[2], 10, 63)
	if err != nil {
		return fmt.Errorf("fetching generations of tags: %w", err)
	}
	if last > o.Generation || len(o.Tags) > 0 && o.Generation < floor {
		return errRefused
	}
	return nil
}

// read returns the values that the commands ask for, empty where there is none.
func (s *Store) read(ctx context.Context, client rueidis.Client, commands ...rueidis.Completed) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	return texts(client.DoMulti(ctx, commands...))
}

func texts(results []rueidis.RedisResult) ([]string, error) {
	values := make([]string, len(results))
	for i, result := range results {
		text, err := result.ToString()
		if redisError, is := rueidis.IsRedisErr(err); is && redisError.IsNil() {
			err = nil
		} else if is && isWrongType(redisError) {
			return nil, fmt.Errorf("%w: the value is no text", store.ErrForeign)
		}
		if err != nil {
			return nil, fmt.Errorf("fetching: %w", err)
		}
		values[i] = text
	}
	return values, nil
}
