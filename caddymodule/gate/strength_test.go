package gate

import (
	"slices"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

func TestStrength(t *testing.T) {
	const no, word, yes = "no", "as a word", "yes"
	for _, tt := range []struct {
		in   policies.Input
		want string // by Telling
	}{
		{cookieInput("lead", "a1b2c3d4"), yes},         // 32 bits of hex
		{cookieInput("lead", "a1b2c3d"), no},           // 28
		{cookieInput("lead", "f7Kq2z"), yes},           // 35.7 bits, 6 bytes
		{cookieInput("lead", "f7K,2"), no},             // 5 bytes
		{cookieInput("lead", "123456789"), no},         // 29.9
		{cookieInput("lead", "1234567890"), yes},       // 33.2
		{cookieInput("lead", "1111122222111112"), no},  // two digits
		{cookieInput("lead", "internationalised"), no}, // words
		{cookieInput("lead", "Internationalised"), no},
		{cookieInput("lead", "INTERNATIONAL"), no},
		{cookieInput("lead", "interNationalised"), yes}, // not written like a word
		{cookieInput("lead", "internationalisation"), yes},
		{cookieInput("lead", "summer-sale-2024"), no},
		{cookieInput("lead", "summer-sale-20245"), yes},
		{cookieInput("lead", "登録ありがとう"), no},
		{cookieInput("lead", "登録ありがとう12345"), yes},
		{cookieInput("lead", "a@b.example"), yes},
		{cookieInput("lead", "192.0.2.7"), word},
		{cookieInput("lead", "2001:db8::7"), word},
		{cookieInput("lead", "127.0.0.1"), no},
		{cookieInput("lead", "::"), no},
		{cookieInput("lead", "a1b2"), no},
		{cookieInput("sid", "a1b2"), word}, // 16 bits
		{cookieInput("sid", "a1b"), no},
		{cookieInput("connect.sid", "a1b2"), word},
		{cookieInput("PHPSESSID", "a1b2"), word},
		{cookieInput("X_Csrf_Token", "a1b2"), word},
		{cookieInput("resident", "a1b2"), no}, // sid is not a word of it
		{cookieInput("uid", "1234"), no},      // 13.3 bits
		{cookieInput("uid", "12345"), word},
		{cookieInput("session", "guest"), no},
		{cookieInput("session", "a1b2c3d4"), yes},
		{headerInput("Authorization", "s3cr"), word},
		{cookieInput("Accept", "a1b2c3d4e5f6"), yes}, // is no header
		{headerInput("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"), yes},
		{addressInput("192.0.2.7"), word},
	} {
		name := tt.in.String() + " " + tt.in.Value
		_, onlyWord, ok := Telling.judge(tt.in, tt.in.Value)
		got := no
		switch {
		case ok && onlyWord:
			got = word
		case ok:
			got = yes
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s (%.1f bits)", name, got, tt.want, estimateBits(tt.in.Value))
		}
		if _, onlyWord, ok := Any.judge(tt.in, tt.in.Value); !ok || onlyWord {
			t.Errorf("%s: Any does not look for it everywhere", name)
		}
	}
	if _, _, ok := Any.judge(cookieInput("a", ""), ""); ok {
		t.Error("an empty value is looked for")
	}
}

// What Telling looks for, Any does.
func TestStrengthRules(t *testing.T) {
	rules := StrengthRules()
	text := ""
	for _, r := range rules {
		if slices.Contains(r[:], "") {
			t.Errorf("%q has an empty cell", r)
		}
		text += strings.Join(r[:], " ") + "\n"
	}
	for _, list := range [][]string{sessionParts, sessionWords, alike} {
		for _, word := range list {
			if !strings.Contains(text, word) {
				t.Errorf("the rules do not say %s", word)
			}
		}
	}
}

// TestWhatBrowsersSendAlike: of a field that all browsers send much alike only what none
// of them sends is looked for.
func TestWhatBrowsersSendAlike(t *testing.T) {
	for _, tt := range []struct {
		name, value string
		odd         []string
	}{
		{"Accept-Language", "ja,en-US;q=0.9, en;q=0.8,*;q=0.1", nil},
		{"Accept-Language", "zh-Hant-TW, es-419;q=0.5", nil},
		{"Accept-Language", "ja,REF-Alice-774411;q=0.1", []string{"REF-Alice-774411;q=0.1"}},
		{"Accept-Language", `ja"><script src=//evil.example>`, []string{`ja"><script src=//evil.example>`}},
		{"Accept-Language", "ja;q=//evil.example", []string{"ja;q=//evil.example"}},
		{"Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7", nil},
		{"Accept", "text/html, text/x-774411abc", []string{"text/x-774411abc"}},
		{"Sec-Ch-Ua", `"Chromium";v="140", "Not=A?Brand";v="24"`, nil},
		{"Sec-Fetch-Mode", "navigate", nil},
		{"Dnt", "//evil.example/x.js", []string{"//evil.example/x.js"}},
		{"Sec-Gpc", strings.Repeat("x", 25), []string{strings.Repeat("x", 25)}},
	} {
		var odd []string
		for _, p := range partsOf(headerInput(tt.name, tt.value), Telling) {
			odd = append(odd, p.value)
		}
		if !slices.Equal(odd, tt.odd) {
			t.Errorf("%s: %s: %q, want %q", tt.name, tt.value, odd, tt.odd)
		}
		if len(partsOf(headerInput(tt.name, tt.value), Any)) == 0 {
			t.Errorf("%s: Any looks for nothing", tt.name)
		}
	}
}
