package policies

import (
	"slices"
	"testing"
)

func TestNegotiate(t *testing.T) {
	for _, tt := range []struct {
		name, header, sent string
		declared           []string
		want               string // empty: nothing fits
	}{
		{"exact", "Accept-Language", "ja", []string{"ja", "en"}, "ja"},
		{"case", "Accept-Language", "JA", []string{"ja", "en"}, "ja"},
		{"by quality", "Accept-Language", "ja;q=0.5, en;q=0.8", []string{"ja", "en"}, "en"},
		{"quality left out is 1", "Accept-Language", "ja;q=0.9,en", []string{"ja", "en"}, "en"},
		{"a tie is the first declared", "Accept-Language", "en,ja", []string{"ja", "en"}, "ja"},
		{"region sent", "Accept-Language", "ja-JP", []string{"ja", "en"}, "ja"},
		{"region declared", "Accept-Language", "en", []string{"ja", "en-US"}, "en-US"},
		{"other region", "Accept-Language", "en-GB", []string{"en-US"}, ""},
		{"no prefix within a subtag", "Accept-Language", "eng", []string{"en"}, ""},
		{"Chrome", "Accept-Language", "en-US,en;q=0.9,ja;q=0.8", []string{"ja", "en"}, "en"},
		{"Firefox", "Accept-Language", "en-US,ja;q=0.7,en;q=0.3", []string{"ja", "en"}, "en"},
		{"regions only", "Accept-Language", "en-GB;q=0.2,en-US;q=0.9,ja;q=0.5", []string{"ja", "en"}, "en"},
		{"Safari", "Accept-Language", "ja-JP,ja;q=0.9", []string{"en", "ja"}, "ja"},
		{"any", "Accept-Language", "*", []string{"ja", "en"}, "ja"},
		{"any but", "Accept-Language", "ja;q=0, *", []string{"ja", "en"}, "en"},
		{"any, less", "Accept-Language", "en;q=0.8,*;q=0.9", []string{"en", "ja"}, "ja"},
		{"refused", "Accept-Language", "ja;q=0", []string{"ja"}, ""},
		{"refused, but a region of it wanted", "Accept-Language", "en;q=0,en-US", []string{"en"}, "en"},
		{"none", "Accept-Language", "fr", []string{"ja", "en"}, ""},
		{"empty", "Accept-Language", "", []string{"ja", "en"}, ""},
		{"junk", "Accept-Language", ",;q=1,,ja;q=x,;", []string{"ja", "en"}, ""},
		{"quality over 1", "Accept-Language", "ja;q=2", []string{"ja"}, ""},
		{"negative", "Accept-Language", "ja;q=-1", []string{"ja"}, ""},
		{"no number", "Accept-Language", "ja;q=NaN,en;q=inf", []string{"ja", "en"}, ""},
		{"blanks", "Accept-Language", "  ja ; Q=0.5 ,\ten", []string{"ja", "en"}, "en"},
		{"media", "Accept", "text/html,application/json;q=0.9", []string{"application/json", "text/html"}, "text/html"},
		{"media, any", "Accept", "*/*", []string{"text/html", "application/json"}, "text/html"},
		{"media, any of a kind", "Accept", "image/*;q=0.8,*/*;q=0.5", []string{"text/html", "image/png"}, "image/png"},
		{"media, specific beats general", "Accept", "text/*,text/html;q=0.1,application/json;q=0.5", []string{"text/html", "application/json"}, "application/json"},
		{"media, refused", "Accept", "text/html;q=0,*/*;q=0.1", []string{"text/html", "image/webp"}, "image/webp"},
		{"media, parameters", "Accept", "text/html;level=1;q=0.4,text/plain;q=0.5", []string{"text/html", "text/plain"}, "text/plain"},
		{"media, prefix is no kind", "Accept", "tex/*", []string{"text/html"}, ""},
		{"media of Chrome", "Accept", "text/html,application/xhtml+xml,image/avif,image/webp,*/*;q=0.8", []string{"application/json", "text/html"}, "text/html"},
		{"other", "X-Plan", "Pro", []string{"free", "pro"}, "pro"},
		{"other, blanks", "X-Plan", " pro ", []string{"free", "pro"}, "pro"},
		{"other, unknown", "X-Plan", "prox", []string{"free", "pro"}, ""},
		{"other, no list", "X-Plan", "free, pro", []string{"free", "pro"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := negotiate(tt.header, tt.sent, tt.declared)
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("got %q, %v, want %q", got, ok, tt.want)
			}
		})
	}
}

// FuzzNegotiate holds that there are never more variants than declared.
func FuzzNegotiate(f *testing.F) {
	for _, sent := range []string{"ja,en;q=0.5", "*;q=0", "text/html;q=1e-1", "\x00", ";;;", "ja-;q=0,"} {
		f.Add("Accept-Language", sent)
		f.Add("Accept", sent)
		f.Add("X-Plan", sent)
	}
	declared := []string{"ja", "en-US", "text/html", "pro"}
	f.Fuzz(func(t *testing.T, header, sent string) {
		got, ok := negotiate(header, sent, declared)
		if ok != slices.Contains(declared, got) {
			t.Errorf("negotiate(%q, %q) is %q, %v", header, sent, got, ok)
		}
	})
}
