package beacon

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/attribution"
)

// What a journal is read as is what it was written from, and cutting it anywhere leaves the
// frames before.
func TestFramesComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 50), 1, 10).Draw(t, "texts")
		var frames []byte
		var entries []entry
		var ends []int
		number := uint64(0)
		for _, text := range texts {
			number += rapid.Uint64Range(1, 1<<40).Draw(t, "step")
			entries = append(entries, entry{number, text})
			frames = appendFrame(frames, entries[len(entries)-1])
			ends = append(ends, len(frames))
		}
		cut := rapid.IntRange(0, len(frames)).Draw(t, "cut")
		r := bytes.NewReader(frames[:cut])
		whole := 0
		for last := uint64(0); ; whole++ {
			e, err := readFrame(r, last)
			if err != nil {
				atEnd := whole == 0 && cut == 0 || whole > 0 && ends[whole-1] == cut
				if atEnd != (err == io.EOF) || !atEnd && !errors.Is(err, errTorn) {
					t.Fatalf("cut at %d: %v after %d frames", cut, err, whole)
				}
				break
			}
			if e.number != entries[whole].number || !bytes.Equal(e.text, entries[whole].text) {
				t.Fatalf("frame %d is %v, want %v", whole, e, entries[whole])
			}
			last = e.number
		}
		if whole < len(ends) && ends[whole] <= cut {
			t.Fatalf("%d frames of %d bytes, there are more", whole, cut)
		}
	})
}

// Whatever bytes are a journal: what is read of it is just what would be written.
func FuzzJournal(f *testing.F) {
	text, err := json.Marshal(landing("seed"))
	if err != nil {
		f.Fatal(err)
	}
	frame := appendFrame(nil, entry{1, text})
	f.Add([]byte{})
	f.Add(frame)
	f.Add(appendFrame(frame, entry{7, []byte("{}")}))
	f.Add(frame[:20])
	f.Add(make([]byte, 64))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		var again []byte
		for last := uint64(0); ; {
			e, err := readFrame(r, last)
			if err != nil {
				if err != io.EOF && !errors.Is(err, errTorn) && !errors.Is(err, errDamaged) {
					t.Fatalf("another error: %v", err)
				}
				if err == io.EOF && len(again) != len(data) {
					t.Fatalf("the end after %d of %d bytes", len(again), len(data))
				}
				break
			}
			if e.number <= last {
				t.Fatalf("%d after %d", e.number, last)
			}
			last = e.number
			again = appendFrame(again, e)
		}
		if !bytes.HasPrefix(data, again) {
			t.Fatalf("read % x, there is % x", again, data)
		}
	})
}

// FuzzStored: a value of the file is what was packed, or is known to be damaged.
func FuzzStored(f *testing.F) {
	f.Add([]byte("{}"), uint16(0), byte(0))
	f.Add([]byte(`{"id":"1"}`), uint16(3), byte(1))
	f.Fuzz(func(t *testing.T, text []byte, at uint16, flip byte) {
		v := pack(text)
		v[int(at)%len(v)] ^= flip
		got, err := unpack(v)
		switch {
		case flip != 0 || len(text) == 0:
			if !errors.Is(err, errDamaged) {
				t.Fatalf("%q with byte %d changed: %v", text, at, err)
			}
		case err != nil || !bytes.Equal(got, text):
			t.Fatalf("%q comes back as %q, %v", text, got, err)
		}
	})
}

func FuzzLanding(f *testing.F) {
	text, err := json.Marshal(landing("seed"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"at":"2026-01-02T03:04:05+14:00","values":{"a":"1","a":"2","b":""}}`))
	f.Add([]byte(`{"at":"9999-12-31T23:59:59-01:00"}`))
	f.Add([]byte(`{"at":"2026-01-02T03:04:05Z","values":null}`))
	f.Add([]byte(`{"at":"2026-01-02T03:04:05Z","values":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var l, again Landing
		if json.Unmarshal(data, &l) != nil {
			return
		}
		first, err := json.Marshal(l)
		if err != nil {
			if y := l.At.Year(); y >= 0 && y <= 9999 {
				t.Fatalf("%+v: %v", l, err)
			}
			return
		}
		if err := json.Unmarshal(first, &again); err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		if second, err := json.Marshal(again); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%s becomes %s, %v", first, second, err)
		}
	})
}

func TestLandingAsJSON(t *testing.T) {
	l := Landing{
		ID: "i", At: time.Date(2026, 1, 2, 3, 4, 5, 678_999_999, time.FixedZone("", 3600)), Visitor: "v", Host: "h", Route: "r",
		Path: "/p", Referer: "f", Object: "o", Paid: true,
		Values: []attribution.Value{{Name: "z", Value: "1"}, {Name: "a", Value: "\"\n<"}, {Name: "z", Value: "2"}},
	}
	const want = `{"id":"i","at":"2026-01-02T02:04:05.678Z","visitor":"v","host":"h","route":"r","path":"/p","referer":"f",` +
		`"object":"o","values":{"z":"1","a":"\"\n\u003c"},"paid":true}`
	if got, err := json.Marshal(l); err != nil || string(got) != want {
		t.Errorf("%s, %v, want\n%s", got, err, want)
	}
	for _, wrong := range []string{
		`{"at":"yesterday"}`, `{"at":"2026-01-02T03:04:05Z","values":["a"]}`, `{"at":"2026-01-02T03:04:05Z","values":{"a":1}}`, `[]`,
	} {
		if json.Unmarshal([]byte(wrong), new(Landing)) == nil {
			t.Errorf("%s is taken for a landing", wrong)
		}
	}
}
