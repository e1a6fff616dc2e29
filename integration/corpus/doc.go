// Package corpus asks whether the gate tells pages that can be shared from pages that
// cannot, on pages such as real applications make.
//
// Each file in pages is a template with two forms of one page: shareable, with all the
// things that look like state and are none, and per visitor, as a careless application
// makes it. An HTTP server renders them, and the cacheward binary stands before it with
// the mistaken rule of an operator who takes every page for shareable (ttl) and with
// one that leaves it to the origin, which says the same (once). Several visitors ask
// for every page.
//
// The tests hold the promise (nobody gets a value of somebody else), that what is
// refused is explained as pages_test.go expects, and that nothing shareable is refused.
// With -v they print a table of all pages. To add a page, write a template with
// {{if .PerVisitor}} in it and give it a line in pages_test.go; what a template can say
// is in view_test.go.
package corpus
