package load

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"
)

// Answer is what one client of a Herd got.
type Answer struct {
	Status  int
	Head    string            // from the status line to the last field; see Response
	Bytes   int               // of the body
	Digest  [sha256.Size]byte // of the body: equal ones are the same page
	Latency time.Duration     // from the moment to when the answer was complete, or failed to come
	Err     error             // an *Error if there was no complete answer
}

// Herd has n clients, each on a connection of its own that is already open, send their
// requests in one moment, and returns the answers in the clients' order. The request
// function is called n times, one after the other, before that moment. An exchange may
// take 30 seconds. The error is of opening the connections; what fails later is in the
// answers. When the context ends, so do the requests.
func Herd(ctx context.Context, addr string, n int, request func(client int) Target) ([]Answer, error) {
	clients := make([]*client, 0, n)
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	methods := make([]string, n)
	for i := range n {
		c := newClient(addr, 0, true)
		if err := c.open(ctx, time.Now().Add(c.timeout)); err != nil {
			return nil, fmt.Errorf("load: client %d: %w", i, err)
		}
		clients = append(clients, c)
		t := request(i)
		c.prepare(&t)
		methods[i] = t.method()
	}
	var moment time.Time
	answers := make([]Answer, n)
	start := make(chan struct{})
	var ready, all sync.WaitGroup
	ready.Add(n)
	for i, c := range clients {
		all.Go(func() {
			ready.Done()
			<-start
			err := c.exchange(ctx, methods[i])
			answers[i] = Answer{Latency: time.Since(moment), Err: err}
		})
	}
	ready.Wait()
	moment = time.Now()
	close(start)
	all.Wait()
	// Digests are made after the last answer, so that they keep no client waiting.
	for i, c := range clients {
		if a := &answers[i]; a.Err == nil {
			r := &c.reader.response
			a.Status, a.Head, a.Bytes, a.Digest = r.Status, string(r.Head), len(r.Body), sha256.Sum256(r.Body)
		}
	}
	return answers, nil
}
