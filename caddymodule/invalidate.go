package caddymodule

import (
	"net/http"
	"net/url"
	"strings"

	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/fleet"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// tags are what a stored response can be invalidated by: its URI, the groups that
// it is in (RFC 9875 §2) and the tags that the origin gave it. They are not ok when
// there are more than can be indexed.
func tags(j *job, head http.Header) ([]store.Tag, bool) {
	named, ok := httpcache.TagsFor(head, j.rule.Profile)
	if !ok {
		return nil, false
	}
	all := []store.Tag{uriTag(j.parts)}
	for _, group := range httpcache.Groups(head) {
		all = append(all, groupTag(j.parts.Scheme, j.parts.Host, group))
	}
	for _, name := range named {
		all = append(all, store.TagOf(store.TagName, name))
	}
	return all, true
}

func uriTag(p *policies.Parts) store.Tag { return store.TagOf(store.TagURI, string(p.AppendURI(nil))) }

// groupTag is a group of one origin: another origin's groups are others (RFC 9875 §2).
func groupTag(scheme, host, group string) store.Tag {
	return store.TagOf(store.TagGroup, scheme+"://"+host+"\x00"+group)
}

// changes says whether the answer to the visitor's own request may have changed what
// is stored (RFC 9111 §4.4): the method is not known to be safe, and it succeeded.
func changes(method string, status int) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return false
	}
	return status >= 200 && status < 400
}

// changed is told of the head of the answer to the visitor's own request.
func (x *exchange) changed(status int, answer http.Header) {
	if changes(x.r.Method, status) {
		x.invalidate(answer)
	}
}

// invalidate drops what the visitor's request has changed: its own URI, and those
// that the answer names, on the same origin only. It does so before the answer
// goes out, so that nobody who has seen it is given what was before it.
func (x *exchange) invalidate(answer http.Header) {
	x.invalidateURI(x.req.EscapedPath, x.req.RawQuery)
	for _, name := range [...]string{"Location", "Content-Location"} {
		for _, line := range answer[name] {
			if u := x.sameOrigin(line); u != nil {
				x.invalidateURI(u.EscapedPath(), u.RawQuery)
			}
		}
	}
	for _, group := range httpcache.GroupInvalidations(answer) {
		x.drop(groupTag(x.req.Scheme, x.req.Host, group))
	}
}

func (x *exchange) invalidateURI(escapedPath, rawQuery string) {
	if parts, stored := x.h.policy.Stored(x.req.Scheme, x.req.Host, escapedPath, rawQuery); stored {
		x.drop(uriTag(&parts))
	}
}

// sameOrigin resolves a reference in the answer, and returns nil for one that leads
// to another origin: nobody can invalidate what is not theirs.
func (x *exchange) sameOrigin(reference string) *url.URL {
	base := &url.URL{Scheme: x.req.Scheme, Host: x.req.Host, Path: x.req.Path, RawPath: x.req.EscapedPath}
	u, err := base.Parse(reference)
	if err != nil || u.User != nil || u.Opaque != "" || u.Scheme != x.req.Scheme || !strings.EqualFold(u.Host, x.req.Host) {
		return nil
	}
	return u
}

func (x *exchange) drop(tag store.Tag) {
	n, err := x.h.shared.store.Invalidate(tag)
	if err != nil {
		x.h.recordFault(x.ruleName(), policies.ReasonStoreFault, err)
		return
	}
	x.h.tellFleet(fleet.Event{Kind: fleet.KindInvalidate, Selection: store.Selection{Tag: &tag}})
	if n > 0 {
		x.h.logger.Debug("an unsafe request has invalidated stored responses",
			zap.String("method", x.req.Method), zap.String("path", x.req.EscapedPath), zap.Int("objects", n))
	}
}
