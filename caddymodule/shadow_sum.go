package caddymodule

import (
	"cmp"
	"encoding/binary"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/gate/harmless"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
)

// answerSum is a digest that two answers share if gate.Compare would find nothing that
// differs: of the status, the fields and the decoded body, without what is declared
// harmless and what compressing an answer changes. It has no Expires, which two answers
// have in common only by a tolerance, and of a declared place not who is shown in it.
func answerSum(status int, fields http.Header, body gate.Body, declared *harmless.Set) store.Key {
	s := summer{blake3.New()}
	s.number(status)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		lines := fields[name]
		switch name {
		case "Age", "Accept-Ranges", "Content-Encoding", "Content-Length", "Date", "Expires", "Via":
			continue
		case "Vary":
			names, _ := httpcache.VaryNames(fields)
			names = slices.Clone(names)
			slices.Sort(names)
			lines = slices.DeleteFunc(names, func(n string) bool { return n == "Accept-Encoding" })
		case "Etag":
			lines = []string{uncodedTag(lines, fields)}
		}
		if declared.Header(name, lines, lines) {
			lines = []string{""} // any value that is declared
		}
		if len(lines) == 0 {
			continue
		}
		s.text(name)
		s.number(len(lines))
		for _, line := range lines {
			s.text(line)
		}
	}
	s.body(fields.Get("Content-Type"), fields.Get("Content-Encoding"), body, declared)
	var sum store.Key
	s.Sum(sum[:0])
	return sum
}

// summer writes parts of an answer so that none can imitate another.
type summer struct{ *blake3.Hasher }

func (s summer) number(n int) {
	_, _ = s.Write(binary.AppendUvarint(nil, uint64(n))) // never fails
}

func (s summer) text(t string) {
	s.number(len(t))
	_, _ = s.WriteString(t)
}

func (s summer) bytes(b []byte) {
	s.number(len(b))
	_, _ = s.Write(b)
}

func (s summer) body(contentType, coding string, b gate.Body, declared *harmless.Set) {
	if b.Opaque {
		s.text(coding) // the same bytes of two codings are two bodies
	}
	if !b.Whole {
		s.number(int(b.Size))
		s.bytes(b.Sum[:])
		return
	}
	end := 0
	places := declared.Places(contentType, b.Kept)
	if len(places) == 0 { // as where it is not kept whole
		sum := blake3.Sum256(b.Kept)
		s.number(int(b.Size))
		s.bytes(sum[:])
		return
	}
	for _, p := range places {
		s.bytes(b.Kept[end:p.Start])
		s.number(p.Rule)
		end = p.End
	}
	s.bytes(b.Kept[end:])
}

// uncodedTag is an entity tag as it was before the answer was compressed, which servers
// tell by making it weak or by adding the coding's name to it (RFC 9110 §8.8.3.3).
func uncodedTag(lines []string, fields http.Header) string {
	tag := strings.Trim(strings.TrimPrefix(strings.Trim(strings.Join(lines, ", "), " \t"), "W/"), `"`)
	coding := strings.ToLower(strings.Trim(cmp.Or(fields.Get("Content-Encoding"), "identity"), " \t"))
	if base, found := strings.CutSuffix(tag, coding); found {
		for _, separator := range []string{"--", "-", ";", ":"} {
			if uncoded, found := strings.CutSuffix(base, separator); found {
				return uncoded
			}
		}
	}
	return tag
}
