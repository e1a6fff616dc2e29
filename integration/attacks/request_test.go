package attacks

import (
	"fmt"
	"slices"
	"strings"
)

// field is a header field as its sender writes it, faults and all.
type field struct{ name, value string }

// request is a message before it is written: nothing in it is checked, so that it can
// say what no client library would send.
type request struct {
	method, target string
	// version is what stands at the end of the request line. Empty: HTTP/1.1.
	version string
	fields  []field
	body    string
	// h2 has it sent over HTTP/2, without TLS and without an upgrade. list is the whole
	// header list then, if it is not what method, target and fields come to.
	h2   bool
	list []field
	// cut has the sender go away after the last byte, without waiting for an answer.
	cut bool
	// raw is the whole message, instead of everything above but cut.
	raw []byte
}

func (r *request) clone() *request {
	c := *r
	c.fields, c.list = slices.Clone(r.fields), slices.Clone(r.list)
	return &c
}

func (r *request) add(name, value string) { r.fields = append(r.fields, field{name, value}) }

// get is the value of the first field of that name.
func (r *request) get(name string) string {
	for _, f := range r.fields {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

// set replaces the fields of that name.
func (r *request) set(name, value string) {
	r.del(name)
	r.add(name, value)
}

func (r *request) del(name string) {
	r.fields = slices.DeleteFunc(r.fields, func(f field) bool { return strings.EqualFold(f.name, name) })
}

// parts cuts the target at its first ?.
func (r *request) parts() (path, query string) {
	path, query, _ = strings.Cut(r.target, "?")
	return path, query
}

// setPath replaces the path, setQuery the query, which may be empty: without ? then.
func (r *request) setPath(path string) {
	if _, query := r.parts(); query != "" {
		path += "?" + query
	}
	r.target = path
}

func (r *request) setQuery(query string) {
	r.target, _ = r.parts()
	if query != "" {
		r.target += "?" + query
	}
}

// bytes is the message as HTTP/1 has it.
func (r *request) bytes() []byte {
	if r.raw != nil {
		return r.raw
	}
	version := r.version
	if version == "" {
		version = "HTTP/1.1"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\r\n", r.method, r.target, version)
	for _, f := range r.fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f.name, f.value)
	}
	b.WriteString("\r\n")
	b.WriteString(r.body)
	return []byte(b.String())
}

// headerList is the message's head as HTTP/2 has it.
func (r *request) headerList() []field {
	if r.list != nil {
		return r.list
	}
	list := []field{
		{":method", r.method}, {":scheme", "http"}, {":authority", r.get("Host")}, {":path", r.target},
	}
	for _, f := range r.fields {
		if !strings.EqualFold(f.name, "Host") {
			list = append(list, field{strings.ToLower(f.name), f.value})
		}
	}
	return list
}

// String shows the message in a report, long values shortened.
func (r *request) String() string {
	if !r.h2 || r.raw != nil {
		return shorten(fmt.Sprintf("%q", r.bytes()))
	}
	var b strings.Builder
	b.WriteString("HTTP/2")
	for _, f := range r.headerList() {
		fmt.Fprintf(&b, " %q", f.name+": "+f.value)
	}
	if r.body != "" {
		fmt.Fprintf(&b, " DATA %q", r.body)
	}
	return shorten(b.String())
}

func shorten(s string) string {
	const most = 1500
	if len(s) <= most {
		return s
	}
	return fmt.Sprintf("%s … (%d bytes) … %s", s[:most/2], len(s), s[len(s)-most/4:])
}

// ambiguousFraming says whether the message could be taken for several, so that it is worth
// asking what the connection is good for afterwards.
func (r *request) ambiguousFraming() bool {
	if r.body != "" || r.raw != nil {
		return true
	}
	return slices.ContainsFunc(r.fields, func(f field) bool {
		name := strings.ToLower(strings.Trim(f.name, " \t"))
		return strings.ContainsAny(f.name+f.value, "\r\n\x00") ||
			name == "transfer-encoding" || name == "content-length" || name == "expect" || name == "upgrade"
	})
}
