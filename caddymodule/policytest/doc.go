// Package policytest runs tests of policies that are written as data: requests, and
// what the policy has to make of them. It judges with the very engine of the proxy,
// through package explain. The format is documented in policies/TESTS.md.
//
// The life of a test: [Parse] reads a file, a [Runner] loads its policy and runs its
// tests, a [Result] is written by [Write].
package policytest
