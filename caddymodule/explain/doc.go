// Package explain says what Cacheward would do with a request, step by step, and with
// the origin's answer to it. It has no rules of its own: it asks the engine that the
// proxy runs (package policies, gate, httpcache) and writes down what it says.
//
// It knows no store: whether an object is there already, and what was refused a moment
// ago, only the running proxy can tell.
package explain
