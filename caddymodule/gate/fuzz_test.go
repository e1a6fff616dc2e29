package gate

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cacheward/cacheward/policies"
)

// odd spells a field name in some other way that means the same.
func odd(name string, how int) string {
	switch how % 4 {
	case 1:
		return strings.ToLower(name)
	case 2:
		return strings.ToUpper(name)
	case 3:
		return strings.ToLower(name[:1]) + name[1:]
	}
	return name
}

// Whatever else a response says, before or after a refusal and however the
// refusal's name is spelled: it is refused.
func TestNothingUndoesARefusal(t *testing.T) {
	permissions := [][]string{
		{"Cache-Control", "public, max-age=600"}, {"Cache-Control", "s-maxage=600"}, {"Cache-Control", "immutable"},
		{"Expires", "Mon, 01 Mar 2027 13:00:00 GMT"}, {"CDN-Cache-Control", "max-age=600"}, {"Surrogate-Control", "max-age=600"},
		{"Vary", "Accept-Encoding"}, {"Access-Control-Allow-Origin", "*"}, {"Access-Control-Allow-Credentials", "false"},
		{"Content-Type", "text/html"}, {"Content-Length", "5"}, {"Content-Encoding", "identity"}, {"Location", "/a"}, {"Etag", `"a"`},
	}
	rapid.Check(t, func(t *rapid.T) {
		h := http.Header{}
		add := func(pair []string) {
			name := odd(pair[0], rapid.IntRange(0, 3).Draw(t, "spelling"))
			if at := rapid.IntRange(0, len(h[name])).Draw(t, "line"); len(pair) == 2 {
				h[name] = slices.Insert(h[name], at, pair[1])
			}
		}
		for range rapid.IntRange(0, 8).Draw(t, "permissions") {
			add(rapid.SampledFrom(permissions).Draw(t, "permission"))
		}
		refusal := rapid.SampledFrom(refusals).Draw(t, "refusal")
		if refusal.reason == policies.ReasonNotFresh || refusal.pairs[0] == "Pragma" {
			// These refuse only where nothing that outranks them speaks.
			for name := range h {
				if strings.EqualFold(name, "Cache-Control") {
					delete(h, name)
				}
			}
		}
		for pair := range slices.Chunk(refusal.pairs, 2) {
			if strings.HasPrefix(pair[0], http.TrailerPrefix) {
				h[pair[0]] = pair[1:]
				continue
			}
			add(pair)
		}
		r := with(operatorRules(), func(r *Rules) { r.Operator = rapid.Bool().Draw(t, "operator") })
		if got := Check(Head{Status: 200, Header: h}, r); got == nil {
			t.Fatalf("%v passed in spite of %s", h, refusal.name)
		}
	})
}

// parseHead reads lines of name:value, checking nothing.
func parseHead(text string) http.Header {
	h := http.Header{}
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			h[name] = append(h[name], strings.TrimPrefix(value, " "))
		}
	}
	return h
}

func FuzzCheck(f *testing.F) {
	for _, tt := range refusals {
		var text strings.Builder
		for pair := range slices.Chunk(tt.pairs, 2) {
			text.WriteString(pair[0] + ": " + pair[1] + "\n")
		}
		f.Add(200, text.String(), "Link: </a>", "/a.css", true)
	}
	f.Add(302, "Cache-Control: public, max-age=60", "", "/", false)
	f.Fuzz(func(t *testing.T, status int, head, info, path string, operator bool) {
		h := Head{Status: status, Header: parseHead(head), Informational: []http.Header{parseHead(info)}}
		r := Rules{Path: path, Operator: operator, WantIdentity: true, Received: received}
		got := Check(h, r)
		for i, reason := range got {
			if slices.Contains(got[:i], reason) {
				t.Fatalf("%v occurs twice in %v", reason, got)
			}
		}
		if got != nil {
			return
		}
		for name, values := range h.Header {
			text := strings.ToLower(name + ": " + strings.Join(values, ", "))
			for _, refusal := range []string{"set-cookie:", "cache-control: private", "cache-control: no-store", "www-authenticate:", "vary: *", "vary: cookie", "\x00"} {
				if strings.HasPrefix(text, refusal) {
					t.Fatalf("%q passed", text)
				}
			}
		}
		h.Header["sEt-CooKie"] = []string{"a=b"}
		if Check(h, r) == nil {
			t.Fatal("a cookie passed")
		}
	})
}

func FuzzRecorder(f *testing.F) {
	page := []byte(strings.Repeat("<p>hello</p>\n", 50))
	for i, codings := range codingSets {
		coded := encode(f, page, codings...)
		f.Add(uint8(i), coded, uint16(7), uint16(1000))
		f.Add(uint8(i), coded[:len(coded)/2], uint16(100), uint16(100))
		f.Add(uint8(i), append(coded, page...), uint16(1), uint16(0))
	}
	f.Add(uint8(2), encode(f, make([]byte, 1<<16), "gzip"), uint16(64), uint16(1<<15))
	f.Fuzz(func(t *testing.T, set uint8, coded []byte, chunk, decoded uint16) {
		field := fieldOf(codingSets[int(set)%len(codingSets)])
		l := Limits{Keep: int64(decoded) / 2, Decoded: int64(decoded)}
		whole := record(field, l, coded)
		if whole.Size > l.Decoded || int64(len(whole.Kept)) > l.Keep {
			t.Fatalf("size %d, kept %d with limits %+v", whole.Size, len(whole.Kept), l)
		}
		parts := record(field, l, slices.Collect(slices.Chunk(coded, int(chunk)+1))...)
		if parts.Readable != whole.Readable || parts.Sum != whole.Sum || parts.Size != whole.Size || !bytes.Equal(parts.Kept, whole.Kept) {
			t.Fatalf("in chunks of %d: %+v, at once: %+v", int(chunk)+1, parts, whole)
		}
	})
}
