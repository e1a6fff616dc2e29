package main

import (
	"fmt"
	"io"
	"net/http"
	"time"
)

func encodedScenarios() []scenario {
	return []scenario{{"encoded", "hits that are compressed", encoded}}
}

// encoded compares hits that go out compressed with those that do not, of one edge whose
// encode stands in front.
func encoded(b *bench, name string) error {
	for _, size := range []int{4 << 10, 64 << 10} {
		e, err := b.startEdge("cacheward", nil, "", "\tencode\n"+b.wards(shopPolicy+"encode zstd br gzip"))
		if err != nil {
			return err
		}
		t := traffic{paths: []string{pagePath(size, kindShared, 0)}, address: e.addresses[0]}
		if err := b.store(t.address, t.paths); err != nil {
			return err
		}
		plain := lane{name: "the same hit, not compressed", proc: e.process, traffic: t, bar: 1.15}
		for _, coding := range []string{"gzip", "zstd", "br"} {
			if coding == "br" && size > 4<<10 && b.quick {
				continue
			}
			t.headers = []string{"Accept-Encoding: " + coding}
			got, err := contentCoding(t.address, t.paths[0], coding)
			if err != nil {
				return err
			}
			if got != coding {
				b.report(result{Name: name, What: fmt.Sprintf("hit, %d KiB of HTML, %s", size>>10, coding), Unit: "–", Err: fmt.Sprintf("the answer's coding was %q", got)})
				continue
			}
			if err := b.row(name, fmt.Sprintf("hit, %d KiB of HTML, %s", size>>10, coding), lane{name: coding, proc: e.process, traffic: t}, plain); err != nil {
				return err
			}
		}
		e.stop()
	}
	return nil
}

// contentCoding asks for a page until the coded form, which is made when it is first asked
// for, has had the time to be there, and returns the coding that it came in.
func contentCoding(address, path, coding string) (got string, err error) {
	for range 50 {
		req, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			return "", err
		}
		req.Header.Set("Accept-Encoding", coding)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil {
			return "", err
		}
		got = res.Header.Get("Content-Encoding")
		time.Sleep(10 * time.Millisecond)
	}
	return got, nil
}
