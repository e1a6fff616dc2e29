package beacon

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"go.uber.org/zap"
)

// The buckets of the file. The keys of landings and rejected ones are their numbers, 8
// bytes, big endian; the values a CRC-32C of the JSON, 4 bytes, and the JSON.
var (
	bucketLandings = []byte("landings") // that wait
	bucketRejected = []byte("rejected") // that the app would not have
	bucketState    = []byte("state")

	keyStored = []byte("stored") // the number of the last landing that came in from a journal
	keyBatch  = []byte("batch")  // what is being sent, so that it is the same after a restart
)

// lockWait is for how long another process may still have the file.
const lockWait = 3 * time.Second

// contents are what a file has.
type contents struct {
	waiting int
	last    uint64 // number of a landing
}

// openFile opens the file and reads all of it. One that is damaged is set aside, and a new
// one begun.
func openFile(path string, sync bool, logger *zap.Logger) (*bolt.DB, contents, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, contents{}, err
	}
	var aside string
	switch seen, err := check(path); {
	case errors.Is(err, errDamaged):
		if aside, err = setAside(path, seen); err != nil {
			return nil, contents{}, err
		}
		logger.Error("the queue of landings is damaged: it is set aside, and a new one begun; what waited in it is not sent",
			zap.String("file", path), zap.String("set_aside", aside), zap.Error(err))
	case err != nil:
		return nil, contents{}, explain(path, err)
	}
	var db *bolt.DB
	var found contents
	err := guard(func() (err error) {
		if db, err = bolt.Open(path, 0o600, options(sync)); err != nil {
			return err
		}
		return db.Update(func(tx *bolt.Tx) error {
			for _, name := range [][]byte{bucketLandings, bucketRejected, bucketState} {
				if _, err := tx.CreateBucketIfNotExists(name); err != nil {
					return err
				}
			}
			found, err = walk(tx)
			return err
		})
	})
	if err != nil {
		if db != nil {
			_ = db.Close()
		}
		return nil, contents{}, explain(path, err)
	}
	return db, found, nil
}

func options(sync bool) *bolt.Options {
	return &bolt.Options{
		Timeout:      lockWait,
		FreelistType: bolt.FreelistMapType,
		// After a day's landings most of the file is free, and the list of what is would be
		// written with each batch.
		NoFreelistSync: true,
		NoSync:         !sync,
		NoStatistics:   true,
	}
}

// check reads all that is in the file, without changing it. What is wrong with it is
// errDamaged. It also says which file it has read.
func check(path string) (seen fs.FileInfo, err error) {
	seen, err = os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !seen.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case seen.Size() == 0:
		return seen, nil
	}
	err = guard(func() error {
		// For reading, as bbolt looks for free pages otherwise, in a goroutine of its own
		// where a damaged page is the end of the process.
		db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: lockWait, NoStatistics: true})
		var system syscall.Errno
		switch {
		case errors.Is(err, bolterrors.ErrTimeout) || errors.As(err, &system):
			return err
		case err != nil:
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		defer db.Close()
		return db.View(func(tx *bolt.Tx) error {
			_, err := walk(tx)
			return err
		})
	})
	return seen, err
}

// walk reads every page and every value.
func walk(tx *bolt.Tx) (contents, error) {
	var c contents
	err := tx.ForEach(func(name []byte, b *bolt.Bucket) error {
		if string(name) == string(bucketState) {
			return b.ForEach(func(k, v []byte) error {
				if string(k) == string(keyStored) {
					if len(v) != 8 {
						return fmt.Errorf("%w: %s has %d bytes, want 8", errDamaged, k, len(v))
					}
					c.last = max(c.last, binary.BigEndian.Uint64(v))
				}
				return nil
			})
		}
		var before uint64
		return b.ForEach(func(k, v []byte) error {
			if len(k) != 8 {
				return fmt.Errorf("%w: %s has a key of %d bytes, want 8", errDamaged, name, len(k))
			}
			number := binary.BigEndian.Uint64(k)
			if number <= before { // the order also ends a walk in circles
				return fmt.Errorf("%w: in %s, %d comes after %d", errDamaged, name, number, before)
			}
			if _, err := unpack(v); err != nil {
				return err
			}
			if before = number; string(name) == string(bucketLandings) {
				c.waiting++
			}
			c.last = max(c.last, number)
			return nil
		})
	})
	return c, err
}

// setAside gives the file another name, in the same folder, if it still is the one that was
// seen.
func setAside(path string, seen fs.FileInfo) (string, error) {
	now, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if seen != nil && !os.SameFile(now, seen) {
		return "", fmt.Errorf("%s: another process has changed it: try again", path)
	}
	aside := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000000000Z")
	return aside, os.Rename(path, aside)
}

// pack is the value of a landing, unpack the other way round.
func pack(text []byte) []byte {
	v := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(text)), crc32.Checksum(text, castagnoli))
	return append(v, text...)
}

func unpack(v []byte) ([]byte, error) {
	if len(v) <= 4 {
		return nil, fmt.Errorf("%w: a landing of %d bytes, want more than 4", errDamaged, len(v))
	}
	if sum, want := crc32.Checksum(v[4:], castagnoli), binary.BigEndian.Uint32(v); sum != want {
		return nil, fmt.Errorf("%w: a landing has the checksum %08x, want %08x", errDamaged, sum, want)
	}
	return v[4:], nil
}

func numberKey(n uint64) []byte {
	return binary.BigEndian.AppendUint64(nil, n)
}

// guard calls what uses the file. bbolt panics on pages that make no sense, and memory that
// stands for a file is a fault to read where the file or the disk has none.
func guard(use func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errDamaged, p)
		}
	}()
	return use()
}

// explain says what to do about an error of opening the file.
func explain(path string, err error) error {
	if errors.Is(err, bolterrors.ErrTimeout) {
		return fmt.Errorf("%s: another process has the file open: end it, or give each its own data directory (XDG_DATA_HOME)", path)
	}
	return fmt.Errorf("opening the queue of landings %s: %w", path, err)
}
