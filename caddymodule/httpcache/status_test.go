package httpcache

import (
	"net/http"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
	"pgregory.net/rapid"
)

// RFC 9211 §2
func TestStatusAppend(t *testing.T) {
	tests := []struct {
		name string
		s    Status
		want string
	}{
		{"nothing", Status{}, "Cacheward"},
		{"hit", Status{Hit: true, TTL: 90 * time.Second, HasTTL: true}, "Cacheward; hit; ttl=90"},
		{"hit says nothing of forwarding", Status{Hit: true, Fwd: "miss", FwdStatus: 200, Stored: true, Collapsed: true}, "Cacheward; hit"},
		{"stale hit", Status{Hit: true, TTL: -2 * time.Second, HasTTL: true, Detail: "origin-error"}, "Cacheward; hit; ttl=-2; detail=origin-error"},
		{"miss", Status{Fwd: "uri-miss", FwdStatus: 200, Stored: true, Collapsed: true, TTL: time.Minute, HasTTL: true}, "Cacheward; fwd=uri-miss; fwd-status=200; stored; collapsed; ttl=60"},
		{"bypass", Status{Fwd: "bypass", Detail: "param-bypass"}, "Cacheward; fwd=bypass; detail=param-bypass"},
		{"detail that is no token", Status{Fwd: "bypass", Detail: "a \"b\\\x00é"}, `Cacheward; fwd=bypass; detail="a \"b\\???"`},
		{"detail that begins with a digit", Status{Hit: true, Detail: "1a"}, `Cacheward; hit; detail="1a"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			tt.s.Append(h)
			if got := h.Get("Cache-Status"); got != tt.want {
				t.Errorf("\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestStatusIsAStructuredField(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z*][a-z0-9:/.-]{0,12}`))
	rapid.Check(t, func(t *rapid.T) {
		s := Status{
			Hit:       rapid.Bool().Draw(t, "hit"),
			Fwd:       rapid.SampledFrom([]string{"", "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"}).Draw(t, "fwd"),
			FwdStatus: rapid.IntRange(0, 999).Draw(t, "status"),
			TTL:       time.Duration(rapid.Int64().Draw(t, "ttl")),
			HasTTL:    rapid.Bool().Draw(t, "has ttl"),
			Stored:    rapid.Bool().Draw(t, "stored"),
			Collapsed: rapid.Bool().Draw(t, "collapsed"),
			Detail:    text.Draw(t, "detail"),
		}
		h := http.Header{"Cache-Status": {"Origin; hit, Shield; fwd=miss"}}
		s.Append(h)
		list, err := httpsfv.UnmarshalList(h["Cache-Status"])
		if err != nil || len(list) != 3 {
			t.Fatalf("%q: %d members, %v", h["Cache-Status"], len(list), err)
		}
		item, ok := list[2].(httpsfv.Item)
		if !ok || item.Value != httpsfv.Token("Cacheward") {
			t.Fatalf("the last member is %v", list[2])
		}
		want := map[string]any{}
		if s.Hit {
			want["hit"] = true
		} else {
			if s.Fwd != "" {
				want["fwd"] = httpsfv.Token(s.Fwd)
			}
			if s.FwdStatus != 0 {
				want["fwd-status"] = int64(s.FwdStatus)
			}
			if s.Stored {
				want["stored"] = true
			}
			if s.Collapsed {
				want["collapsed"] = true
			}
		}
		if s.HasTTL {
			want["ttl"] = int64(s.TTL / time.Second)
		}
		names := item.Params.Names()
		if len(names) > len(want)+1 {
			t.Fatalf("parameters %v, want %v", names, want)
		}
		for name, value := range want {
			if got, _ := item.Params.Get(name); got != value {
				t.Fatalf("%s is %v, want %v", name, got, value)
			}
		}
		detail, ok := item.Params.Get("detail")
		if ok != (s.Detail != "") {
			t.Fatalf("detail %v of %q", detail, s.Detail)
		}
		if token, isToken := detail.(httpsfv.Token); isToken && string(token) != s.Detail {
			t.Fatalf("detail is %q, want %q", token, s.Detail)
		}
	})
}

func BenchmarkStatusAppend(b *testing.B) {
	for name, s := range map[string]Status{
		"hit":  {Hit: true, TTL: time.Minute, HasTTL: true},
		"miss": {Fwd: "uri-miss", FwdStatus: 200, Stored: true, Detail: "not-explicit"},
	} {
		b.Run(name, func(b *testing.B) {
			h := http.Header{}
			b.ReportAllocs()
			for b.Loop() {
				delete(h, "Cache-Status")
				s.Append(h)
			}
		})
	}
}
