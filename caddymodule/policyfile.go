package caddymodule

import (
	"path/filepath"
	"strings"
	"sync"
	"weak"

	"github.com/zeebo/blake3"

	"github.com/cacheward/cacheward/policies"
)

// policyFiles are the policy files that have been read, as long as anybody has their
// policies. A start reads each file twice, when the Caddyfile is adapted and when the
// handler is provisioned, and most reloads change something else.
var policyFiles = policyReader{read: make(map[policyText]weak.Pointer[policies.Policy])}

// maxUnused is how many bytes of files may have been read for a config that has not come
// into force, and perhaps never will.
const maxUnused = 8 << 20

// policyReader reads policy files, and the same text under the same name once. It is safe
// for concurrent use.
type policyReader struct {
	mu   sync.Mutex
	read map[policyText]weak.Pointer[policies.Policy]
	// unused are the policies that were read since a config came into force, and how
	// long their files are together: so long nobody else may have them.
	unused []*policies.Policy
	bytes  int
}

// policyText is the digest of a file's name, which is in what is said about its mistakes,
// and content.
type policyText [32]byte

func textOf(name string, data []byte) (sum policyText) {
	h := blake3.New()
	_, _ = h.WriteString(name + "\x00") // a hash takes everything
	_, _ = h.Write(data)
	h.Sum(sum[:0])
	return sum
}

// parse reads JSON from a file that is called so, and YAML from others. The policy is
// shared and not to be changed.
func (r *policyReader) parse(name string, data []byte) (*policies.Policy, error) {
	text := textOf(name, data)
	r.mu.Lock()
	p := r.read[text].Value()
	r.mu.Unlock()
	if p != nil {
		return p, nil
	}
	parse := policies.ParseYAML
	if strings.EqualFold(filepath.Ext(name), ".json") {
		parse = policies.ParseJSON
	}
	p, err := parse(name, data)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.read[text] = weak.Make(p)
	if r.bytes += len(data); r.bytes > maxUnused {
		r.unused, r.bytes = nil, len(data)
	}
	r.unused = append(r.unused, p)
	return p, nil
}

// inForce says that a config has come into force: what its handlers do not use, nobody
// will.
func (r *policyReader) inForce() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unused, r.bytes = nil, 0
	for text, p := range r.read {
		if p.Value() == nil {
			delete(r.read, text)
		}
	}
}
