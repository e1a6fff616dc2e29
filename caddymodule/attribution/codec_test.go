package attribution

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const host = "shop.example"

func openCodec(t testing.TB) *Codec {
	t.Helper()
	return NewCodec(openKeys(t, t.TempDir()))
}

func sealed(t testing.TB, c *Codec, touch Touch, encrypt bool) string {
	t.Helper()
	text, err := c.Seal(touch, host, noon.Add(window), encrypt)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// refused: the cookie is no touch.
func refused(t interface{ Fatalf(string, ...any) }, c *Codec, text, host string, now time.Time, want ...Problem) {
	touch, expires, problem := c.Open(text, host, now)
	if problem == "" || !reflect.DeepEqual(touch, Touch{}) || !expires.IsZero() {
		t.Fatalf("%.80q is %+v until %s, %q", text, touch, expires, problem)
	}
	for _, p := range want {
		if p == problem {
			return
		}
	}
	t.Fatalf("%.80q is %q; %q was expected", text, problem, want)
}

func TestSealOpenRoundTrip(t *testing.T) {
	c := openCodec(t)
	rapid.Check(t, func(t *rapid.T) {
		touch, encrypt := drawTouch(t), rapid.Bool().Draw(t, "encrypt")
		expires := noon.Add(time.Duration(rapid.Int64Range(1, int64(window)).Draw(t, "window")))
		text, err := c.Seal(touch, host, expires, encrypt)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > MaxCookie || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Fatalf("%d bytes: %q", len(text), text)
		}
		got, until, problem := c.Open(text, "SHOP.example:8443", noon.Add(-time.Hour))
		if problem != "" || !sameTouch(got, touch) || !until.Equal(expires.Truncate(time.Second)) {
			t.Fatalf("%+v came back as %+v until %s, %q", touch, got, until, problem)
		}
	})
}

// TestOpenBelievesNothingChanged: of every cookie with one bit flipped, of the text or of
// what it encodes.
func TestOpenBelievesNothingChanged(t *testing.T) {
	c := openCodec(t)
	for _, encrypt := range []bool{false, true} {
		text := sealed(t, c, visit("A1", true, 0), encrypt)
		for i := range len(text) {
			for bit := range 8 {
				b := []byte(text)
				b[i] ^= 1 << bit
				refused(t, c, string(b), host, noon, Malformed, Forged)
			}
		}
		raw, _ := base64.RawURLEncoding.DecodeString(text)
		for i := range raw {
			for bit := range 8 {
				raw[i] ^= 1 << bit
				refused(t, c, base64.RawURLEncoding.EncodeToString(raw), host, noon, Malformed, Forged)
				raw[i] ^= 1 << bit
			}
		}
		for i := range len(text) {
			refused(t, c, text[:i], host, noon, Malformed, Forged)
			refused(t, c, text[i+1:], host, noon, Malformed, Forged)
		}
		for _, more := range []string{"A", "AA", "AAAA", "=", "==", "\n", "\r\n", " ", "%3D", "\x00", "日"} {
			refused(t, c, text+more, host, noon, Malformed, Forged)
			refused(t, c, more+text, host, noon, Malformed, Forged)
			refused(t, c, text[:8]+more+text[8:], host, noon, Malformed, Forged)
		}
	}
}

// TestOpenBelievesNoMixture: parts of two cookies are none.
func TestOpenBelievesNoMixture(t *testing.T) {
	c := openCodec(t)
	rapid.Check(t, func(t *rapid.T) {
		draw := func() string {
			text, err := c.Seal(drawTouch(t), host, noon.Add(window), rapid.Bool().Draw(t, "encrypt"))
			if err != nil {
				t.Fatal(err)
			}
			return text
		}
		a, b := draw(), draw()
		text := a[:rapid.IntRange(0, len(a)).Draw(t, "from a")] + b[rapid.IntRange(0, len(b)).Draw(t, "from b"):]
		if text != a && text != b {
			refused(t, c, text, host, noon, Malformed, Forged)
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	c, other := openCodec(t), openCodec(t)
	touch := visit("A1", false, 0)
	for _, encrypt := range []bool{false, true} {
		text := sealed(t, c, touch, encrypt)
		for _, host := range []string{"other.example", "www.shop.example", "example", "", "shop.example.evil.example", "xshop.example"} {
			refused(t, c, text, host, noon, Foreign)
		}
		refused(t, other, text, host, noon, Forged)
		refused(t, c, text, host, noon.Add(window), Expired)
		refused(t, c, text, host, noon.Add(10*window), Expired)
		refused(t, c, text, "other.example", noon.Add(window), Foreign)
		if _, _, problem := c.Open(text, host, noon.Add(window-time.Second)); problem != "" {
			t.Errorf("a second before its end it is %q", problem)
		}
	}
	for _, text := range []string{
		"", "=", "A", "AQ", "AQAAAAAA", strings.Repeat("A", MaxCookie), strings.Repeat("A", MaxCookie+1), strings.Repeat("A", 1<<20),
		"ref=A1", "eyJhbGciOiJub25lIn0", "AQ+/", strings.Repeat("日", 100), strings.Repeat("\x00", 100),
	} {
		refused(t, c, text, host, noon, Malformed)
	}
	refused(t, c, "AQ"+strings.Repeat("A", 200), host, noon, Forged) // of no known key
}

// TestOpenKeepsTheTwoFormsApart: with the flag changed, the tag of one form is none of the
// other's, not even where an attacker knows the whole payload.
func TestOpenKeepsTheTwoFormsApart(t *testing.T) {
	c := openCodec(t)
	for _, encrypt := range []bool{false, true} {
		raw, _ := base64.RawURLEncoding.DecodeString(sealed(t, c, visit("A1", false, 0), encrypt))
		raw[1] ^= flagSealed
		refused(t, c, base64.RawURLEncoding.EncodeToString(raw), host, noon, Forged)
		for v := range 256 {
			raw[0] = byte(v)
			if v != version {
				refused(t, c, base64.RawURLEncoding.EncodeToString(raw), host, noon, Malformed)
			}
		}
	}
}

func TestSealHides(t *testing.T) {
	c := openCodec(t)
	touch := visit("somebody@mail.example", false, 0)
	signed, _ := base64.RawURLEncoding.DecodeString(sealed(t, c, touch, false))
	hidden, _ := base64.RawURLEncoding.DecodeString(sealed(t, c, touch, true))
	if !strings.Contains(string(signed), "somebody@mail.example") || strings.Contains(string(hidden), "somebody") {
		t.Errorf("signed %q, sealed %q", signed, hidden)
	}
	texts := make(map[string]bool)
	for range 10 {
		texts[sealed(t, c, touch, true)] = true
	}
	if len(texts) != 10 {
		t.Errorf("sealed ten times it is %d cookies", len(texts))
	}
}

func TestSealRefuses(t *testing.T) {
	c := openCodec(t)
	good := visit("A1", false, 0)
	with := func(change func(*Touch)) Touch {
		touch := good
		touch.Values = append([]Value(nil), good.Values...)
		change(&touch)
		return touch
	}
	for name, test := range map[string]struct {
		touch Touch
		says  string
	}{
		"nothing":               {Touch{}, "128 bits in base64url"},
		"no landing":            {with(func(t *Touch) { t.Landing = "" }), "128 bits in base64url"},
		"a landing of 120 bits": {with(func(t *Touch) { t.Landing = t.Landing[:20] }), "128 bits in base64url"},
		"a landing with spare bits": {with(func(t *Touch) { t.Landing = strings.Repeat("_", 22) }),
			"128 bits in base64url"},
		"no time":            {with(func(t *Touch) { t.At = time.Time{} }), "the years 1970 to 9999"},
		"a line break":       {with(func(t *Touch) { t.Values[0].Value = "a\nb" }), "bytes of text"},
		"no UTF-8":           {with(func(t *Touch) { t.Values[0].Value = "\xff" }), "bytes of text"},
		"an empty value":     {with(func(t *Touch) { t.Values[0].Value = "" }), "bytes of text"},
		"no name":            {with(func(t *Touch) { t.Values[0].Name = "" }), "bytes of text"},
		"a long name":        {with(func(t *Touch) { t.Values[0].Name = strings.Repeat("a", MaxName+1) }), "1 to 64 bytes"},
		"a long value":       {with(func(t *Touch) { t.Values[0].Value = strings.Repeat("a", MaxValue+1) }), "1 to 256 bytes"},
		"many values":        {with(func(t *Touch) { t.Values = numbered(MaxValues + 1) }), "at most 16"},
		"a long referer":     {with(func(t *Touch) { t.Referer = strings.Repeat("a", MaxReferer+1) }), "at most 512"},
		"a referer of lines": {with(func(t *Touch) { t.Referer = "a\r\nb" }), "visible bytes"},
		"too much in all": {with(func(t *Touch) {
			t.Values = numbered(7)
			for i := range t.Values {
				t.Values[i].Value = strings.Repeat("a", MaxValue)
			}
		}), "bytes; at most"},
	} {
		for _, encrypt := range []bool{false, true} {
			text, err := c.Seal(test.touch, host, noon, encrypt)
			if err == nil || text != "" || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: %q, %v", name, text, err)
			}
		}
	}
	if _, err := c.Seal(good, host, time.Time{}, false); err == nil {
		t.Error("it was sealed until the year 1")
	}
}

// TestCookieHasRoom: the most that Read takes is a cookie.
func TestCookieHasRoom(t *testing.T) {
	c := openCodec(t)
	touch := Touch{Landing: newLanding(), At: time.Unix(maxTime, 0), Paid: true, Referer: strings.Repeat("r", MaxReferer)}
	touch.Values = numbered(MaxValues)
	for i := range touch.Values {
		room := maxContent - touch.size()
		touch.Values[i].Value += strings.Repeat("v", min(room, MaxValue-len(touch.Values[i].Value)))
	}
	if touch.size() != maxContent {
		t.Fatalf("%d bytes; %d were expected", touch.size(), maxContent)
	}
	for _, encrypt := range []bool{false, true} {
		text, err := c.Seal(touch, host, time.Unix(maxTime, 0), encrypt)
		if err != nil || len(text) > MaxCookie {
			t.Fatalf("%d bytes, %v", len(text), err)
		}
		if got, _, problem := c.Open(text, host, noon); problem != "" || !sameTouch(got, touch) {
			t.Fatalf("it came back as %+v, %q", got, problem)
		}
	}
}

func FuzzOpen(f *testing.F) {
	c := openCodec(f)
	made := make(map[string]bool)
	for _, encrypt := range []bool{false, true} {
		text := sealed(f, c, visit("A1", true, 0), encrypt)
		made[text] = true
		f.Add(text)
	}
	f.Add("")
	f.Add("AQAAAAAA" + strings.Repeat("A", 40))
	f.Add(strings.Repeat("_", MaxCookie))
	f.Fuzz(func(t *testing.T, text string) {
		if touch, _, problem := c.Open(text, host, noon); problem == "" && !made[text] {
			t.Fatalf("%q is %+v", text, touch)
		}
	})
}

// FuzzReadPayload: what is authentic may be of another version of this program.
func FuzzReadPayload(f *testing.F) {
	b, err := appendPayload(nil, visit("A1", true, 0), host, noon)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add(append(b[:len(b):len(b)], 0))
	f.Add([]byte(nil))
	f.Add(append(make([]byte, hostBytes+landingBytes), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01))
	f.Fuzz(func(t *testing.T, b []byte) {
		touch, _, expires, err := readPayload(b)
		if err != nil {
			if !reflect.DeepEqual(touch, Touch{}) || !expires.IsZero() {
				t.Fatalf("%+v until %s beside %v", touch, expires, err)
			}
			return
		}
		again, err := appendPayload(nil, touch, host, expires)
		if err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", touch, err)
		}
		if got, _, until, err := readPayload(again); err != nil || !sameTouch(got, touch) || !until.Equal(expires) {
			t.Fatalf("%+v came back as %+v until %s, %v", touch, got, until, err)
		}
	})
}
