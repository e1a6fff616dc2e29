package policytest

import "github.com/cacheward/cacheward/policies"

// Suffix is how the name of a test file ends.
const Suffix = ".cachetest.yaml"

// File is a file of tests, all of one policy.
type File struct {
	// Name is the file's, as it was asked for.
	Name string
	// Policy is the file of the policy (YAML, JSON or a Caddyfile), relative to this one.
	Policy Text
	// Site is one of the hosts of the site whose policy is meant, where a Caddyfile has
	// several. May be empty.
	Site Text
	// Base is what stands before URLs that begin with a slash: https://example.com.
	Base Text
	// Requests are those that tests name.
	Requests []Request
	Tests    []Test
}

// Text is a word of the file and its place.
type Text struct {
	Value string
	Pos   policies.Position
}

// Test is what has to hold for one or more requests.
type Test struct {
	// Name is unique in the file.
	Name Text
	// Requests are judged one by one; each has to meet the expectations.
	Requests []Request
	// Response is what the origin answers to the canonical request. May be nil.
	Response *Response
	// OwnResponse is what it answers to the visitor's own request, which a corroborated
	// route compares with the other. Nil: the same.
	OwnResponse *Response
	Expect      Expect
}

// Request is what a visitor sends.
type Request struct {
	// Name is what other tests know the request by. Empty for one that stands in a test
	// and is known by the test's name.
	Name Text
	// Method is GET if not given.
	Method string
	URL    Text
	// Headers and Cookies in the order of the file. Names may repeat.
	Headers, Cookies []Pair
	// Address is the visitor's. May be empty.
	Address Text
}

// Pair is a name and its value.
type Pair struct {
	Name  Text
	Value string
}

// Response is what the origin answers.
type Response struct {
	Pos     policies.Position
	Status  int
	Headers []Pair
	Body    string
	// BodyFile is a file with the body, relative to the test file. Empty: Body is it.
	BodyFile Text
}

// Expect is what has to hold. What is not given is not looked at.
type Expect struct {
	Pos policies.Position
	// Route is a route's name, or "default".
	Route *Text
	// Action is cache, bypass or deny.
	Action *Text
	// Reasons are all that the request has for not being looked up, in any order.
	Reasons *Words
	// Params, Cookies and Headers are the dispositions of the request's inputs.
	Params, Cookies, Headers []Pair
	// SameKeyAs and OtherKeyThan name requests of the file: what they are given may, or
	// may not, come from the same stored object.
	SameKeyAs, OtherKeyThan []Text
	Canonical               *Canonical
	// Attribution is what the edge makes of a landing.
	Attribution *Attribution
	// Delivers is how the app is told who sent the visitor: header, query or form-cookie;
	// none where it is not, whatever the visitor carries.
	Delivers *Text
	// Stored says whether the response is admitted: true or false.
	Stored *Text
	// Refused are all reasons for which the response is not stored, in any order.
	Refused *Words
	// Lifetime is for how long the object is fresh.
	Lifetime *Text
	// Markers are the ids of the detectors that find state in the body, in any order.
	Markers *Words
	// Downstream are header fields of what the next visitor gets, from the store; of what
	// this one gets, if the response is not stored.
	Downstream []Field
}

// Attribution is what the edge takes of a request and carries with its visitor.
type Attribution struct {
	Pos policies.Position
	// Landing says whether something is carried: true or false.
	Landing *Text
	// Taken are the parameters that are taken, decoded, with their values. Each must be
	// taken with that value; others may be, too.
	Taken []Pair
	// Referer is what is taken of that field. Nil: not looked at.
	Referer *Text
	// LeftOut is why nothing is carried, as the audit log has it.
	LeftOut *Text
}

// Words is a list, and its place.
type Words struct {
	Pos    policies.Position
	Values []Text
}

// Canonical is the request that a fill sends to the origin.
type Canonical struct {
	// URL is the whole of it. May be empty.
	URL     Text
	Headers []Field
}

// Field is a header field and its value, or that it is not there.
type Field struct {
	Name   Text
	Value  string
	Absent bool
}
