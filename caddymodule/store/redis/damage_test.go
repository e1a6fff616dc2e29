package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/caddymodule/store/redis/redistest"
	"github.com/cacheward/cacheward/caddymodule/store/storetest"
)

// TestDamage: whatever is found in place of what was written is a miss, and counted.
func TestDamage(t *testing.T) {
	server := redistest.Start(t)
	o := options(server.Addr, "a")
	o.Compress = true
	a, b, c := open1(t, o), edge(t, server.Addr, "b"), client(t, server.Addr)
	awaitReady(t, a)
	mine, other := a.options.namesOf(keyOf("mine")), a.options.namesOf(keyOf("other"))
	text := func(key string) string {
		m := do(t, c, "GET", key)
		s, err := m.ToString()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	set := func(key, value string) { do(t, c, "SET", key, value) }
	for _, d := range []struct {
		name   string
		damage func()
		count  func(RemoteStats) uint64
	}{
		{"nothing", func() {}, func(s RemoteStats) uint64 { return s.Hits }},
		{"head gone", func() { do(t, c, "DEL", mine.head()) }, func(s RemoteStats) uint64 { return s.Misses }},
		{"head empty", func() { set(mine.head(), "") }, func(s RemoteStats) uint64 { return s.Misses }},
		{"head cut off", func() { set(mine.head(), text(mine.head())[:50]) }, func(s RemoteStats) uint64 { return s.Damaged }},
		{"head of another", func() { set(mine.head(), text(other.head())) }, func(s RemoteStats) uint64 { return s.Foreign }},
		{"another format", func() { set(mine.head(), "<html>") }, func(s RemoteStats) uint64 { return s.Foreign }},
		{"another version", func() {
			head := []byte(text(mine.head()))
			head[4]++ // whatever the version is
			set(mine.head(), string(head))
		}, func(s RemoteStats) uint64 { return s.Foreign + s.Damaged }},
		{"head is a list", func() { do(t, c, "DEL", mine.head()); do(t, c, "RPUSH", mine.head(), "x") },
			func(s RemoteStats) uint64 { return s.Foreign }},
		{"body gone", func() { do(t, c, "DEL", mine.piece(0)) }, func(s RemoteStats) uint64 { return s.Damaged }},
		{"a piece gone", func() { do(t, c, "DEL", mine.piece(1)) }, func(s RemoteStats) uint64 { return s.Damaged }},
		{"a piece cut off", func() { set(mine.piece(1), text(mine.piece(1))[1:]) }, func(s RemoteStats) uint64 { return s.Damaged }},
		{"a piece too long", func() { set(mine.piece(1), text(mine.piece(1))+"x") }, func(s RemoteStats) uint64 { return s.Damaged }},
		{"pieces swapped", func() {
			one, two := text(mine.piece(1)), text(mine.piece(2))
			set(mine.piece(1), two)
			set(mine.piece(2), one)
		}, func(s RemoteStats) uint64 { return s.Damaged }},
		{"body of another", func() {
			for i := range 3 {
				set(mine.piece(i), text(other.piece(i)))
			}
		}, func(s RemoteStats) uint64 { return s.Damaged }},
		{"huge sizes", func() { set(mine.piece(0), "z\xff\xff\xff\xff\xff\xff\xff\x7f\x80\x20"+text(mine.piece(0))) },
			func(s RemoteStats) uint64 { return s.Damaged }},
		{"tiny pieces", func() { set(mine.piece(0), "i\x80\x80\x40\x01x") }, func(s RemoteStats) uint64 { return s.Damaged }},
		{"body is a hash", func() { do(t, c, "DEL", mine.piece(0)); do(t, c, "HSET", mine.piece(0), "x", "y") },
			func(s RemoteStats) uint64 { return s.Foreign }},
	} {
		t.Run(d.name, func(t *testing.T) {
			for _, parts := range []string{"mine", "other"} {
				// It must not compress well, so that there are several pieces.
				page := object(a, parts, 0)
				page.Body = noise(3 * MinPiece)
				share(t, a, page)
			}
			d.damage()
			if err := b.Memory.Delete(keyOf("mine")); err != nil {
				t.Fatal(err)
			}
			before := b.Remote()
			found := fetch(t, b, "mine")
			if (found != nil) != (d.name == "nothing") {
				t.Errorf("fetched %v", found)
			}
			if after := b.Remote(); d.count(after) != d.count(before)+1 || after.Errors != before.Errors {
				t.Errorf("counted %+v after %+v", after, before)
			}
		})
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// TestFlippedBytes: no byte of what is in Redis can be another one without it being noticed.
func TestFlippedBytes(t *testing.T) {
	server := redistest.Start(t)
	for _, compress := range []bool{false, true} {
		o := options(server.Addr, fmt.Sprint("a", compress))
		o.Compress = compress
		a, c := open1(t, o), client(t, server.Addr)
		awaitReady(t, a)
		page := object(a, "page", 0)
		page.Body = []byte(strings.Repeat("text that compresses ", 60))
		share(t, a, page)
		at := a.options.namesOf(page.Key)
		for _, key := range []string{at.head(), at.piece(0)} {
			m := do(t, c, "GET", key)
			whole, err := m.ToString()
			if err != nil {
				t.Fatal(err)
			}
			for i := range whole {
				flipped := []byte(whole)
				flipped[i] ^= 1 << (i % 8)
				do(t, c, "SETRANGE", key, fmt.Sprint(i), string(flipped[i:i+1]))
				if err := a.Memory.Delete(page.Key); err != nil {
					t.Fatal(err)
				}
				// A frame of zstd may have another header and the same content.
				if found := fetch(t, a, "page"); found != nil && (key == at.head() || string(found.Body) != string(page.Body)) {
					t.Fatalf("compress %t: byte %d of %s is another one, and %+v was fetched", compress, i, key, found)
				}
				do(t, c, "SETRANGE", key, fmt.Sprint(i), whole[i:i+1])
			}
		}
		if fetch(t, a, "page") == nil {
			t.Fatalf("the object is not whole any more, so nothing was tested: %+v", a.Remote())
		}
	}
}

// FuzzOpen: a first piece that says anything whatever neither panics, nor takes more room
// than the body has, nor is taken for another body.
func FuzzOpen(f *testing.F) {
	body := []byte(strings.Repeat("text that compresses ", 60))
	for _, compress := range []bool{false, true} {
		pieces, err := split(body, MinPiece, compress)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(pieces[0])
	}
	f.Add([]byte("z"))
	is := store.BodyOf(body)
	f.Fuzz(func(t *testing.T, first []byte) {
		p, err := open(string(first), is.Size)
		if err != nil {
			return
		}
		if p.pieces > maxPieces || int64(p.stored) > is.Size {
			t.Fatalf("%+v", p)
		}
		if joined, err := p.join(nil, is); err == nil && string(joined) != string(body) {
			t.Fatalf("another body: %q", joined)
		}
	})
}

// TestPieces: what was split is joined again, and is never larger than it was.
func TestPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.SliceOfN(rapid.ByteRange('a', 'd'), 0, 5*MinPiece).Draw(t, "body")
		piece := rapid.IntRange(MinPiece, 2*MinPiece).Draw(t, "piece")
		pieces, err := split(body, piece, rapid.Bool().Draw(t, "compress"))
		if err != nil {
			t.Fatal(err)
		}
		p, err := open(string(pieces[0]), int64(len(body)))
		if err != nil || p.pieces != len(pieces) {
			t.Fatalf("%d pieces were opened as %+v: %v", len(pieces), p, err)
		}
		var others []string
		for _, other := range pieces[1:] {
			others = append(others, string(other))
		}
		joined, err := p.join(others, store.BodyOf(body))
		if err != nil || string(joined) != string(body) {
			t.Fatalf("joined %d bytes of %d: %v", len(joined), len(body), err)
		}
	})
	if _, err := split(make([]byte, MinPiece*maxPieces+1), MinPiece, false); err == nil {
		t.Error("too many pieces were accepted")
	}
}

// TestModel: two edges put, fetch, delete, purge and invalidate as it comes. What is fetched
// is what was put last under the key, and was selected by nothing since.
func TestModel(t *testing.T) {
	server := redistest.Start(t)
	edges := []*Store{edge(t, server.Addr, "a"), edge(t, server.Addr, "b")}
	rapid.Check(t, func(r *rapid.T) {
		put := map[string]*store.Object{} // what may be fetched
		// What is put is requested later than what was purged before, as the clock sees it.
		parts := rapid.SampledFrom([]string{"a", "b", "c"})
		either := rapid.SampledFrom(edges)
		tell := func(e fleet.Event) {
			d, err := either.Draw(r, "edge").Publish(context.Background(), e, true)
			if err != nil || d.Confirmed != 2 {
				r.Fatalf("delivery: %+v, %v", d, err)
			}
		}
		tell(fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{All: true}})
		r.Repeat(map[string]func(*rapid.T){
			"put": func(r *rapid.T) {
				s, name := either.Draw(r, "edge"), parts.Draw(r, "parts")
				o := object(s, name, rapid.IntRange(0, 3*MinPiece).Draw(r, "size"))
				o.Route = rapid.SampledFrom([]string{"landing", "other"}).Draw(r, "route")
				share(t, s, o)
				put[name] = o
			},
			"fetch": func(r *rapid.T) {
				s, name := either.Draw(r, "edge"), parts.Draw(r, "parts")
				found, err := s.Fetch(context.Background(), keyOf(name), []byte(name))
				want := put[name]
				switch {
				case err != nil:
					r.Fatal(err)
				case found == nil && want != nil:
					r.Fatalf("%q was not found; %+v", name, s.Remote())
				case found != nil && (want == nil || found.ID != want.ID || string(found.Body) != string(want.Body)):
					r.Fatalf("%q: fetched %s, want %v", name, found.ID, want)
				}
			},
			"purge": func(r *rapid.T) {
				tell(fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{All: true}, Soft: rapid.Bool().Draw(r, "soft")})
				clear(put)
			},
			"purge route": func(r *rapid.T) {
				tell(fleet.Event{Kind: fleet.KindPurge, Selection: store.Selection{Route: "other"}})
				for name, o := range put {
					if o.Route == "other" {
						delete(put, name)
					}
				}
			},
			"invalidate": func(r *rapid.T) {
				name := parts.Draw(r, "parts")
				tag := storetest.Object(name, 0).Tags[0]
				tell(fleet.Event{Kind: fleet.KindInvalidate, Selection: store.Selection{Tag: &tag}})
				delete(put, name)
			},
			"delete": func(r *rapid.T) {
				s, name := either.Draw(r, "edge"), parts.Draw(r, "parts")
				if err := s.Delete(keyOf(name)); err != nil {
					r.Fatal(err)
				}
				// Whether it was there or not: a later write of the other edge must stay.
				done := make(chan struct{})
				if !s.writing.add(write{key: keyOf(name), then: func() { close(done) }}) {
					r.Fatal("too much is waiting")
				}
				<-done
				delete(put, name)
			},
		})
	})
}

// TestNoRights: an ACL user with the documented rights can do all; one who lacks the right
// to write objects shares nothing, but hears; one who may not write the log is not trusted.
func TestNoRights(t *testing.T) {
	server := redistest.Start(t)
	c := client(t, server.Addr)
	as := func(user string, rules ...string) *Store {
		do(t, c, append([]string{"ACL", "SETUSER", user, "on", ">secret"}, rules...)...)
		o := brief(server.Addr, user)
		o.Username, o.Password = user, "secret"
		return open1(t, o)
	}
	all := append(strings.Fields(ACLCommands), "~cw1:*")
	full := as("full", all...)
	awaitReady(t, full)
	share(t, full, object(full, "page", 3*MinPiece))
	tag := store.TagOf(store.TagURI, "another")
	publish(t, full, fleet.Event{Kind: fleet.KindInvalidate, Selection: store.Selection{Tag: &tag}})
	trip := fleet.Event{Kind: fleet.KindTrip}
	publish(t, full, trip)
	trip.Kind = fleet.KindReset
	publish(t, full, trip)

	late := as("late", all...)
	awaitReady(t, late)
	if fetch(t, late, "page") == nil {
		t.Errorf("not fetched: %+v", late.Remote())
	}
	if err := late.Delete(keyOf("page")); err != nil {
		t.Fatal(err)
	}
	await(t, "deleted", func() bool {
		return mustInt(t, do(t, c, "EXISTS", late.options.namesOf(keyOf("page")).head())) == 0
	})

	reader := as("reader", append(all, "-getrange")...)
	awaitTrust(t, reader, true)
	await(t, "an error that says why", func() bool {
		o, err := reader.Fetch(t.Context(), keyOf("page"), []byte("page"))
		return o == nil && err != nil && strings.Contains(err.Error(), "NOPERM")
	})
	mute := as("mute", append(all, "-hset")...)
	await(t, "refused", func() bool { return strings.Contains(mute.Fleet().Problem, "can't run this command") })
	if mute.edge.Trusted(time.Now()) {
		t.Error("it trusts")
	}
	wrong := brief(server.Addr, "wrong")
	wrong.Username, wrong.Password = "full", "guess"
	w := open1(t, wrong)
	await(t, "refused", func() bool { return strings.Contains(w.Fleet().Problem, "WRONGPASS") })
}
