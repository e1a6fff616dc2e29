package load

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"
)

func TestARequestOnTheWire(t *testing.T) {
	for _, tt := range []struct {
		target Target
		want   string
	}{
		{Target{URI: "/a?b=c"}, "GET /a?b=c HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n"},
		{Target{Method: "HEAD", URI: "/", Host: "example.com", Fields: []Field{{"A", "b"}, {"a", "c"}}},
			"HEAD / HTTP/1.1\r\nHost: example.com\r\nA: b\r\na: c\r\n\r\n"},
	} {
		if got := string(tt.target.append(nil, "127.0.0.1:80")); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestTheBrowsersFields(t *testing.T) {
	target := Target{URI: "/", Fields: append(Browser(), Field{"Cookie", "a=b"})}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(target.append(nil, "example.com"))))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Header) != len(browser)+1 { // no name twice
		t.Errorf("%d fields: %v", len(r.Header), r.Header)
	}
	if fields := Browser(); &fields[0] == &browser[0] {
		t.Error("the fields are shared")
	}
}
