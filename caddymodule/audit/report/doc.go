// Package report writes what audit records tell of a time as one HTML page: for a mail,
// a ticket, an archive. The page needs nothing but itself, no network and no script, and
// carries a Content-Security-Policy under which nothing but its own style and script can
// take effect: what is in a log, anybody may have written.
package report
