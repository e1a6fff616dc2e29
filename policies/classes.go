package policies

import "slices"

// Class says what kind of thing differs between two answers of the origin. The set is
// closed; the words are an interface, as the reasons are.
type Class string

// The classes, most telling first.
const (
	// ClassReflected: a value of the visitor's own request that is not in the key.
	ClassReflected Class = "reflected-input"
	// ClassToken: a random value made for one request or one visitor.
	ClassToken Class = "token"
	// ClassCounter: a number that goes up.
	ClassCounter Class = "counter"
	// ClassVariant: one of a few bodies that recur, as in an A/B test.
	ClassVariant Class = "variant"
	// ClassPersonal: much of the page.
	ClassPersonal Class = "personalised"
	// ClassOrder: the same parts in another order.
	ClassOrder Class = "order"
	// ClassContent: other text.
	ClassContent Class = "content"
	// ClassClock: a date or time.
	ClassClock Class = "clock"
)

// ClassInfo is a class's entry in the catalogue, for whoever reads a record of it.
type ClassInfo struct {
	Class Class
	// Sentence says what differs, and what usually causes it.
	Sentence string
	// Advice says what to do about it.
	Advice string
	// OfVisitor says that what differs can be the state of one visitor.
	OfVisitor bool
}

// classes is the catalogue. Where several kinds of things differ, the first of them
// here is the one that is told.
var classes = []ClassInfo{
	{
		ClassReflected,
		"A value of the visitor's own request that is not in the key stands in their page: a parameter, a cookie, a header or the address, which the record names.",
		"Let the page not repeat it, or key the input if each of its values is to have a page of its own.",
		true,
	},
	{
		ClassToken,
		"A random value that each answer has anew: a CSRF token, a nonce, a session or request id, made when the page was rendered.",
		"Let a script fetch the token when it is needed, or move it into a cookie or an answer of its own that is not cached.",
		true,
	},
	{
		ClassCounter,
		"A number that goes up with each request: the page shows an id that was made when it was rendered; the request writes.",
		"Make the record when the visitor sends the form, not when the page is shown; look for an insert in the handler of the page.",
		true,
	},
	{
		ClassVariant,
		"One of a few bodies that come back again and again: an A/B test, one of several servers with another release, or a page that is made anew from time to time.",
		"Let the app decide on the variant by something that is in the key, or end the test on this page; compare the releases of the servers.",
		false,
	},
	{
		ClassPersonal,
		"Much of the page differs, or its status or content type does: it is made for whom it is sent to, or one answer is another page (a login, a block page, an error).",
		"Find out what the app recognises the visitor by; key it, let requests with it bypass, or fetch the personal part apart.",
		true,
	},
	{
		ClassOrder,
		"The same parts in another order: a shuffled list, a query without ORDER BY, or a map that is iterated over.",
		"Sort what is listed, or shuffle it in the browser.",
		false,
	},
	{
		ClassContent,
		"Other text, or a difference whose place is not known: a name, a quotation of the day, an advertisement, or a page that was changed between the two requests.",
		"Look at the place that the record names in two copies of the page; if it was a change of the page itself, the next try is admitted.",
		false,
	},
	{
		ClassClock,
		"A date, a time or a measured duration: the page says when, or how fast, it was made.",
		"Take it out of the page, or declare the place under ignore if nobody reads it.",
		false,
	},
}

// AllClasses lists the whole catalogue, most telling class first.
func AllClasses() []ClassInfo { return slices.Clone(classes) }

// Info returns the class's entry in the catalogue. For a word that is no class, the
// entry has only that word.
func (c Class) Info() ClassInfo {
	if rank := c.rank(); rank < len(classes) {
		return classes[rank]
	}
	return ClassInfo{Class: c}
}

// OfVisitor reports whether a difference of this class can be the state of one visitor.
// Of what is no class nothing is known, so it can. Where it cannot, as with a shuffled
// list, an A/B test or the pages of two releases, the page is not shareable either, but
// nobody was given anything of anybody's.
func (c Class) OfVisitor() bool {
	rank := c.rank()
	return rank == len(classes) || classes[rank].OfVisitor
}

// Outranks reports whether c tells more than other. What is no class tells nothing.
func (c Class) Outranks(other Class) bool { return c.rank() < other.rank() }

// rank is the class's place in the catalogue, and beyond its end for what is no class.
func (c Class) rank() int {
	for i := range classes {
		if classes[i].Class == c {
			return i
		}
	}
	return len(classes)
}
