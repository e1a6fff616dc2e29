package probe

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestSecretHasALength(t *testing.T) {
	for _, text := range []string{"", "short", strings.Repeat("x", MinSecret-1)} {
		if _, err := NewSecret(text); err == nil || !strings.Contains(err.Error(), "at least 16") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := NewSecret(strings.Repeat("x", MinSecret)); err != nil {
		t.Error(err)
	}
}

// TestVerify: a signature is good once, for a while, and for who knows the secret.
func TestVerify(t *testing.T) {
	secret, other := mustSecret(t, testSecret), mustSecret(t, testSecret+".")
	now := time.Unix(1795420000, 0)
	n := NewNonce()
	good := secret.Sign(n, now)
	tag := good[strings.LastIndexByte(good, '.')+1:]
	for _, test := range []struct {
		name, value string
		at          time.Time
		want        error
	}{
		{"good", good, now, nil},
		{"a minute later", good, now.Add(Window), nil},
		{"a minute before", good, now.Add(-Window), nil},
		{"too old", good, now.Add(Window + time.Second), ErrExpired},
		{"of the future", good, now.Add(-Window - time.Second), ErrExpired},
		{"of another secret", other.Sign(n, now), now, ErrUnsigned},
		{"empty", "", now, ErrUnsigned},
		{"no tag", "v1.1795420000." + string(n), now, ErrUnsigned},
		{"another nonce", "v1.1795420000." + string(NewNonce()) + "." + tag, now, ErrUnsigned},
		{"another time", "v1.1795420001." + string(n) + "." + tag, now, ErrUnsigned},
		{"a longer tag", good + "A", now, ErrUnsigned},
		{"a shorter tag", good[:len(good)-1], now, ErrUnsigned},
		{"blanks", " " + good, now, ErrUnsigned},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := NewVerifier(secret).Verify(test.value, test.at)
			if !errors.Is(err, test.want) || err == nil && got != n || err != nil && got != "" {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// TestVerifyOnce: of any number of copies of a signature, at any times and at once, one is
// good.
func TestVerifyOnce(t *testing.T) {
	secret := mustSecret(t, testSecret)
	rapid.Check(t, func(t *rapid.T) {
		v, start := NewVerifier(secret), time.Unix(1795420000, 0)
		signed := secret.Sign(NewNonce(), start)
		now, good := start.Add(-2*Window), 0
		for range rapid.IntRange(1, 40).Draw(t, "copies") {
			now = now.Add(time.Duration(rapid.IntRange(0, 30).Draw(t, "seconds")) * time.Second)
			// Others come in between, and have the old ones forgotten.
			if _, err := v.Verify(secret.Sign(NewNonce(), now), now); err != nil {
				t.Fatal(err)
			}
			if _, err := v.Verify(signed, now); err == nil {
				good++
			}
		}
		if good > 1 {
			t.Fatalf("good %d times", good)
		}
	})
}

func TestVerifyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secret := mustSecret(t, testSecret)
		v, now := NewVerifier(secret), time.Now()
		signed := secret.Sign(NewNonce(), now)
		good := make(chan Nonce, 50)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if n, err := v.Verify(signed, now); err == nil {
					good <- n
				}
			})
		}
		wg.Wait()
		if len(good) != 1 {
			t.Errorf("good %d times", len(good))
		}
	})
}

// TestVerifierIsBounded: it remembers so many and no more, says so, and forgets them when
// their time is over.
func TestVerifierIsBounded(t *testing.T) {
	secret := mustSecret(t, testSecret)
	v, now := NewVerifier(secret), time.Unix(1795420000, 0)
	for range maxRemembered {
		if _, err := v.Verify(secret.Sign(NewNonce(), now), now); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.Verify(secret.Sign(NewNonce(), now), now); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	later := now.Add(2*Window + 2*time.Second)
	if _, err := v.Verify(secret.Sign(NewNonce(), later), later); err != nil || len(v.used) != 1 {
		t.Errorf("%v, %d are remembered", err, len(v.used))
	}
}

func FuzzVerify(f *testing.F) {
	secret := mustSecret(f, testSecret)
	now := time.Unix(1795420000, 0)
	good := secret.Sign("AAAAAAAAAAAAAAAA", now) // the same in all processes
	for _, seed := range []string{"", ".", "v1...", good, good + "A", strings.ToUpper(good), "v2" + good[2:], "v1.99999999999999999999.AAAAAAAAAAAAAAAA.x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if n, err := NewVerifier(secret).Verify(value, now); err == nil && value != good {
			t.Errorf("%q is good for %q", value, n)
		}
	})
}

func someReceipt() Receipt {
	return Receipt{
		Nonce: NewNonce(), At: 1795420000123, Method: "GET", Scheme: "https", Host: "a.example", URI: "/lp?ref=1",
		Received: map[string]string{"user-agent": "0123456789ab"}, Route: "lp", Outcome: "hit", Reasons: []string{"x"}, Key: "0b1e",
		Keyed: []string{"param ref"}, Shared: true, TTL: 60,
	}
}

// TestReceipt: what one has sealed the other reads, and nobody else.
func TestReceipt(t *testing.T) {
	secret, other := mustSecret(t, testSecret), mustSecret(t, testSecret+".")
	r := someReceipt()
	sealed, err := secret.Seal(r)
	if err != nil {
		t.Fatal(err)
	}
	got, err := secret.Open(sealed)
	if err != nil || got.Nonce != r.Nonce || !maps.Equal(got.Received, r.Received) || got.TTL != 60 || !got.Shared || !got.Time().Equal(time.UnixMilli(r.At)) {
		t.Errorf("%+v, %v", got, err)
	}
	again, err := secret.Seal(r)
	if err != nil || again == sealed {
		t.Error("two receipts look the same", err)
	}
	if strings.ContainsAny(sealed, " ,;\"=") {
		t.Errorf("%s is no token", sealed)
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		changed := []byte(string(raw))
		changed[i] ^= 1
		if _, err := secret.Open(base64.RawURLEncoding.EncodeToString(changed)); !errors.Is(err, ErrForeignReceipt) {
			t.Fatalf("byte %d may be changed: %v", i, err)
		}
	}
	if _, err := other.Open(sealed); !errors.Is(err, ErrForeignReceipt) {
		t.Error(err)
	}
	if _, err := secret.Open(strings.Repeat("A", maxReceipt+1)); !errors.Is(err, ErrForeignReceipt) {
		t.Error(err)
	}
	if secret.Digest("a") == secret.Digest("b") || secret.Digest("a") == other.Digest("a") || len(secret.Digest("a")) != 12 {
		t.Error("digests")
	}
}

// TestReceiptIsNoSignature: one purpose's text is worth nothing for the other.
func TestReceiptIsNoSignature(t *testing.T) {
	secret := mustSecret(t, testSecret)
	signed := secret.Sign(NewNonce(), time.Now())
	if _, err := secret.Open(signed); !errors.Is(err, ErrForeignReceipt) {
		t.Error(err)
	}
	sealed, err := secret.Seal(someReceipt())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewVerifier(secret).Verify(sealed, time.Now()); !errors.Is(err, ErrUnsigned) {
		t.Error(err)
	}
}

func FuzzOpen(f *testing.F) {
	secret := mustSecret(f, testSecret)
	r := someReceipt()
	r.Nonce = "AAAAAAAAAAAAAAAA" // the same in all processes
	good, err := secret.Seal(r)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "A", good, good[:len(good)-4], good + "AAAA", strings.Repeat("A", 100)} {
		f.Add(seed)
	}
	want, err := json.Marshal(r)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		got, err := secret.Open(value)
		if err != nil {
			return
		}
		if text, _ := json.Marshal(got); string(text) != string(want) {
			t.Errorf("%q is a receipt: %s", value, text)
		}
	})
}
