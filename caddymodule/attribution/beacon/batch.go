package beacon

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"
)

const (
	maxBody = 4 << 20 // bytes, about
	// A batch is set aside after so many answers that say that it is the batch's fault.
	maxRefusals = 10
	// So many landings are kept that were set aside. The oldest go first.
	maxRejected = 10_000
)

// batch is what is sent together. What of it is JSON is in the file, so that it is the same
// batch after a restart.
type batch struct {
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`
	Refusals int    `json:"refusals"`

	numbers []uint64 // of its landings
	key     string   // Idempotency-Key
	body    []byte
}

// current is the batch that is being sent, as the last process has left it, or, if it has
// left none, a new one. Nil: nothing waits.
func (q *Queue) current() (*batch, error) {
	var b *batch
	err := q.update(func(tx *bolt.Tx) (err error) {
		if text := tx.Bucket(bucketState).Get(keyBatch); text != nil {
			b = new(batch)
			if err := json.Unmarshal(text, b); err != nil {
				return fmt.Errorf("%w: the batch is %.60q", errDamaged, text)
			}
			if err := b.load(tx, q.o.Batch); err != nil || len(b.numbers) > 0 {
				return err
			}
		}
		b, err = q.begin(tx)
		return err
	})
	return b, err
}

// finish takes the batch out of what waits, into the rejected ones if it is rejected, and
// begins the next one, unless landings should wait for others.
func (q *Queue) finish(b *batch, rejected bool) (next *batch, err error) {
	err = q.update(func(tx *bolt.Tx) (err error) {
		if rejected {
			if err := reject(tx, b); err != nil {
				return err
			}
		}
		landings := tx.Bucket(bucketLandings)
		for _, n := range b.numbers {
			if err := landings.Delete(numberKey(n)); err != nil {
				return err
			}
		}
		if int(q.inFile.Load())-len(b.numbers) < q.o.Batch {
			next = nil
			return tx.Bucket(bucketState).Delete(keyBatch)
		}
		next, err = q.begin(tx)
		return err
	})
	if err == nil {
		q.inFile.Add(-int64(len(b.numbers)))
		q.waiting.Add(-int64(len(b.numbers)))
	}
	return next, err
}

// refused notes one more refusal.
func (q *Queue) refused(b *batch) error {
	b.Refusals++
	return q.update(func(tx *bolt.Tx) error { return b.save(tx) })
}

func (q *Queue) update(change func(*bolt.Tx) error) error {
	return guard(func() error { return q.db.Update(change) })
}

// begin fixes which landings are sent next. Nil: none waits.
func (q *Queue) begin(tx *bolt.Tx) (*batch, error) {
	k, _ := tx.Bucket(bucketLandings).Cursor().First()
	if k == nil {
		return nil, tx.Bucket(bucketState).Delete(keyBatch)
	}
	b := &batch{First: binary.BigEndian.Uint64(k)}
	if err := b.load(tx, q.o.Batch); err != nil {
		return nil, err
	}
	return b, b.save(tx)
}

func (b *batch) save(tx *bolt.Tx) error {
	text, err := json.Marshal(b)
	if err != nil {
		return err
	}
	return tx.Bucket(bucketState).Put(keyBatch, text)
}

// load reads the batch's landings: those up to Last, or, where that is not fixed yet, as many
// as make a batch, which fixes it.
func (b *batch) load(tx *bolt.Tx, most int) error {
	ids := sha256.New()
	body := bytes.NewBufferString(`{"schema":1,"landings":[`)
	fixed := b.Last > 0
	c := tx.Bucket(bucketLandings).Cursor()
	for k, v := c.Seek(numberKey(b.First)); k != nil; k, v = c.Next() {
		number := binary.BigEndian.Uint64(k)
		if fixed && number > b.Last || !fixed && (len(b.numbers) == most || body.Len() > maxBody) {
			break
		}
		text, err := unpack(v)
		if err != nil {
			return err
		}
		var l struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(text, &l); err != nil {
			return fmt.Errorf("%w: landing %d is not JSON: %w", errDamaged, number, err)
		}
		fmt.Fprintf(ids, "%d:%s", len(l.ID), l.ID) // no two lists of ids are one text
		if len(b.numbers) > 0 {
			body.WriteByte(',')
		}
		body.Write(text)
		b.numbers = append(b.numbers, number)
	}
	if n := len(b.numbers); n > 0 && !fixed {
		b.Last = b.numbers[n-1]
	}
	body.WriteString("]}")
	b.key, b.body = hex.EncodeToString(ids.Sum(nil)), body.Bytes()
	return nil
}

// reject moves the batch's landings to the rejected ones, and makes room there. The batch
// itself is left to finish.
func reject(tx *bolt.Tx, b *batch) error {
	landings, rejected := tx.Bucket(bucketLandings), tx.Bucket(bucketRejected)
	kept := 0
	if err := rejected.ForEach(func(_, _ []byte) error { kept++; return nil }); err != nil {
		return err
	}
	for _, n := range b.numbers {
		if err := rejected.Put(numberKey(n), slices.Clone(landings.Get(numberKey(n)))); err != nil {
			return err
		}
	}
	var surplus [][]byte
	c := rejected.Cursor()
	for k, _ := c.First(); k != nil && len(surplus) < kept+len(b.numbers)-maxRejected; k, _ = c.Next() {
		surplus = append(surplus, slices.Clone(k))
	}
	for _, k := range surplus {
		if err := rejected.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
