package conformance

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"time"
)

// addition is a test that the pinned release of the public suite does not have.
type addition struct {
	id, kind  string
	section   string // the RFC's
	asks      string
	dependsOn []string
	answers   []answer // the origin's, in order
	visits    []visit  // the visitor's, one after the other
	// reaches, if given, is the method of the last request that must have reached
	// the origin, and how many must have.
	reaches      string
	reachesTimes int
}

// visit is one request of the visitor's, and what it must get. The first visit sets
// the test up: if it gets something else, nothing is said about the rest.
type visit struct {
	after  time.Duration
	method string // GET if not given
	fields fields

	from    int // the number of the origin's answer that it must be
	notFrom int // or must not be
	interim []interim
	check   func(r *received) error
}

// received is what the visitor got.
type received struct {
	*http.Response
	body    string
	interim []interim
}

// addedRun is what became of an addition.
type addedRun struct {
	found    finding
	exchange string
}

func (a addition) question() question {
	return question{
		ID: a.id, Kind: a.kind, DependsOn: a.dependsOn,
		Name:   a.asks + " (" + a.section + ")",
		Family: "the present suite's additions",
	}
}

// additions returns all of them. Some have dates in them: they are to be run at once.
func additions() []addition {
	return slices.Concat(targetedAdditions(), interimAdditions(), ageAdditions(), staleAdditions(), updateAdditions())
}

// runAdditions runs all additions side by side; most of them wait for something to
// become stale.
func runAdditions(ctx context.Context, added []addition, o *origin, proxy string) map[string]addedRun {
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: len(added)}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: patience}

	var mu sync.Mutex
	runs := map[string]addedRun{}
	var all sync.WaitGroup
	for _, a := range added {
		all.Go(func() {
			var log strings.Builder
			found := a.run(ctx, client, o, proxy, &log)
			for i, request := range o.requests("/" + a.id) {
				fmt.Fprintf(&log, "=== Request %d at the origin: %s\n", i+1, request)
			}
			mu.Lock()
			defer mu.Unlock()
			runs[a.id] = addedRun{found, log.String()}
		})
	}
	all.Wait()
	return runs
}

func (a addition) run(ctx context.Context, client *http.Client, o *origin, proxy string, log io.Writer) finding {
	for i, v := range a.visits {
		class := "Assertion"
		if i == 0 {
			class = "Setup"
		}
		time.Sleep(v.after)
		r, err := v.make(ctx, client, "http://"+proxy+"/"+a.id, log)
		if err != nil {
			return &complaint{class, fmt.Sprintf("visit %d: %v", i+1, err)}
		}
		if err := v.judge(r); err != nil {
			// What is asked of the first visit's fields is part of the question.
			if err, asked := err.(askedError); asked {
				return &complaint{"Assertion", fmt.Sprintf("visit %d: %v", i+1, err)}
			}
			return &complaint{class, fmt.Sprintf("visit %d: %v", i+1, err)}
		}
	}
	if a.reaches != "" {
		requests := o.requests("/" + a.id)
		method, _, _ := strings.Cut(requests[len(requests)-1], " ")
		if len(requests) != a.reachesTimes || method != a.reaches {
			return &complaint{"Assertion", fmt.Sprintf("%d requests reached the origin, the last a %s; want %d, and %s",
				len(requests), method, a.reachesTimes, a.reaches)}
		}
	}
	return nil
}

// askedError is a finding about what a test asks, even on its first visit.
type askedError struct{ error }

// make sends the request and reads the response, both into the transcript.
func (v visit) make(ctx context.Context, client *http.Client, url string, log io.Writer) (*received, error) {
	r := new(received)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(status int, header textproto.MIMEHeader) error {
			early := interim{status: status}
			for name, values := range header {
				for _, value := range values {
					early.fields = append(early.fields, name, value)
				}
			}
			r.interim = append(r.interim, early)
			return nil
		},
	})
	req, err := http.NewRequestWithContext(ctx, cmp.Or(v.method, http.MethodGet), url, nil)
	if err != nil {
		return nil, err
	}
	v.fields.each(req.Header.Add)
	fmt.Fprintf(log, "=== Visitor: %s %s, after %s\n%s\n", req.Method, req.URL.Path, v.after, lines(req.Header))
	r.Response, err = client.Do(req)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.body = string(body)
	for _, early := range r.interim {
		fmt.Fprintf(log, "=== Interim response: %d %q\n", early.status, early.fields)
	}
	fmt.Fprintf(log, "=== Response: %s\n%s    %q\n\n", r.Status, lines(r.Header), r.body)
	return r, nil
}

// judge compares the response with what the visit must get.
func (v visit) judge(r *received) error {
	is := func(n int) bool {
		if r.Request.Method == http.MethodHead {
			return r.Header.Get(answerField) == fmt.Sprint(n)
		}
		return r.body == bodyOf(n)
	}
	if v.from != 0 && !is(v.from) {
		return fmt.Errorf("not the origin's answer %d, but %s %q (%s: %s)", v.from, r.Status, r.body, answerField, r.Header.Get(answerField))
	}
	if v.notFrom != 0 && is(v.notFrom) {
		return fmt.Errorf("the origin's answer %d again", v.notFrom)
	}
	if !slices.EqualFunc(v.interim, r.interim, sameInterim) {
		return askedError{fmt.Errorf("interim responses %v, want %v", r.interim, v.interim)}
	}
	if v.check != nil {
		if err := v.check(r); err != nil {
			return askedError{err}
		}
	}
	return nil
}

// sameInterim reports whether an interim response arrived with all its fields.
func sameInterim(want, got interim) bool {
	same := want.status == got.status
	want.fields.each(func(name, value string) {
		for i := 0; i+1 < len(got.fields); i += 2 {
			if got.fields[i] == name && got.fields[i+1] == value {
				return
			}
		}
		same = false
	})
	return same
}
