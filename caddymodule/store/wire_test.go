package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeebo/blake3"
	"pgregory.net/rapid"
)

var newWire = flag.Bool("new-wire", false, "write the encodings of a new version into testdata/wire")

// wireNow is a local time, and wireAt the log's at the same moment.
var (
	wireNow = time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC)
	wireAt  = time.Date(2026, 2, 3, 4, 9, 0, 0, time.UTC)
)

// wireResponse is an object with everything, and wireVariants an index.
func wireResponse() *Object {
	return &Object{
		Key: Key{1, 2, 3}, Parts: "parts", ID: "0194c9a2-0000-7000-8000-000000000001", Route: "landing",
		Status: http.StatusNotFound,
		Header: FieldsOf(http.Header{
			"Content-Type": {"text/html; charset=utf-8"}, "Link": {"</a.css>", "</b.js>"}, "Empty": {""},
		}),
		Body:      []byte("Not found.\n"),
		Control:   FieldsOf(http.Header{"Cdn-Cache-Control": {"max-age=60"}}),
		Requested: wireNow.Add(-12 * time.Second), Received: wireNow.Add(-10 * time.Second), InitialAge: 3 * time.Second,
		Expires:              wireNow.Add(50 * time.Second),
		StaleWhileRevalidate: 30 * time.Second, StaleIfError: time.Hour, Keep: 24 * time.Hour,
		NoCache: true, OnlyWindows: true, NoTransform: true,
		Selecting:  []Selecting{{"Accept-Language", "ja", true}, {"Dnt", "", false}},
		Tags:       []Tag{TagOf(TagURI, "example.com/a"), TagOf(TagName, "shop")},
		Generation: 300,
	}
}

func wireVariants() *Object {
	return &Object{
		Key: Key{4}, Parts: "parts", Route: "landing", Generation: math.MaxUint64,
		Requested: wireNow.Add(-time.Second), Received: wireNow.Add(-time.Second), Keep: time.Hour,
		NeverStale: true, Aged: true, Authorized: true,
		Variants: &Variants{Names: []string{"Accept-Language", "Dnt"}, Epoch: [8]byte{8, 7}, Keys: []Key{{5}, {6}}},
	}
}

// read is what ReadWire should make of what was written at the same moment.
func read(o *Object, now time.Time) *Object {
	r := *o
	r.Body, r.forms, r.Requested = nil, nil, now
	return &r
}

// asked is the key and the parts that are in b, as far as there are any.
func asked(b []byte) (key Key, parts []byte) {
	if len(b) < wireHead {
		return key, nil
	}
	r := wireReader{rest: string(b[wireHead:])}
	copy(key[:], r.take(len(key)))
	return key, []byte(r.text())
}

// sealed is b with the sum that belongs to it.
func sealed(b []byte) []byte {
	end := len(b) - wireSum
	if end < 0 {
		return b
	}
	sum := blake3.Sum256(b[:end])
	return append(slices.Clone(b[:end]), sum[:]...)
}

// writtenAt is the time by the log's clock that stands in b.
func writtenAt(b []byte) time.Time {
	r := wireReader{rest: string(b[wireHead:])}
	r.take(len(Key{}))
	for range 3 {
		r.text()
	}
	for range 4 {
		r.number()
	}
	r.take(len(Body{}.Sum))
	return time.Unix(0, r.signed())
}

// isWire fails if b is read and is not what would be written of what was read.
func isWire(t testing.TB, b []byte) (accepted bool) {
	t.Helper()
	key, parts := asked(b)
	at := wireAt
	if len(b) > wireHead {
		at = writtenAt(b)
	}
	o, body, err := ReadWire(b, key, parts, wireNow, at)
	if err != nil {
		if o != nil || !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrForeign) {
			t.Fatalf("ReadWire = %v, %v", o, err)
		}
		return false
	}
	again := wireWriter(b[:wireHead:wireHead])
	again.object(o, body, wireNow, at)
	if !bytes.Equal(again, b[:len(b)-wireSum]) {
		t.Fatalf("%x was read as %+v, which is written as %x", b, o, again)
	}
	if age, ttl := o.Age(wireNow), o.TTL(wireNow); age < o.InitialAge || o.InitialAge < 0 || o.Received.After(wireNow) {
		t.Fatalf("read with an age of %s and a TTL of %s", age, ttl)
	}
	return true
}

// TestWireIsPinned holds what is written against what was written by those who have the
// same version. If it fails, raise wireVersion, and run it once with -new-wire.
func TestWireIsPinned(t *testing.T) {
	for name, o := range map[string]*Object{"response": wireResponse(), "variants": wireVariants()} {
		t.Run(name, func(t *testing.T) {
			b := o.AppendWire(nil, wireNow, wireAt)
			file := filepath.Join("testdata", "wire", fmt.Sprintf("v%d-%s.hex", b[len(wireMagic)], name))
			text, err := os.ReadFile(file)
			if errors.Is(err, os.ErrNotExist) && *newWire { // what is there stays as it is
				text = []byte(strings.TrimSpace(hex.Dump(b)) + "\n")
				err = os.WriteFile(file, text, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSpace(hex.Dump(b)) + "\n"; got != string(text) {
				t.Errorf("version %d is written as\n%s, and not as in %s any more: raise the version", b[len(wireMagic)], got, file)
			}
			got, body, err := ReadWire(b, o.Key, []byte(o.Parts), wireNow, wireAt)
			if err != nil || !reflect.DeepEqual(got, read(o, wireNow)) || !body.Is(o.Body) {
				t.Errorf("read as\n%+v, %v; want\n%+v", got, err, read(o, wireNow))
			}
		})
	}
}

// TestWireKnowsEveryField fails when an object has a new field: write it, read it, raise the
// version, and list it here.
func TestWireKnowsEveryField(t *testing.T) {
	for _, c := range []struct {
		of     any
		fields string
	}{
		{Object{}, "Key Parts ID Route Status Header Body Control Requested Received InitialAge Expires " +
			"StaleWhileRevalidate StaleIfError Keep NoCache NeverStale OnlyWindows Aged NoTransform Authorized " +
			"Selecting Tags Variants Generation forms"},
		{Selecting{}, "Name Value Sent"},
		{Variants{}, "Names Epoch Keys"},
		{Body{}, "Size Sum"},
	} {
		var fields []string
		for f := range reflect.TypeOf(c.of).Fields() {
			fields = append(fields, f.Name)
		}
		if got := strings.Join(fields, " "); got != c.fields {
			t.Errorf("%T has the fields\n%s; what is written is\n%s", c.of, got, c.fields)
		}
	}
}

var wireDurations = rapid.OneOf(
	rapid.Map(rapid.Int64Range(-1e6, 1e6), func(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }),
	rapid.SampledFrom([]time.Duration{0, 1, -1, math.MinInt64, math.MaxInt64}),
)

var wireObjects = rapid.Custom(func(t *rapid.T) *Object {
	text := rapid.StringN(0, 30, 300)
	fields := rapid.MapOf(text, rapid.SliceOfN(text, 1, 3))
	ages := rapid.Map(rapid.Int64Range(0, int64(longestAge)), func(n int64) time.Duration { return time.Duration(n) })
	is := rapid.Bool()
	o := &Object{
		Parts: text.Draw(t, "parts"), ID: text.Draw(t, "id"), Route: text.Draw(t, "route"),
		Status: rapid.IntRange(200, 999).Draw(t, "status"),
		Header: FieldsOf(fields.Draw(t, "header")), Control: FieldsOf(fields.Draw(t, "control")),
		Body:                 rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		Requested:            wireNow,
		Received:             wireNow.Add(-ages.Draw(t, "received")),
		InitialAge:           ages.Draw(t, "initial age"),
		Expires:              wireNow.Add(max(wireDurations.Draw(t, "left"), math.MinInt64+1)),
		StaleWhileRevalidate: wireDurations.Draw(t, "swr"), StaleIfError: wireDurations.Draw(t, "sie"),
		Keep:    wireDurations.Draw(t, "keep"),
		NoCache: is.Draw(t, "no-cache"), NeverStale: is.Draw(t, "never stale"), OnlyWindows: is.Draw(t, "only windows"),
		Aged: is.Draw(t, "aged"), NoTransform: is.Draw(t, "no-transform"), Authorized: is.Draw(t, "authorized"),
		Generation: rapid.Uint64().Draw(t, "generation"),
	}
	copy(o.Key[:], text.Draw(t, "key"))
	for range rapid.IntRange(0, 20).Draw(t, "selecting") {
		o.Selecting = append(o.Selecting, Selecting{text.Draw(t, "name"), text.Draw(t, "value"), is.Draw(t, "sent")})
	}
	for range rapid.IntRange(0, 20).Draw(t, "tags") {
		o.Tags = append(o.Tags, TagOf(TagName, text.Draw(t, "tag")))
	}
	if is.Draw(t, "index") {
		o.Status, o.Expires, o.Variants = 0, time.Time{}, &Variants{Epoch: [8]byte{rapid.Byte().Draw(t, "epoch")}}
		for range rapid.IntRange(0, MaxVaryNames).Draw(t, "names") {
			o.Variants.Names = append(o.Variants.Names, text.Draw(t, "name"))
		}
		for range rapid.IntRange(0, MaxVariants).Draw(t, "keys") {
			o.Variants.Keys = append(o.Variants.Keys, Key{rapid.Byte().Draw(t, "key")})
		}
	}
	return o
})

func TestWireRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := wireObjects.Draw(t, "object")
		before := rapid.SliceOf(rapid.Byte()).Draw(t, "what is in the buffer")
		b := o.AppendWire(slices.Clone(before), wireNow, wireAt)
		if !bytes.HasPrefix(b, before) {
			t.Fatal("what was in the buffer is not there any more")
		}
		b = b[len(before):]
		got, body, err := ReadWire(b, o.Key, []byte(o.Parts), wireNow, wireAt)
		if err != nil {
			t.Fatal(err)
		}
		clear(b) // which the object does not depend on
		if want := read(o, wireNow); !reflect.DeepEqual(got, want) {
			t.Fatalf("read %+v\nwant %+v", got, want)
		}
		if !body.Is(o.Body) || body.Is(append(o.Body, 0)) || len(o.Body) > 0 && body.Is(o.Body[1:]) {
			t.Fatal("another body, or not this one, is said to be the object's")
		}
		if len(o.Body) > 0 {
			o.Body[len(o.Body)/2] ^= 1
			if body.Is(o.Body) {
				t.Fatal("a body of the same size is said to be the object's")
			}
		}
	})
}

func TestWireDamaged(t *testing.T) {
	o := wireResponse()
	b := o.AppendWire(nil, wireNow, wireAt)
	refused := func(t *testing.T, what string, b []byte, want error) {
		t.Helper()
		if got, _, err := ReadWire(b, o.Key, []byte(o.Parts), wireNow, wireAt); got != nil || !errors.Is(err, want) {
			t.Errorf("%s: %v, %v; want %v", what, got, err, want)
		}
	}
	for n := range b {
		want := ErrDamaged
		if n < wireHead {
			want = ErrForeign
		}
		refused(t, "cut short", b[:n], want)
		bad := slices.Clone(b)
		bad[n]++
		refused(t, "another byte", bad, want)
	}
	refused(t, "longer", append(slices.Clone(b), 0), ErrDamaged)
	longer := sealed(append(slices.Clone(b), 0))
	refused(t, "longer, with its sum", longer, ErrDamaged)
	refused(t, "nothing", nil, ErrForeign)
	version := slices.Clone(b)
	version[len(wireMagic)]++
	refused(t, "a later version with its sum", sealed(version), ErrForeign)

	for what, change := range map[string]func(*Object){
		"no status":       func(o *Object) { o.Status = 0 },
		"interim":         func(o *Object) { o.Status = 103 },
		"status too high": func(o *Object) { o.Status = 1000 },
		"negative status": func(o *Object) { o.Status = -200 },
		"negative age":    func(o *Object) { o.InitialAge = -1 },
		"very old":        func(o *Object) { o.InitialAge = longestAge + 1 },
		"never received":  func(o *Object) { o.Received = time.Time{} },
		"too many variants": func(o *Object) {
			o.Variants = &Variants{Keys: make([]Key, MaxVariants+1)}
		},
		"too many names": func(o *Object) {
			o.Variants = &Variants{Names: make([]string, MaxVaryNames+1)}
		},
	} {
		o := wireResponse()
		change(o)
		refused(t, what, o.AppendWire(nil, wireNow, wireAt), ErrDamaged)
	}

	large := wireWriter(b[:wireHead:wireHead])
	large.object(o, Body{Size: math.MaxUint32 + 1}, wireNow, wireAt)
	refused(t, "a body of 4 GiB", sealed(append(large, make([]byte, wireSum)...)), ErrDamaged)
	unordered := wireResponse()
	unordered.Header += FieldsOf(http.Header{"A": {"1"}})[1:]
	unordered.Header = Fields([]byte{unordered.Header[0] + 1}) + unordered.Header[1:]
	refused(t, "fields in no order", unordered.AppendWire(nil, wireNow, wireAt), ErrDamaged)

	other := wireResponse()
	other.Key[31]++
	refused(t, "another key", other.AppendWire(nil, wireNow, wireAt), ErrForeign)
	for _, parts := range []string{"", "part", "parts ", "Parts", "parts\x00"} {
		other := wireResponse()
		other.Parts = parts // as with two keys of one digest
		refused(t, parts, other.AppendWire(nil, wireNow, wireAt), ErrForeign)
	}
}

// TestWireMutated changes every byte to every value and gives it the right sum, so that
// what is behind the sum is tried as well.
func TestWireMutated(t *testing.T) {
	for _, o := range []*Object{wireResponse(), wireVariants()} {
		b := o.AppendWire(nil, wireNow, wireAt)
		accepted, refused := 0, 0
		for n := range b[:len(b)-wireSum] {
			for x := range 256 {
				bad := slices.Clone(b)
				bad[n] ^= byte(x)
				if isWire(t, sealed(bad)) {
					accepted++
				} else {
					refused++
				}
			}
		}
		if accepted == 0 || refused == 0 {
			t.Errorf("%d were accepted and %d refused: nothing was tried", accepted, refused)
		}
	}
}

// FuzzReadWire reads anything: it must not panic nor take more memory than what it reads
// is worth, and what it accepts must be what would be written.
func FuzzReadWire(f *testing.F) {
	f.Add([]byte(nil))
	for _, o := range []*Object{wireResponse(), wireVariants(), {Status: 200, Received: wireNow}} {
		b := o.AppendWire(nil, wireNow, wireAt)
		f.Add(b)
		for n := wireHead; n < len(b)-wireSum; n += 7 {
			bad := slices.Clone(b)
			bad[n] = 0xff // a length or number that goes on and on
			f.Add(bad)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		for _, b := range [][]byte{b, sealed(b)} {
			key, parts := asked(b)
			runtime.ReadMemStats(&before)
			_, _, _ = ReadWire(b, key, parts, wireNow, wireAt)
			runtime.ReadMemStats(&after)
			// A list's member takes at most 20 times what is read for it. The rest is for
			// what else goes on in the process.
			if took, most := after.TotalAlloc-before.TotalAlloc, uint64(64*len(b)+1<<20); took > most {
				t.Errorf("%d bytes were allocated to read %d", took, len(b))
			}
			isWire(t, b)
		}
	})
}
