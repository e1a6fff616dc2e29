package beacon

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"
)

const (
	// What is in a journal comes into the file after so long, or when there is so much.
	storeEvery = time.Second
	storeEarly = 4096 // landings
	// The journals may have so many bytes. What is in them is in memory, too.
	maxJournals = 64 << 20
)

// offer is a landing that someone waits for to be written.
type offer struct {
	text []byte
	done chan error
}

// write takes landings and writes them to the journal, all that came meanwhile at a time.
func (q *Queue) write() {
	for {
		select {
		case <-q.closing:
			return
		case first := <-q.puts:
			q.append(q.others([]*offer{first}))
		}
	}
}

// others adds those that wait, too, to the group.
func (q *Queue) others(group []*offer) []*offer {
	for len(group) < storeEarly {
		select {
		case p := <-q.puts:
			group = append(group, p)
		default:
			return group
		}
	}
	return group
}

// append writes the group to the journal, and tells those who wait.
func (q *Queue) append(group []*offer) {
	q.mu.Lock()
	room := max(q.o.Room-int(q.waiting.Load()), 0)
	if q.journals[0].size+q.journals[1].size >= maxJournals {
		room = 0
	}
	taken := group[:min(len(group), room)]
	var frames []byte
	entries := make([]entry, len(taken))
	for i, p := range taken {
		entries[i] = entry{q.number + uint64(i) + 1, p.text}
		frames = appendFrame(frames, entries[i])
	}
	var err error
	if len(taken) > 0 {
		err = q.journals[q.active].append(frames, q.o.Sync == syncAlways)
	}
	if err == nil {
		q.number += uint64(len(taken))
		q.fresh = append(q.fresh, entries...)
		q.waiting.Add(int64(len(taken)))
		q.put.Add(uint64(len(taken)))
	}
	fresh, size := len(q.fresh), q.journals[q.active].size
	q.mu.Unlock()

	if fresh > 0 {
		signal(q.arrived)
	}
	if fresh >= storeEarly || size >= maxJournals/8 {
		signal(q.crowded)
	}
	for _, p := range taken {
		p.done <- err
	}
	for _, p := range group[len(taken):] {
		p.done <- ErrFull
	}
}

// signal is for one who may already have been told.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// store brings what is written into the file.
func (q *Queue) store() {
	for {
		select {
		case <-q.arrived:
		case <-q.closing:
			return
		}
		select {
		case <-time.After(min(storeEvery, q.o.Every)):
		case <-q.crowded:
		case <-q.closing:
			return
		}
		more, err := q.storeNow()
		if more || err != nil {
			signal(q.arrived)
		}
		if err != nil {
			q.unwritten.met(func(since time.Time, times int) {
				q.o.Logger.Error("landings are not getting into their queue: they are in its journal for now",
					zap.String("file", q.path), zap.Int("times", times), zap.Time("since", since), zap.Error(err))
			})
			select {
			case <-time.After(storeEvery):
			case <-q.closing:
				return
			}
			continue
		}
		q.unwritten.over(func(times int) {
			q.o.Logger.Info("landings are getting into their queue again", zap.String("file", q.path), zap.Int("times", times))
		})
	}
}

// storeNow brings what is in one of the journals into the file, and says whether there is
// more. It must not run twice at a time.
func (q *Queue) storeNow() (more bool, err error) {
	q.mu.Lock()
	if len(q.storing) == 0 { // else the last time failed
		q.storing, q.fresh = q.fresh, nil
		q.active = 1 - q.active
	}
	storing, idle := q.storing, q.journals[1-q.active]
	q.mu.Unlock()
	if len(storing) == 0 {
		return false, nil
	}
	if _, err := q.insert(storing); err != nil {
		return false, err
	}
	q.inFile.Add(int64(len(storing)))
	signal(q.stored)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.storing = nil
	// What cannot be cut off is known by its numbers to be in the file.
	return len(q.fresh) > 0, idle.cut(0)
}

// insert puts those of the entries into the file that have not come there before, and says
// how many these were. The entries are in order.
func (q *Queue) insert(entries []entry) (added int, err error) {
	err = q.update(func(tx *bolt.Tx) error {
		landings, state := tx.Bucket(bucketLandings), tx.Bucket(bucketState)
		landings.FillPercent = 0.9 // all are added at the end
		var stored uint64
		if v := state.Get(keyStored); v != nil {
			stored = binary.BigEndian.Uint64(v)
		}
		added = 0
		for _, e := range entries {
			if e.number <= stored {
				continue
			}
			if err := landings.Put(numberKey(e.number), pack(e.text)); err != nil {
				return err
			}
			stored = e.number
			added++
		}
		return state.Put(keyStored, numberKey(stored))
	})
	return added, err
}

// oldest is when the landing came that waits for longest.
func (q *Queue) oldest() time.Time {
	var text []byte
	_ = guard(func() error {
		return q.db.View(func(tx *bolt.Tx) error {
			if _, v := tx.Bucket(bucketLandings).Cursor().First(); len(v) > 4 {
				text = slices.Clone(v[4:])
			}
			return nil
		})
	})
	if text == nil {
		q.mu.Lock()
		switch {
		case len(q.storing) > 0:
			text = q.storing[0].text
		case len(q.fresh) > 0:
			text = q.fresh[0].text
		}
		q.mu.Unlock()
	}
	var l Landing
	if json.Unmarshal(text, &l) != nil {
		return time.Time{}
	}
	return l.At
}
