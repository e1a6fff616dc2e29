package httpcache

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// RFC 9110 §13.1, §13.2.2, RFC 9111 §4.3.2
func TestEvaluate(t *testing.T) {
	const tag = `Etag: "a"`
	modified := "Last-Modified: " + at(-time.Hour)
	const none, same, failed = Proceed, NotModified, PreconditionFailed
	tests := []struct {
		name   string
		method string
		req    []string
		stored []string
		want   Precondition
	}{
		{"unconditional", "GET", nil, []string{tag, modified}, none},

		// §13.1.2: If-None-Match, weakly
		{"equal", "GET", []string{`If-None-Match: "a"`}, []string{tag}, same},
		{"HEAD", "HEAD", []string{`If-None-Match: "a"`}, []string{tag}, same},
		{"POST", "POST", []string{`If-None-Match: "a"`}, []string{tag}, none},
		{"other", "GET", []string{`If-None-Match: "b"`}, []string{tag}, none},
		{"case", "GET", []string{`If-None-Match: "A"`}, []string{tag}, none},
		{"list", "GET", []string{`If-None-Match: "x", W/"y" ,"a"`}, []string{tag}, same},
		{"lines", "GET", []string{`If-None-Match: "x"`, `If-None-Match: "a"`}, []string{tag}, same},
		{"comma in a tag", "GET", []string{`If-None-Match: "x, y","a,b"`}, []string{`Etag: "a,b"`}, same},
		{"tag inside a tag", "GET", []string{`If-None-Match: "x, a, y"`}, []string{tag}, none},
		{"empty members", "GET", []string{`If-None-Match: , ,"x",, "a",`}, []string{tag}, same},
		{"empty tag", "GET", []string{`If-None-Match: ""`}, []string{`Etag: ""`}, same},
		{"weak in request", "GET", []string{`If-None-Match: W/"a"`}, []string{tag}, same},
		{"weak in store", "GET", []string{`If-None-Match: "a"`}, []string{`Etag: W/"a"`}, same},
		{"weak in both", "GET", []string{`If-None-Match: W/"a"`}, []string{`Etag: W/"a"`}, same},
		{"lower-case w", "GET", []string{`If-None-Match: w/"a"`}, []string{tag}, none},
		{"star", "GET", []string{"If-None-Match: *"}, []string{"Content-Type: text/plain"}, same},
		{"star in a list", "GET", []string{`If-None-Match: *, "x"`}, []string{tag}, none},
		{"star in a line of several", "GET", []string{"If-None-Match: *", `If-None-Match: "x"`}, []string{tag}, none},
		{"unquoted", "GET", []string{"If-None-Match: a"}, []string{tag}, none},
		{"unquoted in both", "GET", []string{"If-None-Match: a"}, []string{"Etag: a"}, none},
		{"empty and no tag", "GET", []string{"If-None-Match: "}, nil, none},
		{"open quote", "GET", []string{`If-None-Match: "a`}, []string{tag}, none},
		{"no comma", "GET", []string{`If-None-Match: "x" "a"`}, []string{tag}, none},
		{"text after the tag", "GET", []string{`If-None-Match: "a"b`}, []string{tag}, none},
		{"damage after the tag", "GET", []string{`If-None-Match: "a", b`}, []string{tag}, same},
		{"damage in another line", "GET", []string{`If-None-Match: b`, `If-None-Match: "a"`}, []string{tag}, same},
		{"two tags stored", "GET", []string{`If-None-Match: "a"`}, []string{tag, `Etag: "b"`}, none},
		{"damaged tag stored", "GET", []string{`If-None-Match: "a"`}, []string{`Etag: "a"b`}, none},

		// §13.1.3: If-Modified-Since
		{"since then", "GET", []string{"If-Modified-Since: " + at(-time.Hour)}, []string{modified}, same},
		{"later", "GET", []string{"If-Modified-Since: " + at(0)}, []string{modified}, same},
		{"earlier", "GET", []string{"If-Modified-Since: " + at(-time.Hour-time.Second)}, []string{modified}, none},
		{"Date instead", "GET", []string{"If-Modified-Since: " + at(0)}, []string{"Date: " + at(0)}, same},
		{"Date later", "GET", []string{"If-Modified-Since: " + at(-time.Hour)}, []string{"Date: " + at(0)}, none},
		{"nothing to compare with", "GET", []string{"If-Modified-Since: " + at(0)}, nil, none},
		{"bad date", "GET", []string{"If-Modified-Since: tomorrow"}, []string{modified}, none},
		{"bad Last-Modified", "GET", []string{"If-Modified-Since: " + at(0)}, []string{"Last-Modified: 0", "Date: " + at(-time.Hour)}, none},
		{"two dates", "GET", []string{"If-Modified-Since: " + at(0), "If-Modified-Since: " + at(0)}, []string{modified}, none},
		{"method of a date", "PUT", []string{"If-Modified-Since: " + at(0)}, []string{modified}, none},

		// §13.1.1: If-Match, strongly
		{"match", "GET", []string{`If-Match: "a"`}, []string{tag}, none},
		{"match in a list", "GET", []string{`If-Match: "x", "a"`}, []string{tag}, none},
		{"match in lines", "GET", []string{`If-Match: "x"`, `If-Match: "a"`}, []string{tag}, none},
		{"match another", "GET", []string{`If-Match: "b"`}, []string{tag}, failed},
		{"match another, HEAD", "HEAD", []string{`If-Match: "b"`}, []string{tag}, failed},
		{"match another, PUT", "PUT", []string{`If-Match: "b"`}, []string{tag}, none},
		{"match no tag", "GET", []string{`If-Match: "a"`}, []string{modified}, failed},
		{"match any", "GET", []string{"If-Match: *"}, []string{modified}, none},
		{"match any in a list", "GET", []string{`If-Match: "x", *`}, []string{tag}, failed},
		{"match weak in request", "GET", []string{`If-Match: W/"a"`}, []string{tag}, failed},
		{"match weak in store", "GET", []string{`If-Match: "a"`}, []string{`Etag: W/"a"`}, failed},
		{"match weak in both", "GET", []string{`If-Match: W/"a"`}, []string{`Etag: W/"a"`}, failed},
		{"match unquoted", "GET", []string{"If-Match: a"}, []string{tag}, failed},
		{"match unquoted in both", "GET", []string{"If-Match: a"}, []string{"Etag: a"}, failed},
		{"match nothing", "GET", []string{"If-Match: "}, []string{tag}, failed},

		// §13.1.4: If-Unmodified-Since
		{"unmodified", "GET", []string{"If-Unmodified-Since: " + at(-time.Hour)}, []string{modified}, none},
		{"modified after", "GET", []string{"If-Unmodified-Since: " + at(-time.Hour-time.Second)}, []string{modified}, failed},
		{"modified after, HEAD", "HEAD", []string{"If-Unmodified-Since: " + at(-2*time.Hour)}, []string{modified}, failed},
		{"modified after, DELETE", "DELETE", []string{"If-Unmodified-Since: " + at(-2*time.Hour)}, []string{modified}, none},
		{"no modification date", "GET", []string{"If-Unmodified-Since: " + at(-time.Hour)}, []string{"Date: " + at(0)}, none},
		{"bad modification date", "GET", []string{"If-Unmodified-Since: " + at(-2*time.Hour)}, []string{"Last-Modified: 0"}, none},
		{"two modification dates", "GET", []string{"If-Unmodified-Since: " + at(-2*time.Hour)}, []string{modified, modified}, none},
		{"bad unmodified date", "GET", []string{"If-Unmodified-Since: 0"}, []string{modified}, none},
		{"two unmodified dates", "GET", []string{"If-Unmodified-Since: " + at(-2*time.Hour), "If-Unmodified-Since: " + at(0)}, []string{modified}, none},

		// §13.2.2: precedence
		{"tag differs, date does not", "GET", []string{`If-None-Match: "b"`, "If-Modified-Since: " + at(0)}, []string{tag, modified}, none},
		{"no tag, date does not", "GET", []string{`If-None-Match: "b"`, "If-Modified-Since: " + at(0)}, []string{modified}, none},
		{"malformed tag, date does not", "GET", []string{"If-None-Match: a", "If-Modified-Since: " + at(0)}, []string{tag, modified}, none},
		{"empty tag list, date does not", "GET", []string{"If-None-Match: ", "If-Modified-Since: " + at(0)}, []string{tag, modified}, none},
		{"tag equal, date differs", "GET", []string{`If-None-Match: "a"`, "If-Modified-Since: " + at(-2*time.Hour)}, []string{tag, modified}, same},
		{"match before unmodified", "GET", []string{`If-Match: "a"`, "If-Unmodified-Since: " + at(-2*time.Hour)}, []string{tag, modified}, none},
		{"no match before unmodified", "GET", []string{`If-Match: "b"`, "If-Unmodified-Since: " + at(0)}, []string{tag, modified}, failed},
		{"failed before none-match", "GET", []string{`If-Match: "b"`, `If-None-Match: "a"`}, []string{tag}, failed},
		{"unmodified before none-match", "GET", []string{"If-Unmodified-Since: " + at(-2*time.Hour), `If-None-Match: "a"`}, []string{tag, modified}, failed},
		{"match, then none-match", "GET", []string{`If-Match: "a"`, `If-None-Match: "a"`}, []string{tag}, same},
		{"unmodified, then modified since", "GET", []string{"If-Unmodified-Since: " + at(0), "If-Modified-Since: " + at(0)}, []string{modified}, same},
		{"If-Range is none of them", "GET", []string{`If-Range: "b"`}, []string{tag}, none},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Evaluate(tt.method, header(tt.req...), header(tt.stored...)); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
		})
	}
}

// RFC 9110 §13.1
func TestConditional(t *testing.T) {
	for line, want := range map[string]bool{
		`If-Match: "a"`:          true,
		"If-None-Match: ":        true,
		"If-Modified-Since: x":   true,
		"If-Unmodified-Since: x": true,
		`If-Range: "a"`:          false,
		"Range: bytes=0-":        false,
	} {
		req := header("Accept: */*", line)
		if got := Conditional(req); got != want {
			t.Errorf("%s: %t", line, got)
		}
		if allocated := testing.AllocsPerRun(10, func() { Conditional(req) }); allocated != 0 {
			t.Errorf("%s: %v allocations", line, allocated)
		}
	}
	if Conditional(nil) || Conditional(http.Header{"If-Match": nil}) {
		t.Error("a field without a line is a condition")
	}
}

// RFC 9110 §13.2.1: a request that is not conditional is answered as it is, and
// so is a conditional one with another method.
func TestEvaluateOnlyConditionalRequests(t *testing.T) {
	lines := rapid.SliceOfN(rapid.SampledFrom([]string{`"a"`, `W/"a"`, `"b"`, "*", at(0), at(-time.Hour), "x", ""}), 0, 2)
	fields := rapid.SampledFrom([]string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"})
	validators := rapid.SampledFrom([]string{"Etag", "Last-Modified", "Date"})
	rapid.Check(t, func(t *rapid.T) {
		req := http.Header(rapid.MapOf(fields, lines).Draw(t, "request"))
		stored := http.Header(rapid.MapOf(validators, lines).Draw(t, "stored"))
		method := rapid.SampledFrom([]string{"GET", "HEAD", "POST", "OPTIONS", "get"}).Draw(t, "method")
		outcome := Evaluate(method, req, stored)
		if outcome != Proceed && (!Conditional(req) || method != "GET" && method != "HEAD") {
			t.Fatalf("%s is answered %d", method, outcome)
		}
		// Each outcome has its own fields to come from.
		if outcome == NotModified && len(req["If-None-Match"])+len(req["If-Modified-Since"]) == 0 ||
			outcome == PreconditionFailed && len(req["If-Match"])+len(req["If-Unmodified-Since"]) == 0 {
			t.Fatalf("%d has no cause", outcome)
		}
	})
}

// FuzzEvaluate: a 304 says that the client has what is stored, so a validator of
// what is stored must stand in the request. Damage to it must not make one.
func FuzzEvaluate(f *testing.F) {
	f.Add("", "", `"a", W/"b"`, "", `"b"`, "", "")
	f.Add("", "", "*", at(0), ``, at(0), "")
	f.Add(`"a"`, "", "", at(0), `"a"`, at(-time.Hour), at(0))
	f.Add(`W/"a" , "`, at(0), "", at(time.Hour), `W/"a"`, "", at(0))
	f.Add("", at(-time.Hour), `"a" , ,"`, "", `W/"`, at(0), at(0))
	f.Fuzz(func(t *testing.T, match, unmodified, noneMatch, since, tag, modified, made string) {
		req, stored := make(http.Header), make(http.Header)
		set := func(h http.Header, name, value string) {
			if value != "" {
				h[name] = []string{value}
			}
		}
		set(req, "If-Match", match)
		set(req, "If-Unmodified-Since", unmodified)
		set(req, "If-None-Match", noneMatch)
		set(req, "If-Modified-Since", since)
		set(stored, "Etag", tag)
		set(stored, "Last-Modified", modified)
		set(stored, "Date", made)

		outcome := Evaluate(http.MethodGet, req, stored)
		if head := Evaluate(http.MethodHead, req, stored); head != outcome {
			t.Errorf("GET gets %d, HEAD gets %d", outcome, head)
		}
		switch outcome {
		case NotModified:
			if noneMatch != "" {
				opaque := strings.TrimPrefix(tag, "W/")
				quoted := len(opaque) >= 2 && opaque[0] == '"' && opaque[len(opaque)-1] == '"'
				if strings.Trim(noneMatch, " \t") != "*" && (!quoted || !strings.Contains(noneMatch, opaque)) {
					t.Errorf("304 for %q, which has no %q", noneMatch, tag)
				}
				break
			}
			if modified == "" {
				modified = made
			}
			asked, err := http.ParseTime(strings.ToUpper(since))
			has, err2 := http.ParseTime(strings.ToUpper(modified))
			if err != nil || err2 != nil || has.After(asked) {
				t.Errorf("304 for %q of %q", since, modified)
			}
		case PreconditionFailed:
			if match == "" && unmodified == "" {
				t.Error("412 without a condition")
			}
			if match != "" && match == tag && strongTag(tag) {
				t.Errorf("412 for the tag %q itself", tag)
			}
		case Proceed:
			if match != "" && strings.Trim(match, " \t") != "*" && (!strongTag(tag) || !strings.Contains(match, tag)) {
				t.Errorf("%q holds of %q", match, tag)
			}
		}
	})
}

// strongTag is what [onlyTag] and [strongly] take together, written otherwise.
func strongTag(s string) bool {
	return len(s) >= 2 && s[0] == '"' && strings.IndexByte(s[1:], '"') == len(s)-2
}

func FuzzIfNoneMatch(f *testing.F) {
	f.Add(`"a", W/"b"`, `"b"`)
	f.Add(`*`, ``)
	f.Add(`"a" , ,"`, `W/"`)
	f.Fuzz(func(t *testing.T, match, tag string) {
		opaque, rest, ok := entityTag(tag)
		whole := ok && rest == ""
		found := anyMatches([]string{match}, []string{tag}, weakly)
		if whole && !anyMatches([]string{`"x", W/` + opaque}, []string{tag}, weakly) {
			t.Errorf("%q does not match itself", tag)
		}
		if !whole && found != anyMatches([]string{match}, nil, weakly) {
			t.Errorf("%q is no entity tag, and matches %q", tag, match)
		}
		if !found && anyMatches([]string{match}, []string{tag}, strongly) {
			t.Errorf("%q is in %q strongly, but not weakly", tag, match)
		}
	})
}
