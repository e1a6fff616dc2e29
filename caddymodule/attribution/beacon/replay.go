package beacon

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"go.uber.org/zap"
)

// replay opens the journals, and brings what the last process has left in them into the
// file.
func (q *Queue) replay() error {
	var left []entry
	var damage [2]error
	for i := range q.journals {
		j, found, err := openJournal(q.journalPath(i))
		if j == nil {
			return err
		}
		q.journals[i] = j
		switch {
		case errors.Is(err, errDamaged):
			damage[i] = err
		case err != nil && !errors.Is(err, errTorn):
			return err
		}
		left = append(left, found...)
	}
	if err := q.insertLeft(left); err != nil {
		return err
	}
	for i, err := range damage {
		if err == nil {
			continue
		}
		if err := q.replaceJournal(i, err); err != nil {
			return err
		}
	}
	for _, j := range q.journals {
		if err := j.cut(0); err != nil {
			return err
		}
	}
	if q.o.Sync == syncAlways {
		syncFolder(filepath.Dir(q.path))
	}
	return nil
}

func (q *Queue) journalPath(i int) string {
	return fmt.Sprintf("%s.journal-%d", q.path, i)
}

// replaceJournal sets aside a journal that is damaged, and begins a new one.
func (q *Queue) replaceJournal(i int, damage error) error {
	path := q.journalPath(i)
	aside, err := setAside(path, nil)
	if err != nil {
		return err
	}
	q.o.Logger.Error("a journal of landings is damaged: it is set aside; what is behind the damage is not sent",
		zap.String("file", path), zap.String("set_aside", aside), zap.Error(damage))
	_ = q.journals[i].file.Close()
	q.journals[i], _, err = openJournal(path)
	return err
}

// insertLeft puts those of the entries into the file that are not there.
func (q *Queue) insertLeft(left []entry) error {
	if len(left) == 0 {
		return nil
	}
	slices.SortFunc(left, func(a, b entry) int { return cmp.Compare(a.number, b.number) })
	added, err := q.insert(left)
	if err != nil {
		return err
	}
	q.number = max(q.number, left[len(left)-1].number)
	q.count(added)
	return nil
}

// count counts landings that came into the file from elsewhere than Put.
func (q *Queue) count(n int) {
	q.waiting.Add(int64(n))
	q.inFile.Add(int64(n))
}

// syncFolder has new files' names on the disk. Not every system can.
func syncFolder(path string) {
	if d, err := os.Open(path); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
