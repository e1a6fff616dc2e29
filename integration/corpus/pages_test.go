package corpus

import (
	"path"
	"strings"
)

// The kinds of routes and the forms of pages, as they stand in paths.
const (
	ttl  = "ttl"  // cache 5m: the operator takes it for shareable
	once = "once" // cache origin: the origin says so

	shareable  = "shareable"
	perVisitor = "per-visitor"
)

// page is an entry of the corpus: a template, how its application sends it, and what
// the gate is to say of the per-visitor form.
type page struct {
	file string
	// session is the application's session cookie.
	session string
	// compress: it is sent as gzip or br to who asks for it. stream: it is sent in
	// chunks as it is made, and is large. silent: without Cache-Control on the ttl
	// route.
	compress, stream, silent bool
	// small pages have less than 10 KiB, because in reality they have.
	small bool
	// anybodys: the per-visitor form differs, but has nothing of one visitor in it.
	anybodys bool

	// class, near and input are what the record of the divergence says, |-separated
	// where several would do. Empty: no name is near, and no input came back.
	class, near, input string
	// once is what is to be found in one answer.
	once sight
}

// sight is what can be seen in one answer of the origin to a canonical request: the id
// of a detector, or one of the words below.
type sight string

const (
	// clean: there is nothing of anybody in it, since nothing of a visitor reached the
	// application. It may be shared.
	clean sight = "clean"
	// unseen: there is something in it that was made for one request, and nothing in
	// one answer tells. Only corroboration does.
	unseen sight = "unseen"
)

// detector says whether the sight is a detector's id.
func (s sight) detector() bool { return s != clean && s != unseen }

// pages is the corpus, by what makes them.
var pages = []*page{
	// Frameworks.
	{file: "rails.html", session: "_shop_session", compress: true, class: "token", near: "meta csrf-token", once: "rails-authenticity-token"},
	{file: "django.html", session: "sessionid", silent: true, class: "token", near: "input csrfmiddlewaretoken", once: "django-csrf"},
	{file: "laravel.html", session: "laravel_session", compress: true, class: "token", near: "meta csrf-token", once: "laravel-csrf"},
	{file: "spring.html", session: "JSESSIONID", class: "token", near: "meta _csrf", once: "spring-csrf"},
	{file: "webforms.html", session: "ASP.NET_SessionId", silent: true, class: "token", near: "input __VIEWSTATE", once: "aspnet-viewstate"},
	{file: "razor.html", session: ".AspNetCore.Session", compress: true, class: "token", near: "input __RequestVerificationToken", once: "aspnet-antiforgery"},
	{file: "wordpress.html", session: "wp_woocommerce_session_1f3a", silent: true, class: "token", near: "nonce", once: "wordpress-nonce"},
	{file: "nextjs.html", session: "__Secure-next-auth.session-token", compress: true, class: "token", near: "id|token", once: "next-data-user"},
	{file: "nuxt.html", session: "auth.sid", class: "token", near: "id|token", once: "nuxt-user"},
	{file: "express.html", session: "connect.sid", silent: true, class: "token", near: "input _csrf", once: "express-csrf"},
	{file: "symfony.html", session: "PHPSESSID", compress: true, class: "token", near: "input registration[_token]|input registration__token", once: "symfony-csrf"},
	{file: "phoenix.html", session: "_storefront_key", class: "token", near: "meta csrf-token", once: "liveview-session"},

	// Plain PHP.
	{file: "php-lead.html", session: "PHPSESSID", silent: true, class: "counter", near: "input lead", once: unseen},
	{file: "php-links.html", session: "PHPSESSID", silent: true, class: "reflected-input", near: "a href", input: "cookie PHPSESSID", once: "php-session-link"},
	{file: "php-greeting.html", session: "PHPSESSID", silent: true, class: "content|personalised", once: clean},

	// Data.
	{file: "bootstrap.json", session: "sid", class: "token", near: "$.csrfToken|csrfToken", once: "script-csrf-token"},
	{file: "graphql.json", session: "sid", compress: true, class: "token", near: "$.data.viewer.id|id", once: "graphql-viewer"},
	{file: "jsonp.js", session: "sid", silent: true, class: "reflected-input", input: "param callback", once: clean},
	{file: "feed.rss", session: "sid", silent: true, anybodys: true, class: "clock", near: "lastbuilddate|lastBuildDate", once: unseen},
	{file: "sitemap.xml", session: "JSESSIONID", compress: true, class: "reflected-input", near: "loc", input: "cookie JSESSIONID", once: "jsessionid-link"},
	{file: "soap.xml", session: "sid", small: true, class: "token", near: "wsa:messageid|wsa:MessageID", once: unseen},

	// Ways to differ.
	{file: "stream.html", session: "sid", stream: true, class: "token", near: "input csrf_token", once: "csrf-field"},
	{file: "experiment.html", session: "sid", anybodys: true, class: "variant|content|personalised", once: unseen},
	{file: "order.html", session: "sid", silent: true, anybodys: true, class: "order", once: unseen},
	{file: "clock.html", session: "sid", compress: true, anybodys: true, class: "clock", near: "comment", once: unseen},
	{file: "nonce.html", session: "sid", class: "token", near: "script nonce", once: "csp-nonce"},
	{file: "agent.html", session: "sid", compress: true, anybodys: true, class: "content|personalised", once: clean},
	{file: "hydration.html", session: "sid", silent: true, class: "token", near: "id|token", once: "initial-state-user"},

	// Inputs of the visitor that come back.
	{file: "cookie.html", session: "sid", class: "reflected-input", near: "input source", input: "cookie lead_source", once: clean},
	{file: "referer.html", session: "sid", compress: true, class: "reflected-input", near: "input came_from", input: "header Referer", once: clean},
	{file: "address.html", session: "sid", silent: true, class: "reflected-input", near: "span address", input: "address|header X-Forwarded-For", once: clean},
	{file: "param.html", session: "sid", compress: true, class: "reflected-input", near: "input ref", input: "param ref", once: clean},
}

// name is the page's in paths.
func (p *page) name() string { return strings.TrimSuffix(p.file, path.Ext(p.file)) }

// path is where the edge has the page, and route what its route there is called.
func (p *page) path(kind, form string) string  { return "/" + kind + "/" + p.name() + "/" + form }
func (p *page) route(kind, form string) string { return kind + "-" + p.name() + "-" + form }

func pageNamed(name string) *page {
	for _, p := range pages {
		if p.name() == name {
			return p
		}
	}
	return nil
}
