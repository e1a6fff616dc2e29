package load

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// No client of a herd is answered before all have asked: the server waits for the last.
func TestAHerdAsksAtOnce(t *testing.T) {
	const n = 50
	var all sync.WaitGroup
	all.Add(n)
	addr := site(t, func(w http.ResponseWriter, r *http.Request) {
		all.Done()
		all.Wait()
		w.Header().Set("X-Client", r.URL.Path)
		if strings.HasSuffix(r.URL.Path, "7") {
			_, _ = io.WriteString(w, "their own "+r.Header.Get("Cookie"))
			return
		}
		_, _ = io.WriteString(w, "the same")
	})
	answers, err := Herd(t.Context(), addr, n, func(i int) Target {
		return Target{URI: fmt.Sprintf("/%d", i), Fields: append(Browser(), Field{"Cookie", fmt.Sprint(i)})}
	})
	if err != nil || len(answers) != n {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	for i, a := range answers {
		want := "the same"
		if i%10 == 7 {
			want = fmt.Sprintf("their own %d", i)
		}
		if a.Err != nil || a.Status != 200 || a.Bytes != len(want) || a.Digest != sha256.Sum256([]byte(want)) || a.Latency <= 0 ||
			!strings.Contains(a.Head, fmt.Sprintf("X-Client: /%d\r\n", i)) {
			t.Errorf("client %d: %+v", i, a)
		}
	}
}

func TestAHerdReportsEachFailure(t *testing.T) {
	addr := serve(t, func(w *wire, n int) {
		r := w.request()
		if r != nil && r.URL.Path != "/1" {
			_, _ = io.WriteString(w, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	answers, err := Herd(t.Context(), addr, 3, func(i int) Target { return Target{URI: fmt.Sprintf("/%d", i)} })
	if err != nil {
		t.Fatal(err)
	}
	var e *Error
	if !errors.As(answers[1].Err, &e) || e.Kind != Dropped || answers[1].Status != 0 {
		t.Errorf("client 1: %+v", answers[1])
	}
	if answers[0].Err != nil || answers[2].Err != nil {
		t.Errorf("%v, %v", answers[0].Err, answers[2].Err)
	}
}

func TestAHerdWithoutAServer(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	if answers, err := Herd(t.Context(), gone.Listener.Addr().String(), 2, get("/")); err == nil || answers != nil {
		t.Errorf("%v, %v", answers, err)
	}
}

func TestAHerdEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	addr := site(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	answers, err := Herd(ctx, addr, 2, get("/"))
	if err != nil || len(answers) != 2 || answers[0].Err == nil || answers[1].Err == nil {
		t.Errorf("%+v, %v", answers, err)
	}
}
