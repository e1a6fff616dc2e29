package beacon

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// A journal is a file of frames, one for each landing:
//
//	length of the JSON, 4 bytes | CRC-32C of all that follows, 4 bytes | number, 8 bytes | JSON
//
// Numbers are big endian, and grow from frame to frame. What has been written to a file is
// safe from the end of this process; an end of the machine leaves a file that is whole up to
// some frame. Neither is true of a B-tree that is not synced, hence the journal.
const (
	headLength = 16
	// maxLanding is how long a landing may be, in bytes of its JSON.
	maxLanding = 64 << 10
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)

	// errTorn is a last frame that was not written to its end: what a process leaves that
	// is killed while it writes. Nobody was told that it is queued.
	errTorn = errors.New("the last frame is not whole")
	// errDamaged is what no end of a process leaves.
	errDamaged = errors.New("damaged")
)

// entry is a landing with its place in the order.
type entry struct {
	number uint64
	text   []byte // JSON
}

// appendFrame appends the entry as a frame.
func appendFrame(to []byte, e entry) []byte {
	start := len(to)
	to = binary.BigEndian.AppendUint32(to, uint32(len(e.text)))
	to = append(to, 0, 0, 0, 0)
	to = binary.BigEndian.AppendUint64(to, e.number)
	to = append(to, e.text...)
	binary.BigEndian.PutUint32(to[start+4:], crc32.Checksum(to[start+8:], castagnoli))
	return to
}

// readFrame reads one frame that must be of a later landing than after. At the end: io.EOF.
func readFrame(r io.Reader, after uint64) (entry, error) {
	var head [headLength]byte
	switch n, err := io.ReadFull(r, head[:]); {
	case n == 0 && err == io.EOF:
		return entry{}, io.EOF
	case err == io.ErrUnexpectedEOF:
		return entry{}, errTorn
	case err != nil:
		return entry{}, err
	}
	length := binary.BigEndian.Uint32(head[:])
	if length == 0 || length > maxLanding {
		return entry{}, fmt.Errorf("%w: a frame of %d bytes, want 1 to %d", errDamaged, length, maxLanding)
	}
	e := entry{number: binary.BigEndian.Uint64(head[8:]), text: make([]byte, length)}
	switch _, err := io.ReadFull(r, e.text); {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return entry{}, errTorn
	case err != nil:
		return entry{}, err
	}
	sum := crc32.Update(crc32.Checksum(head[8:], castagnoli), castagnoli, e.text)
	if want := binary.BigEndian.Uint32(head[4:]); sum != want {
		return entry{}, fmt.Errorf("%w: a frame has the checksum %08x, want %08x", errDamaged, sum, want)
	}
	if e.number <= after {
		return entry{}, fmt.Errorf("%w: landing %d comes after %d", errDamaged, e.number, after)
	}
	return e, nil
}

// journal is open for appending. It is not safe for concurrent use.
type journal struct {
	file *os.File
	size int64 // of what is whole
	// broken is set where what is behind size could not be taken off: what were appended
	// there would not be found again.
	broken bool
}

// openJournal opens the file, and reads what is in it. An error that is errTorn or
// errDamaged comes with what there was before.
func openJournal(path string) (*journal, []entry, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	j := &journal{file: file}
	r := bufio.NewReader(file)
	var found []entry
	var last uint64
	for {
		e, err := readFrame(r, last)
		if err == io.EOF {
			return j, found, nil
		}
		if err != nil {
			return j, found, err
		}
		found, last = append(found, e), e.number
		j.size += headLength + int64(len(e.text))
	}
}

// append writes the frames, all or none.
func (j *journal) append(frames []byte, sync bool) error {
	if j.broken {
		if err := j.cut(j.size); err != nil {
			return err
		}
	}
	_, err := j.file.WriteAt(frames, j.size)
	if err == nil && sync {
		err = j.file.Sync()
	}
	if err != nil {
		j.broken = true
		_ = j.cut(j.size) // else before the next is written
		return err
	}
	j.size += int64(len(frames))
	return nil
}

// cut leaves the first bytes of the file.
func (j *journal) cut(size int64) error {
	if err := j.file.Truncate(size); err != nil {
		return err
	}
	j.size, j.broken = size, false
	return nil
}
