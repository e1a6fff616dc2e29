package gate

import (
	"slices"
	"testing"

	"github.com/cacheward/cacheward/policies"
)

func TestTypeAgainstExtension(t *testing.T) {
	tests := []struct {
		path, contentType string
		contradicts       bool
	}{
		// web cache deception (attacks 8.1)
		{"/account/x.css", "text/html", true},
		{"/account/x.css", "Text/HTML; charset=utf-8", true},
		{"/account/.js", "text/html", true},
		{"/account/x.JS", "text/html", true},
		{"/account/x.css;y", "text/html", true},
		{"/api/session/x.avif", "application/json", true},
		{"/api/session/x.js", "application/json", true},
		{"/api/session/x.js", "application/problem+json", true},
		{"/account/robots.txt", "text/html", true},
		{"/account/x.zip", "application/json", true},
		{"/account/x.doc", "application/xhtml+xml", true},
		{"/account/x.xml", "application/xhtml+xml", true},
		{"/account/x.html", "application/json", true},
		{"/account/x.json", "text/html", true},
		{"/account/x.pdf", "text/html", true},
		{"/x.css", "", true},
		{"/x.css", "css", true},
		{"/x.css", "text/plain", true},
		{"/x.svg", "image/png", true},

		// what is what it says
		{"/x.css", "text/css", false},
		{"/x.js", "application/javascript; charset=utf-8", false},
		{"/x.mjs", "text/javascript", false},
		{"/x.png", "image/webp", false},
		{"/x.svg", "image/svg+xml", false},
		{"/favicon.ico", "image/vnd.microsoft.icon", false},
		{"/x.woff2", "font/woff2", false},
		{"/x.woff2", "application/octet-stream", false},
		{"/x.ttf", "application/x-font-ttf", false},
		{"/x.mp4", "video/mp4", false},
		{"/x.pdf", "application/pdf", false},
		{"/x.json", "application/json", false},
		{"/x.json", "application/geo+json", false},
		{"/x.xml", "application/rss+xml", false},
		{"/robots.txt", "text/plain", false},
		{"/index.html", "text/html", false},
		{"/x.tar.gz", "application/gzip", false},
		{"/manifest.webmanifest", "application/manifest+json", false},

		// paths that promise nothing
		{"/", "text/html", false},
		{"/", "", false},
		{"/v1.2/users", "application/json", false},
		{"/x.css/", "text/html", false},
		{"/user.name", "text/html", false},
		{"css", "text/html", false},
	}
	for _, tt := range tests {
		t.Run(tt.path+" "+tt.contentType, func(t *testing.T) {
			r := with(operatorRules(), func(r *Rules) { r.Path = tt.path })
			h := header()
			if tt.contentType != "" {
				h.Set("Content-Type", tt.contentType)
			}
			got := slices.Contains(Check(Head{Status: 200, Header: h}, r), policies.ReasonTypeContradicts)
			if got != tt.contradicts {
				t.Errorf("contradicts = %v, want %v", got, tt.contradicts)
			}
		})
	}
}

// The page that says "not found" is no style sheet and does not claim to be one.
func TestTypeOfErrorsIsFree(t *testing.T) {
	r := with(operatorRules(), func(r *Rules) {
		r.Path = "/x.css"
		r.Statuses = func(status int) bool { return status == 404 }
	})
	if got := Check(Head{Status: 404, Header: header("Content-Type", "text/html")}, r); got != nil {
		t.Errorf("Check() = %v, want nothing", got)
	}
}
