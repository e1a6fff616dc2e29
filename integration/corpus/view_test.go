package corpus

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// view is what a page's template is rendered with: one request. What it makes for one
// visitor or one request is noted in the origin's book, so that the test can look for
// it in what others got. What it repeats of the request is in visitors_test.go.
type view struct {
	// PerVisitor chooses the form.
	PerVisitor bool

	page   *page
	origin *origin
	r      *http.Request
	header http.Header
	fresh  map[string]string // by label
}

// SetHeader sets a field of the response. It is empty in the page.
func (v *view) SetHeader(name, value string) string {
	v.header.Set(name, value)
	return ""
}

// Static is a value that everybody gets, such as a hash of a file.
func (v *view) Static(label, shape string) string { return derived(v.page.file+" "+label, shape) }

// Fresh is a value made for this request. A label has one value in a request.
func (v *view) Fresh(label, shape string) string {
	if value, made := v.fresh[label]; made {
		return value
	}
	value := random(shape)
	v.origin.book.note(v.page, value, true)
	v.fresh[label] = value
	return value
}

// Session is a value kept in the visitor's session. Who has none gets a new one.
func (v *view) Session(label, shape string) string {
	id := v.Cookie(v.page.session)
	if id == "" {
		return v.Fresh(label, shape)
	}
	value := derived(v.page.file+" "+label+" "+id, shape)
	v.origin.book.note(v.page, value, false)
	return value
}

// SessionID is the visitor's, or a new one.
func (v *view) SessionID(shape string) string {
	if id := v.Cookie(v.page.session); id != "" {
		return id
	}
	return v.Fresh("session id", shape)
}

// Person is the name of whom the session belongs to; empty if there is none.
func (v *view) Person() string {
	id := v.Cookie(v.page.session)
	for _, visitor := range visitors {
		if id != "" && visitor.session == id {
			return visitor.name
		}
	}
	return ""
}

// Param is the value of a query parameter, or what everybody gets who does not send it.
func (v *view) Param(name, otherwise string) string {
	if value := v.r.URL.Query().Get(name); value != "" {
		return value
	}
	return otherwise
}

// Cookie is the value of a cookie.
func (v *view) Cookie(name string) string {
	c, err := v.r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// Referer is where the visitor says that they come from.
func (v *view) Referer() string { return v.r.Referer() }

// Address is the visitor's, as the proxies before the origin tell it.
func (v *view) Address() string {
	address, _, _ := strings.Cut(v.r.Header.Get("X-Forwarded-For"), ",")
	return strings.TrimSpace(address)
}

// Counter is a number that goes up with each request of any page.
func (v *view) Counter() string {
	if v.fresh["counter"] == "" {
		v.fresh["counter"] = fmt.Sprint(firstLead + v.origin.leads.Add(1))
		v.origin.book.note(v.page, v.fresh["counter"], true)
	}
	return v.fresh["counter"]
}

// firstLead is large, so that its digits are not in a page by chance.
const firstLead = 84_201_000

// Mobile says whether the visitor's browser is a telephone's.
func (v *view) Mobile() bool { return strings.Contains(v.r.UserAgent(), "Mobile") }

// Bucket is the visitor's group in an experiment: whoever comes joins the next one.
func (v *view) Bucket() string { return []string{"a", "b"}[v.origin.turns.Add(1)%2] }

// Now is when the page is made, in the given layout. No two requests come at the same
// second, so that a page with the time in it always shows that it has.
func (v *view) Now(layout string) string {
	looks := time.Duration(v.origin.looks.Add(1))
	return time.Date(2027, 3, 1, 8, 0, 0, 0, time.UTC).Add(looks * time.Second).Format(layout)
}

// Products are the first n articles.
func (v *view) Products(n int) []product { return v.origin.products[:n] }

// Rotated are Products that begin with another one in each request.
func (v *view) Rotated(n int) []product {
	at := int(v.origin.turns.Add(1)) % n
	return slices.Concat(v.origin.products[at:n], v.origin.products[:at])
}

// Kept renders a part of the page that is always the same, once for all requests.
func (v *view) Kept(part string, data any) (string, error) {
	if text, made := v.origin.kept.Load(part); made {
		return text.(string), nil
	}
	var b strings.Builder
	if err := v.origin.templates.ExecuteTemplate(&b, part, data); err != nil {
		return "", err
	}
	v.origin.kept.Store(part, b.String())
	return b.String(), nil
}
