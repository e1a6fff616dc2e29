package beacon

import (
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// rejectedIDs are those in a file that is not open.
func rejectedIDs(t *testing.T, path string) (ids []string) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, options(true))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketRejected).ForEach(func(_, v []byte) error {
			var l Landing
			text, err := unpack(v)
			if err != nil {
				return err
			}
			ids = append(ids, l.ID)
			err = json.Unmarshal(text, &l)
			ids[len(ids)-1] = l.ID
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// nowhere is the options of a queue whose app never answers.
func nowhere() Options {
	return Options{URL: "http://app.example/", Client: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})}}
}

// to is the options of a queue whose app is a, without a network.
func to(a *app) Options {
	return Options{URL: "http://app.example/", Client: &http.Client{Transport: a}, Every: 10 * time.Millisecond}
}

// filled is a file with landings.
func filled(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "queue.db")
	q := open(t, path, nowhere())
	put(t, q, 1, n)
	shut(t, q)
	return path
}

func TestDamagedFileIsSetAside(t *testing.T) {
	whole, err := os.ReadFile(filled(t, 500))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	type damage struct {
		name string
		text []byte
	}
	cases := []damage{
		{"one byte", []byte("x")},
		{"another kind of file", []byte("SQLite format 3\x00 and so on")},
		{"zeros", make([]byte, 1<<16)},
		{"no pages behind the first", whole[:4096]},
		{"no pages behind the second", whole[:8192]},
		{"half of it", whole[:len(whole)/2]},
		{"half of it and zeros", append(slices.Clone(whole[:len(whole)/2]), make([]byte, len(whole)/2)...)},
		{"no first pages", whole[8192:]},
	}
	for range 40 {
		text := slices.Clone(whole)
		for range 30 {
			text[random.IntN(len(text))] ^= byte(1 + random.IntN(255))
		}
		cases = append(cases, damage{"some bytes", text})
	}
	for range 20 { // whole pages
		text := slices.Clone(whole)
		from, to := 4096*random.IntN(len(text)/4096), 4096*random.IntN(len(text)/4096)
		copy(text[to:to+4096], text[from:from+4096])
		cases = append(cases, damage{"pages changed places", text})
	}
	aside := 0
	for _, c := range cases {
		core, logs := observer.New(zapcore.ErrorLevel)
		path := filepath.Join(t.TempDir(), "queue.db")
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		a := new(app)
		o := to(a)
		o.Logger = zap.New(core)
		q, err := Open(path, o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		put(t, q, 1001, 1003)
		eventually(t, c.name, func() bool { return q.Stats().Waiting == 0 })
		shut(t, q)
		got := a.accepted(t)
		others, _ := filepath.Glob(path + ".damaged-*")
		switch {
		case len(others) == 0: // nothing that is used was hit
			if !slices.Equal(got, append(numbers(1, 500), numbers(1001, 1003)...)) {
				t.Errorf("%s: not set aside, and the app has %d landings", c.name, len(got))
			}
		default:
			aside++
			if !slices.Equal(got, numbers(1001, 1003)) || logs.FilterMessageSnippet("set aside").Len() != 1 {
				t.Errorf("%s: set aside, the app has %d landings, the log %v", c.name, len(got), logs.All())
			}
			if kept, err := os.ReadFile(others[0]); err != nil || !slices.Equal(kept, c.text) {
				t.Errorf("%s: what was set aside is not what was there: %v", c.name, err)
			}
		}
	}
	if aside < 40 {
		t.Errorf("%d of %d were set aside", aside, len(cases))
	}
}

// What is in the journals is sent though the file is gone, and the other way round.
func TestJournalWithoutFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	var frames []byte
	for i, id := range numbers(41, 60) {
		text, err := json.Marshal(landing(id))
		if err != nil {
			t.Fatal(err)
		}
		frames = appendFrame(frames, entry{uint64(41 + i), text})
	}
	if err := os.WriteFile(path+".journal-1", frames, 0o600); err != nil {
		t.Fatal(err)
	}
	a := new(app)
	q := open(t, path, to(a))
	put(t, q, 61, 65)
	eventually(t, "empty", func() bool { return q.Stats().Waiting == 0 })
	shut(t, q)
	if got := a.accepted(t); !slices.Equal(got, numbers(41, 65)) {
		t.Errorf("the app has %v", got)
	}
}

// A crash between the change of the file and that of the journal leaves landings in both.
func TestJournalThatIsInTheFileAlready(t *testing.T) {
	path := filepath.Join(t.TempDir(), "queue.db")
	var frames []byte
	entries := make([]entry, 30)
	for i, id := range numbers(1, 30) {
		text, _ := json.Marshal(landing(id))
		entries[i] = entry{uint64(i + 1), text}
		frames = appendFrame(frames, entries[i])
	}
	q := open(t, path, nowhere())
	if n, err := q.insert(entries[:20]); n != 20 || err != nil {
		t.Fatal(err)
	}
	shut(t, q)
	if err := os.WriteFile(path+".journal-0", frames, 0o600); err != nil {
		t.Fatal(err)
	}
	a := new(app)
	q = open(t, path, to(a))
	eventually(t, "empty", func() bool { return q.Stats().Waiting == 0 })
	shut(t, q)
	if got := a.accepted(t); !slices.Equal(got, numbers(1, 30)) {
		t.Errorf("the app has %v", got)
	}
}

func TestDamagedJournal(t *testing.T) {
	var frames []byte
	var ends []int
	for i, id := range numbers(1, 10) {
		text, _ := json.Marshal(landing(id))
		frames = appendFrame(frames, entry{uint64(i + 1), text})
		ends = append(ends, len(frames))
	}
	flipped := slices.Clone(frames)
	flipped[ends[5]+headLength+3] ^= 1
	long := slices.Clone(frames)
	binary.BigEndian.PutUint32(long[ends[6]:], maxLanding+1)
	for _, c := range []struct {
		name  string
		text  []byte
		want  int
		aside bool
	}{
		{"whole", frames, 10, false},
		{"empty", nil, 0, false},
		{"torn in a head", frames[:ends[3]+5], 4, false},
		{"torn behind a head", frames[:ends[3]+headLength], 4, false},
		{"torn in a landing", frames[:ends[8]+100], 9, false},
		{"a bit", flipped, 6, true},
		{"a length", long, 7, true},
		{"zeros", append(slices.Clone(frames), make([]byte, 100)...), 10, true},
		{"twice", append(slices.Clone(frames), frames...), 10, true},
		{"text", []byte("this is not a journal at all"), 0, true},
	} {
		path := filepath.Join(t.TempDir(), "queue.db")
		if err := os.WriteFile(path+".journal-0", c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		a := new(app)
		q := open(t, path, to(a))
		put(t, q, 11, 12)
		eventually(t, c.name, func() bool { return q.Stats().Waiting == 0 })
		shut(t, q)
		if got := a.accepted(t); !slices.Equal(got, append(numbers(1, c.want), "11", "12")) {
			t.Errorf("%s: the app has %v, want %d and 2", c.name, got, c.want)
		}
		if others, _ := filepath.Glob(path + ".journal-0.damaged-*"); (len(others) == 1) != c.aside {
			t.Errorf("%s: set aside %v, want %t", c.name, others, c.aside)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		o    Options
		want string
	}{
		{filepath.Join(folder, "q"), Options{}, `url is ""`},
		{filepath.Join(folder, "q"), Options{URL: "ftp://app.example/"}, "want http://"},
		{filepath.Join(folder, "q"), Options{URL: "http:///path"}, "with a host"},
		{filepath.Join(folder, "q"), Options{URL: "http://%zz"}, "url is not one"},
		{filepath.Join(folder, "q"), Options{URL: "http://app.example", Sync: "often"}, "want always, interval or never"},
		{filepath.Join(folder, "q"), Options{URL: "http://app.example", Batch: -1}, "batch is -1"},
		{folder, Options{URL: "http://app.example"}, "not a regular file"},
		{filepath.Join(file, "q"), Options{URL: "http://app.example"}, "not a directory"},
	} {
		_, err := Open(c.path, c.o)
		contains(t, err, c.want)
	}
	if left, _ := os.ReadDir(folder); len(left) != 1 {
		t.Errorf("there are files: %v", left)
	}
}
