package attribution

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"testing"
)

// row is what the app has written down.
type row struct {
	Kind rowKind `json:"kind"`

	// Of a landing and of a sign-up.
	Landing string            `json:"landing,omitempty"` // its ID
	Host    string            `json:"host,omitempty"`
	Referer string            `json:"referer,omitempty"`
	Values  map[string]string `json:"values,omitempty"`
	Object  string            `json:"object,omitempty"`
	Member  string            `json:"member,omitempty"`

	// Of a batch, and of one that has come again.
	Key string   `json:"key,omitempty"`
	IDs []string `json:"ids,omitempty"`

	// Of a fault: what the app should never have been asked.
	Text string `json:"text,omitempty"`
}

type rowKind string

const (
	rowLanding rowKind = "landing"
	rowBatch   rowKind = "batch"
	rowAgain   rowKind = "again"  // a batch with a key that is known
	rowRepeat  rowKind = "repeat" // a landing with an ID that is known, in a batch with a key that is not
	rowSignUp  rowKind = "sign-up"
	rowFault   rowKind = "fault"
)

// code is what the visitor came with, all codes being different: the parameter, or the
// site that linked here.
func (r row) code() string {
	if ref := r.Values["ref"]; ref != "" {
		return ref
	}
	return r.Referer
}

// database is a file of rows. What write has returned from is there after a crash of the
// process. It is safe for concurrent use.
type database struct {
	mu   sync.Mutex
	file *os.File
}

func openDatabase(name string) (*database, error) {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &database{file: file}, nil
}

// write adds the rows, all or none.
func (d *database) write(rows ...row) error {
	var b bytes.Buffer
	for _, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err := d.file.Write(b.Bytes())
	return err
}

// readDatabase reads the rows, in the order in which they were written.
func readDatabase(name string) ([]row, error) {
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var rows []row
	for line := range bytes.Lines(data) {
		var r row
		if err := json.Unmarshal(line, &r); err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", name, len(rows)+1, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// rowsOf are the rows of some kind that the app has written.
func rowsOf(t testing.TB, name string, kind rowKind) []row {
	t.Helper()
	rows, err := readDatabase(name)
	if err != nil {
		t.Fatal(err)
	}
	return find(rows, func(r row) bool { return r.Kind == kind })
}

func find(rows []row, fits func(row) bool) (found []row) {
	for _, r := range rows {
		if fits(r) {
			found = append(found, r)
		}
	}
	return found
}
