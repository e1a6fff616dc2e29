package attribution

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

// TestKeysRotate: over two years every cookie counts for its window and never longer, in
// processes that have seen all and in one that begins later; and the storage keeps no more
// keys than windows need.
func TestKeysRotate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const window = 90 * day
		storage := new(memory)
		open := func() *Codec {
			keys, err := OpenKeys(t.Context(), storage, window)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(keys.Close)
			return NewCodec(keys)
		}
		codecs := []*Codec{open(), open()}
		type cookie struct {
			text    string
			expires time.Time
		}
		var cookies []cookie
		for i := range 730 {
			time.Sleep(day)
			now := time.Now()
			text, err := codecs[i%2].Seal(Touch{Landing: newLanding(), At: now}, host, now.Add(window), i%3 == 0)
			if err != nil {
				t.Fatal(err)
			}
			cookies = append(cookies, cookie{text, now.Add(window).Truncate(time.Second)})
			for _, c := range cookies[max(0, len(cookies)-100):] {
				for _, codec := range codecs {
					_, _, problem := codec.Open(c.text, host, now)
					if now.Before(c.expires) != (problem == "") {
						t.Fatalf("on day %d a cookie until %s is %q at %s", i, c.expires, problem, now)
					}
					if err := codec.keys.Err(); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		stored, err := parseKeys(storage.data, window)
		if err != nil {
			t.Fatal(err)
		}
		saved := stored.saved
		if n := len(saved.Keys); n < 14 || n > 16 {
			t.Errorf("%d keys are kept; those of 400 days and the next were expected", n)
		}
		for i := range saved.Keys[1:] {
			if apart := saved.Keys[i+1].Signs.Sub(saved.Keys[i].Signs); apart < signsFor || apart > signsFor+2*rereadEvery {
				t.Errorf("keys %d and %d are %s apart", i, i+1, apart)
			}
		}
		if _, _, problem := open().Open(cookies[len(cookies)-1].text, host, time.Now()); problem != "" {
			t.Errorf("a process that begins now finds %q", problem)
		}
	})
}

// TestKeysArePublishedBeforeTheySign: so that nobody has to look for them.
func TestKeysArePublishedBeforeTheySign(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		keys := openKeys(t, dir)
		first := keys.ring.Load().signing(time.Now()).id
		time.Sleep(signsFor - published + rereadEvery)
		synctest.Wait()
		r := keys.ring.Load()
		if len(r.keys) != 2 || r.signing(time.Now()).id != first {
			t.Fatalf("%d keys; the first still signs: %t", len(r.keys), r.signing(time.Now()).id == first)
		}
		time.Sleep(published)
		if r.signing(time.Now()).id == first {
			t.Error("the first signs after its time")
		}
	})
}

// TestKeysVerifyForAsLongAsTheyAreKept: and not longer, whatever expires says.
func TestKeysVerifyForAsLongAsTheyAreKept(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		keys, err := OpenKeys(t.Context(), &certmagic.FileStorage{Path: dir}, 10*day)
		if err != nil {
			t.Fatal(err)
		}
		defer keys.Close()
		c := NewCodec(keys)
		text, err := c.Seal(Touch{Landing: newLanding(), At: time.Now()}, host, time.Now().Add(400*day), false)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(signsFor + 9*day)
		if _, _, problem := c.Open(text, host, time.Now()); problem != "" {
			t.Errorf("9 days after it is %q", problem)
		}
		time.Sleep(2 * day)
		refused(t, c, text, host, time.Now(), Forged)
	})
}

// TestSigningWithAClockBehind: a key whose time has not come is still one.
func TestSigningWithAClockBehind(t *testing.T) {
	saved := firstKey(noon)
	saved = saved.rotated(noon.Add(signsFor))
	data, err := json.Marshal(saved)
	if err != nil {
		t.Fatal(err)
	}
	r, err := parseKeys(data, day)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		now  time.Time
		want int
	}{{noon.Add(-day), 0}, {noon, 0}, {noon.Add(signsFor), 0}, {noon.Add(signsFor + published), 1}, {noon.Add(900 * day), 1}} {
		if got := r.signing(test.now); got != r.keys[test.want] {
			t.Errorf("at %s it is not key %d that signs", test.now, test.want)
		}
	}
	if !r.verifies(1, noon.Add(-day)) || !r.verifies(0, noon.Add(signsFor+published+day-1)) || r.verifies(0, noon.Add(signsFor+published+day)) {
		t.Error("they verify at other times")
	}
}
