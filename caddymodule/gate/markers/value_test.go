package markers

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

func TestRandomBits(t *testing.T) {
	for _, c := range []struct {
		value string
		token bool
	}{
		{"0a1b2c3d4e5f60718293a4b5c6d7e8f9", true},
		{"462428cdc8518a3de5502d1b", true},             // an ObjectId of MongoDB
		{"1aea8384-52ad-4d1a-970c-c27fd4dad09d", true}, // RFC 9562
		{"Zq3mT8vK1xY6bN4c", true},
		{"90753186420975318642", true}, // 20 digits
		{"1735689600", false},          // seconds
		{"1735689600000", false},
		{"4242424242424242424242", false},
		{"00000000-0000-0000-0000-000000000000", false},
		{"xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx", false},
		{"summer-sale-2026-landing-page", false},
		{"googleTagManagerContainerConfig", false},
		{"loaded-by-script-on-submit", false},
		{"spring_term_2026_course_no_17", false},
		{"0a1b2c3d4e5f", false}, // too short
		{"", false},
		{"{{ csrf_token }}", false},
	} {
		if got := randomBits([]byte(c.value)); got >= tokenBits != c.token {
			t.Errorf("%q: %d bits", c.value, got)
		}
	}
}

// Of random values, as programs write them, next to none is missed.
func TestRandomValuesAreTokens(t *testing.T) {
	encodings := map[string]func([]byte) string{
		"hex":       hex.EncodeToString,
		"base64":    base64.StdEncoding.EncodeToString,
		"base64url": base64.RawURLEncoding.EncodeToString,
	}
	for name, encode := range encodings {
		missed, all := 0, 0
		for seed := range uint64(2000) {
			value := make([]byte, 16+seed%17)
			for i := range value { // SplitMix64
				seed += 0x9e3779b97f4a7c15
				z := seed
				z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
				z = (z ^ z>>27) * 0x94d049bb133111eb
				value[i] = byte(z >> 32)
			}
			all++
			if randomBits([]byte(encode(value))) < tokenBits {
				missed++
			}
		}
		if missed*500 > all {
			t.Errorf("%s: %d of %d missed", name, missed, all)
		}
	}
}

func TestPersonalMail(t *testing.T) {
	for _, c := range []struct {
		mail     string
		personal bool
	}{
		{"mika.aoyama@mail.example", true},
		{"Mika+tea@mail.example", true},
		{"jane.doe@shop.example", true},
		{"info@shop.example", false},
		{"INFO@shop.example", false},
		{"no-reply+17@shop.example", false},
		{"mika@example.com", false},
		{"mika@mail.example.org", false},
		{"you@shop.example", false},
		{"photo@2x.png", false},
	} {
		if got := isPersonalMail([]byte(c.mail)); got != c.personal {
			t.Errorf("%s: %v", c.mail, got)
		}
	}
}

// What a pattern would not take, or nobody's, is not given to one; all else is.
func TestMayBeMail(t *testing.T) {
	for _, c := range []struct {
		text string
		may  bool
	}{
		{`["mika@mail.example"]`, true},
		{`['mika@mail.example']`, true},
		{`[\"mika.o'neil+tea@mail.example\"]`, true},
		{`["` + strings.Repeat("m", 64) + `@mail.example"]`, true},
		{`["` + strings.Repeat("m", 65) + `@mail.example"]`, false},
		{`["info@mail.example"]`, false},
		{`["@mail.example"]`, false},
		{`["mika@"]`, false},
		{`["mika@mail.example`, false},
		{`mika@mail.example"]`, false},
		{`["to mika@mail.example"]`, false},
		{`["mika@mail.example wrote"]`, false},
		{`["mika@` + strings.Repeat("m.", 200) + `example"]`, false},
	} {
		if got := mayBeMail([]byte(c.text), strings.IndexByte(c.text, '@')); got != c.may {
			t.Errorf("%s: %v", c.text, got)
		}
	}
}

func TestPersonalStream(t *testing.T) {
	id := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for _, c := range []struct {
		name     string
		personal bool
	}{
		{`"` + id("gid://app/User/42") + `"`, true},
		{`"notifications:` + id("gid://app/Shop::Cart/42") + `"`, true},
		{`"` + id("gid://app/Account/1aea8384-52ad-4d1a-970c-c27fd4dad09d") + `:inbox"`, true},
		{`"user_42"`, true},
		{`"messages"`, false},
		{`"notifications"`, false},
		{`"` + id("gid://app/Post/42") + `:comments"`, false},
		{`"page_42"`, false},
		{`{"name":"messages"}`, true}, // cannot be read
	} {
		signed := base64.StdEncoding.EncodeToString([]byte(c.name)) + "--0a1b"
		if got := isPersonalStream([]byte(signed)); got != c.personal {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if !isPersonalStream([]byte("no base64!--0a1b")) {
		t.Error("what is no base64 is taken for harmless")
	}
}

// RFC 7519 §3, RFC 7516 §3.1.
func TestPersonalJWT(t *testing.T) {
	part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	header := part(`{"alg":"HS256","typ":"JWT"}`)
	for _, c := range []struct {
		name, token string
		personal    bool
	}{
		{"signed", header + "." + part(`{"sub":"48213"}`) + ".c2ln", true},
		{"unsigned", part(`{"alg":"none"}`) + "." + part(`{"sub":"48213"}`) + ".", true},
		{"encrypted", part(`{"alg":"dir","enc":"A256GCM"}`) + "..aXY.dGV4dA.dGFn", true},
		{"for everybody", header + "." + part(`{"role":"anon"}`) + ".c2ln", false},
		{"the example of jwt.io", header + "." + part(`{"sub":"1234567890"}`) + ".c2ln", false},
		{"no algorithm", part(`{"type":"x"}`) + "." + part(`{"sub":"48213"}`) + ".c2ln", false},
		{"no JSON", part(`{"alg"`) + "." + part(`{"sub":"48213"}`) + ".c2ln", false},
		{"payload is no object", header + "." + part(`[1]`) + ".c2ln", false},
	} {
		if got := isPersonalJWT([]byte(c.token)); got != c.personal {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
