package audit

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// box is a vault that may fail.
type box struct {
	data             []byte
	loadErr, saveErr error
	loads, saves     int
}

func (b *box) Load() ([]byte, error) { b.loads++; return b.data, b.loadErr }

func (b *box) Save(data []byte) error {
	b.saves++
	if b.saveErr == nil {
		b.data = data
	}
	return b.saveErr
}

var pseudonym = regexp.MustCompile(`^[0-9a-f]{4}-[0-9a-f]{12}$`)

func TestVisitor(t *testing.T) {
	who := keys.Visitor("192.0.2.7", "sid=1")
	if !pseudonym.MatchString(who) {
		t.Errorf("the pseudonym is %q", who)
	}
	if got := keys.Visitor("", ""); got != "" {
		t.Errorf("nobody is called %q", got)
	}
	other := NewKeys(nil, 0, nil).Visitor("192.0.2.7", "sid=1")
	if other[5:] == who[5:] {
		t.Error("the key makes no difference")
	}
	// What goes into the digest of that visitor, as a value.
	if value := keys.HashValue("\x00\x00\x00\x00\x00\x00\x00\x01a" + strings.Repeat("\x00", 8)); value[2:] == keys.Visitor("a", "")[5:] {
		t.Error("a value has the same digest as a visitor")
	}
	type visitor struct{ address, marks string }
	rapid.Check(t, func(t *rapid.T) {
		any := rapid.Custom(func(t *rapid.T) visitor {
			// Short ones of few letters, so that those which only differ in where one
			// part ends come up.
			part := rapid.StringMatching(`[a\x00]{0,3}`)
			return visitor{part.Draw(t, "address"), part.Draw(t, "marks")}
		})
		a, b := any.Draw(t, "a"), any.Draw(t, "b")
		if (a == b) != (keys.Visitor(a.address, a.marks) == keys.Visitor(b.address, b.marks)) {
			t.Fatalf("%q and %q are %s and %s", a, b, keys.Visitor(a.address, a.marks), keys.Visitor(b.address, b.marks))
		}
	})
}

func TestKeysSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins at midnight UTC
		v := new(box)
		first := NewKeys(v, 0, failing(t))
		time.Sleep(24*time.Hour - time.Nanosecond)
		second := NewKeys(v, 0, failing(t))
		if a, b := first.Visitor("a", ""), second.Visitor("a", ""); a != b {
			t.Errorf("a visitor is %s, and after a restart %s", a, b)
		}
		if a, b := first.HashValue("a"), second.HashValue("a"); a != b {
			t.Errorf("a value is %s, and after a restart %s", a, b)
		}
		time.Sleep(time.Nanosecond)
		if a, b := first.Visitor("a", ""), NewKeys(v, 0, failing(t)).Visitor("a", ""); a != b {
			t.Errorf("who rotated has %s, who began %s", a, b)
		}
	})
}

func failing(t *testing.T) func(error) {
	return func(err error) { t.Errorf("warned of: %v", err) }
}

func TestKeysRotate(t *testing.T) {
	for _, c := range []struct {
		rotate, stays time.Duration // from midnight
	}{
		{0, 24 * time.Hour},
		{-1, time.Hour},
		{time.Minute, time.Hour},
		{8 * time.Hour, 8 * time.Hour},
	} {
		t.Run(c.rotate.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := new(box)
				k := NewKeys(v, c.rotate, failing(t))
				before, old, value := time.Now(), k.Visitor("a", ""), k.HashValue("a")
				stored := string(v.data)
				time.Sleep(c.stays - time.Nanosecond)
				if got := k.Visitor("a", ""); got != old {
					t.Errorf("the key changed before its time was over")
				}
				time.Sleep(time.Nanosecond)
				now := k.Visitor("a", "")
				if now[:4] == old[:4] || now[5:] == old[5:] || k.HashValue("a") == value {
					t.Errorf("it was %s %s and is %s %s", old, value, now, k.HashValue("a"))
				}
				if string(v.data) == stored || v.saves != 2 {
					t.Errorf("%d keys were stored", v.saves)
				}
				if late := k.at(before); late != k.current.Load() {
					t.Error("a record from before has another key than the current one")
				}
			})
		})
	}
}

// TestKeysThatNobodyNeedsAreNotMade: who only looks whether a configuration is right
// leaves nothing in the vault.
func TestKeysThatNobodyNeedsAreNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := new(box)
		k := NewKeys(v, 0, failing(t))
		if v.loads != 0 || v.saves != 0 {
			t.Errorf("the vault was read %d times, %d keys were stored", v.loads, v.saves)
		}
		k.Open()
		stored := string(v.data)
		if who := k.Visitor("a", ""); who == "" || v.saves != 1 || string(v.data) != stored {
			t.Errorf("the visitor is %q, %d keys were stored", who, v.saves)
		}
	})
}

func TestOneNewKeyForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := new(box)
		for _, k := range []*Keys{NewKeys(v, time.Hour, failing(t)), NewKeys(nil, time.Hour, failing(t))} {
			k.Open()
			time.Sleep(time.Hour)
			var names sync.Map
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() { names.Store(k.Visitor("a", ""), true) })
			}
			wg.Wait()
			n := 0
			names.Range(func(any, any) bool { n++; return true })
			if n != 1 {
				t.Errorf("a visitor has %d pseudonyms", n)
			}
		}
		if v.loads != 2 || v.saves != 2 {
			t.Errorf("the vault was read %d times, %d keys were stored; want 2 of each", v.loads, v.saves)
		}
	})
}

func TestProcessesShareAVault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := new(box)
		one, two := NewKeys(v, 0, failing(t)), NewKeys(v, 0, failing(t))
		for range 3 {
			if a, b := one.Visitor("a", ""), two.Visitor("a", ""); a != b {
				t.Errorf("one calls a visitor %s, the other %s", a, b)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

func TestStoredKeyThatCannotBeUsed(t *testing.T) {
	good := fmt.Sprintf(`{"version":1,"id":"3f2a","key":%q,"begins":"1999-12-31T00:00:00Z"}`, strings.Repeat("ab", 32))
	edited := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, c := range []struct {
		name, stored string
		warning      string // "": none
	}{
		{"none", "", ""},
		{"its time is over", good, ""},
		{"of now", edited("1999-12-31", "2000-01-01"), ""},
		{"of tomorrow", edited("1999-12-31", "2000-01-02"), "it begins in the future, at 2000-01-02T00:00:00Z"},
		{"another version", edited(`"version":1`, `"version":2`), "it has version 2, not 1"},
		{"cut off", good[:60], "it is damaged"},
		{"no digits", edited("abab", "xxxx"), "it is damaged"},
		{"a short key", edited("abab", ""), "it is damaged"},
		{"an odd id", edited("3f2a", "3F2A"), "it is damaged"},
		{"no beginning", edited("1999-12-31", "0001-01-01"), "it is damaged"},
		{"no JSON", "key", "it is damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := &box{data: []byte(c.stored)}
				if c.stored == "" {
					v.data = nil
				}
				var warnings []string
				k := NewKeys(v, 0, func(err error) { warnings = append(warnings, err.Error()) })
				k.Open()
				if warned := strings.Join(warnings, "\n"); (c.warning == "") != (warned == "") || !strings.Contains(warned, c.warning) || strings.Contains(warned, "abab") {
					t.Errorf("warned of %q, want %q", warned, c.warning)
				}
				who := k.Visitor("a", "")
				if used := strings.HasPrefix(who, "3f2a-"); used != (c.name == "of now") {
					t.Errorf("the visitor is %s", who)
				}
				if again := NewKeys(v, 0, failing(t)).Visitor("a", ""); again != who {
					t.Errorf("the new key was not stored: %s, then %s", who, again)
				}
			})
		})
	}
}

func TestVaultFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &box{loadErr: errors.New("no such disk"), saveErr: errors.New("disk full")}
		var warnings []error
		k := NewKeys(v, 0, func(err error) { warnings = append(warnings, err) })
		k.Open()
		if len(warnings) != 2 || !errors.Is(warnings[0], v.loadErr) || !errors.Is(warnings[1], v.saveErr) {
			t.Errorf("warned of %v", warnings)
		}
		if a, b := k.Visitor("a", ""), k.Visitor("a", ""); a != b || a == "" {
			t.Errorf("a visitor is %q and %q", a, b)
		}
		NewKeys(v, 0, nil).Open() // nobody is told
	})
}

// FuzzStoredKey: whatever is stored, there are keys, and they are stored well.
func FuzzStoredKey(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte(`{"version":1,"id":"3f2a","key":"` + strings.Repeat("ab", 32) + `","begins":"` + time.Now().UTC().Format(time.RFC3339) + `"}`))
	f.Add([]byte(`{"version":1,"begins":"9999-12-31T23:59:59Z"}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v := &box{data: data}
		who := NewKeys(v, 200*365*24*time.Hour, nil).Visitor("a", "")
		if !pseudonym.MatchString(who) {
			t.Errorf("the pseudonym is %q", who)
		}
		if again := NewKeys(v, 200*365*24*time.Hour, failing(t)).Visitor("a", ""); again != who {
			t.Errorf("%s after %s", again, who)
		}
	})
}
