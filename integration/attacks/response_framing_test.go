package attacks

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// smuggled is a response that nobody asked for. Nobody may be given it as an answer.
const smuggledAnswer = "HTTP/1.1 200 OK\r\nX-Smuggled: §\r\nCache-Control: public, max-age=3600\r\nContent-Length: 7\r\n\r\nPOISON!"

const rawHead = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: public, max-age=3600\r\n"

// brokenMessages are answers of which it can be seen that they are not whole, or not
// what HTTP allows. Nobody may be led to believe that they have all of one.
var brokenMessages = []script{
	{name: "short of its length", raw: rawHead + "Content-Length: 100\r\n\r\n<p>§</p>"},
	{name: "short by one byte", raw: rawHead + "Content-Length: 5\r\n\r\n<p>x"},
	{name: "length and nothing", raw: rawHead + "Content-Length: 100\r\n\r\n"},
	{name: "no last chunk", raw: rawHead + "Transfer-Encoding: chunked\r\n\r\n8\r\n<p>page\n\r\n"},
	{name: "cut in a chunk", raw: rawHead + "Transfer-Encoding: chunked\r\n\r\n80\r\n<p>page"},
	{name: "cut in a chunk's length", raw: rawHead + "Transfer-Encoding: chunked\r\n\r\n8\r\n<p>page\n\r\n1"},
	{name: "no chunk at all", raw: rawHead + "Transfer-Encoding: chunked\r\n\r\n"},
	{name: "cut behind the last chunk", raw: rawHead + "Transfer-Encoding: chunked\r\n\r\n8\r\n<p>page\n\r\n0\r\n"},
	{name: "cut in a trailer", raw: rawHead + "Transfer-Encoding: chunked\r\n\r\n8\r\n<p>page\n\r\n0\r\nX-Sum: 1"},
	{name: "chunk length that is none", raw: rawHead + "Transfer-Encoding: chunked\r\n\r\nzz\r\n<p>page</p>\r\n0\r\n\r\n"},
	{name: "chunk length below nought", raw: rawHead + "Transfer-Encoding: chunked\r\n\r\n-8\r\n<p>page\n\r\n0\r\n\r\n"},
	{name: "chunk length that overflows", raw: rawHead + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n<p>page</p>\r\n0\r\n\r\n"},
	{name: "chunk that is too long", raw: rawHead + "Transfer-Encoding: chunked\r\n\r\n4\r\n<p>page</p>\r\n0\r\n\r\n"},
	{name: "chunk with an endless extension", raw: rawHead + "Transfer-Encoding: chunked\r\n\r\n8;" + strings.Repeat("a=b;", 40000) + "\r\n<p>page\n\r\n0\r\n\r\n"},
	{name: "two lengths", raw: rawHead + "Content-Length: 11\r\nContent-Length: 5\r\n\r\n<p>page</p>"},
	{name: "two lengths in a list", raw: rawHead + "Content-Length: 11, 5\r\n\r\n<p>page</p>"},
	{name: "length with a sign", raw: rawHead + "Content-Length: +11\r\n\r\n<p>page</p>"},
	{name: "length below nought", raw: rawHead + "Content-Length: -1\r\n\r\n<p>page</p>"},
	{name: "length in hexadecimal", raw: rawHead + "Content-Length: 0xb\r\n\r\n<p>page</p>"},
	{name: "length that overflows", raw: rawHead + "Content-Length: 99999999999999999999\r\n\r\n<p>page</p>"},
	{name: "length of words", raw: rawHead + "Content-Length: eleven\r\n\r\n<p>page</p>"},
	{name: "transfer coding that nobody knows", raw: rawHead + "Transfer-Encoding: x-odd\r\nContent-Length: 11\r\n\r\n<p>page</p>"},
	{name: "two transfer codings", raw: rawHead + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
	{name: "chunked twice", raw: rawHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{name: "chunked, spelt oddly", raw: rawHead + "Transfer-Encoding: xchunked\r\nContent-Length: 11\r\n\r\n<p>page</p>"},
	{name: "field without a colon", raw: rawHead + "Nonsense\r\nContent-Length: 11\r\n\r\n<p>page</p>"},
	{name: "field without a name", raw: rawHead + ": x\r\nContent-Length: 11\r\n\r\n<p>page</p>"},
	{name: "nul in a field", raw: rawHead + "X-A: a\x00b\r\nContent-Length: 11\r\n\r\n<p>page</p>"},
	{name: "head that ends", raw: "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=3600\r\nSet-Co"},
	{name: "not HTTP", raw: "220 mail.example ESMTP\r\n"},
	{name: "page without a head", raw: "<p>page §</p>"},
	{name: "nothing", raw: "\r\n"},
	{name: "status of two digits", raw: strings.Replace(rawHead, "200", "20", 1) + "Content-Length: 11\r\n\r\n<p>page</p>"},
	{name: "status of four digits", raw: strings.Replace(rawHead, "200", "2000", 1) + "Content-Length: 11\r\n\r\n<p>page</p>"},
	{name: "status of letters", raw: strings.Replace(rawHead, "200", "abc", 1) + "Content-Length: 11\r\n\r\n<p>page</p>"},
	{name: "1xx and nothing else", raw: "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"},
}

// doubtful are answers that some read in one way and some in another, or that have more
// behind them. They may be passed on.
var doubtful = []script{
	{name: "101 unasked", raw: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + smuggledAnswer},
	{name: "blank before the colon", raw: rawHead + "Content-Length : 11\r\n\r\n<p>page</p>"},
	{name: "length and chunks", kept: true, raw: rawHead + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n<p>page</p>\r\n0\r\n\r\n"},
	{name: "two equal lengths", kept: true, raw: rawHead + "Content-Length: 11\r\nContent-Length: 11\r\n\r\n<p>page</p>"},
	{name: "line feeds alone", kept: true, raw: strings.ReplaceAll(rawHead+"Content-Length: 11\r\n\r\n", "\r", "") + "<p>page</p>"},
	{name: "a carriage return in a field", kept: true, raw: rawHead + "X-A: a\rX-Smuggled: §\r\nContent-Length: 11\r\n\r\n<p>page</p>"},
	{name: "folded length", kept: true, raw: rawHead + "Content-Length:\r\n 11\r\n\r\n<p>page</p>"},
}

// unsolicited are whole answers with a second one behind them, for which nobody has asked.
var unsolicited = []script{
	{name: "a second answer", kept: true, raw: rawHead + "Content-Length: 11\r\n\r\n<p>page</p>" + smuggledAnswer},
	{name: "a second answer behind chunks", kept: true, raw: rawHead + "Transfer-Encoding: chunked\r\n\r\nb\r\n<p>page</p>\r\n0\r\n\r\n" + smuggledAnswer},
	{name: "a second answer behind 204", kept: true, raw: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n" + smuggledAnswer},
	{name: "a second answer behind 304", kept: true, raw: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" + smuggledAnswer},
	{name: "a second answer behind no length", kept: true, raw: rawHead + "Content-Length: 0\r\n\r\n" + smuggledAnswer},
	{name: "chunk extension with line feed", kept: true, raw: rawHead + "Transfer-Encoding: chunked\r\n\r\nb;a=\n<p>page</p>\r\n0\r\n\r\n" + smuggledAnswer},
	{name: "HTTP/1.0 that stays", kept: true, raw: strings.Replace(rawHead, "1.1", "1.0", 1) + "Connection: keep-alive\r\nContent-Length: 11\r\n\r\n<p>page</p>" + smuggledAnswer},
}

// echo is an answer by which it can be seen to which request it belongs.
func echo(q asked) script {
	return script{fields: []string{"Cache-Control: no-store", "Content-Type: text/plain"}, body: q.target}
}

// follow asks for pages behind others, some at a time, and finds answers that belong to
// something else.
func (w *ward) follow(path string, n int) (findings []string) {
	var group sync.WaitGroup
	answers := make([]*answered, n)
	few := make(chan struct{}, 4)
	for i := range n {
		group.Go(func() {
			few <- struct{}{}
			answers[i] = w.client.ask(visitor(i, fmt.Sprintf("%s?%d", path, i)))
			<-few
		})
	}
	group.Wait()
	for _, a := range answers {
		if a.header.Get("X-Smuggled") != "" || a.broken == nil && a.status == http.StatusOK && string(a.body) != a.visit.target {
			findings = append(findings, fmt.Sprintf("%s: another request's answer: %s", desync, a))
		} else if a.broken != nil || a.status != http.StatusOK {
			findings = append(findings, fmt.Sprintf("%s: %s", denial, a))
		}
	}
	return findings
}

// floods are heads without an end.
var floods = []script{
	{name: "endless head", raw: rawHead + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 12000) + "Content-Length: 11\r\n\r\n<p>page</p>"},
	{name: "flood of 1xx", raw: strings.Repeat("HTTP/1.1 103 Early Hints\r\nX-A: "+strings.Repeat("a", 1000)+"\r\n\r\n", 15000)},
}

// A head without an end is given up.
func testFloods(t *testing.T, w *ward) {
	for _, s := range floods {
		w.each(t, s.name, always(s), []string{onDuration, onOrigin}, func(t *testing.T, path string) {
			for n := range 2 {
				if a := w.client.ask(visitor(n, path)); a.broken == nil && a.status < 500 {
					t.Errorf("%s: %s", poison, a)
				}
			}
		})
	}
}

// What is broken is kept by nobody, and passed on only as broken.
func testBrokenMessages(t *testing.T, w *ward) {
	for _, s := range brokenMessages {
		w.each(t, s.name, always(s), everywhere, func(t *testing.T, path string) {
			answers := w.ask(path)
			for _, a := range answers {
				if a.broken == nil && a.status < 500 {
					t.Errorf("%s: the answer to %s was broken, and that is not to be seen: %s", poison, path, a)
				}
			}
			report(t, refused(answers))
			other := w.path(t, onNothing)
			w.origin.answer(other, echo)
			report(t, w.follow(other, 4))
		})
	}
}

// What was broken once is asked for again: visitors get the whole page, and the page is
// stored when it can be.
func testBrokenOnce(t *testing.T, w *ward) {
	right := script{fields: []string{permitted, htmlType}, body: "<h1>The page</h1>"}
	for _, bad := range brokenMessages {
		with := func(q asked) script {
			if q.nth == 1 {
				return bad
			}
			return right
		}
		w.each(t, bad.name, with, []string{onDuration, onTrusted, onOrigin}, func(t *testing.T, path string) {
			w.client.ask(visitor(0, path))
			answers := w.ask(path)
			report(t, denied(answers, http.StatusOK))
			for _, a := range answers {
				if a.broken == nil && a.content() != right.body {
					t.Errorf("%s: %s", poison, a)
				}
			}
		})
	}
}

// What can be read in two ways is read in one, and what follows gets its own answer.
func testDoubtfulMessages(t *testing.T, w *ward) {
	for _, s := range doubtful {
		w.each(t, s.name, always(s), everywhere, func(t *testing.T, path string) {
			for _, a := range w.ask(path) {
				if a.header.Get("X-Smuggled") != "" || string(a.body) == "POISON!" {
					t.Errorf("%s: an answer that nobody asked for: %s", desync, a)
				}
			}
			other := w.path(t, onNothing)
			w.origin.answer(other, echo)
			report(t, w.follow(other, 4))
		})
	}
}

// Behind an answer with a second one behind it, every request gets its own.
func testUnsolicitedAnswers(t *testing.T, w *ward) {
	for _, s := range unsolicited {
		w.each(t, s.name, always(s), everywhere, func(t *testing.T, path string) {
			other := w.path(t, onNothing)
			w.origin.answer(other, echo)
			for range 3 {
				for _, a := range w.ask(path) {
					if a.header.Get("X-Smuggled") != "" || string(a.body) == "POISON!" {
						t.Errorf("%s: an answer that nobody asked for: %s", desync, a)
					}
				}
				report(t, w.follow(other, 6))
			}
		})
	}
}
