package attribution

import (
	"net/http"
	"strings"
	"testing"
)

// TestNothingCostsNothing: a request that says nothing of who sent the visitor allocates
// nothing.
func TestNothingCostsNothing(t *testing.T) {
	fields := http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"}, "Sec-Purpose": {"navigate"}}
	for name, do := range map[string]func(){
		"reading nothing":           func() { Read("", "", host, utm, true, unpaid, noon) },
		"reading other parameters":  func() { Read("page=2&sort=price&&a", "", host, utm, true, unpaid, noon) },
		"reading the site's own":    func() { Read("", "https://shop.example/page?a=b", host, utm, true, unpaid, noon) },
		"stripping nothing":         func() { StripQuery("", utm) },
		"stripping none":            func() { StripQuery("page=2&sort=price&&a", utm) },
		"stripping all":             func() { StripQuery("ref=A1&utm_source=x", utm) },
		"prefetch":                  func() { Prefetch(fields) },
		"crawler":                   func() { Crawler(fields["User-Agent"][0]) },
		"merging the same":          func() { Merge("last", Touch{}, Touch{}, window, noon) },
		"a cookie that is too long": func() { NewCodec(nil).Open(tooLong, host, noon) },
	} {
		if n := testing.AllocsPerRun(100, do); n > 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

var tooLong = strings.Repeat("A", 1<<20)
