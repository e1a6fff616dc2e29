// Package attribution asks whether landing pages that everybody shares lose nobody's
// referrer: the cacheward binary stands before an app that works as ever, visitors with
// cookie jars come with a code each, and some of them sign up.
//
//   - The simulation has a crowd of them, while edge and app are killed and started again
//     (-attribution.landings says how many landings there are).
//   - The browser is a real one, on http and on https.
//   - The attackers forge, swap, replay and overload what carries and what is carried.
//   - The caches in front are real ones that obey.
//
// What the tests go by is what the app knows in the end: who signed up and by whom they
// were sent, and which landings it has been told of.
package attribution
