package attacks

import "testing"

// memberships are the ways in which a request can say whose it is, and in which parsers of
// cookies differ on that. Every origin shows a member their account, on a page that
// all caches may keep.
var memberships = []field{
	{"Cookie", "session=SECRET"}, {"Cookie", "sid=SECRET"}, {"Cookie", "_ga=1; session=SECRET"}, {"Cookie", "_ga=1;sid=SECRET"},
	{"Cookie", `_ga="1; session=SECRET"`}, {"Cookie", "xsession=1; session=SECRET"}, {"Cookie", "$Version=1; session=SECRET"},
	{"Cookie", "session=a; session=SECRET"}, {"Cookie", "_ga=1, session=SECRET"}, {"Cookie", ` session="SECRET" `}, {"cookie", ";session=SECRET"},
	{"Cookie", "session =SECRET"}, {"Cookie", "_ga=1\t;\tsid=SECRET"}, {"Cookie", "_ga=\xff; sid=SECRET"},
	{"Authorization", "Bearer SECRET"}, {"Authorization", "SECRET"}, {"Authorization", "Basic SECRET"}, {"AUTHORIZATION", "SECRET"},
	{"Proxy-Authorization", "Basic SECRET"}, {"X-Api-Key", "SECRET"}, {"X-Forwarded-User", "SECRET"}, {"Remote-User", "SECRET"},
	{"X-Auth-Token", "SECRET"}, {"X-Member", "SECRET"}, {"Remote_User", "SECRET"}, {"X_Api_Key", "SECRET"}, {"X_Auth_Token", "SECRET"},
}

// TestMembers has a member ask first, and then everybody else for the same.
func TestMembers(t *testing.T) {
	s := startEdge(t)
	nothing := change{"3.3", "nothing", func(*request, string) {}}
	all, hits, refused := s.attackAll(t, func(yield func(attempt) bool) {
		for i, membership := range memberships {
			for j, route := range routes {
				for k, p := range []*personality{personalities[1], personalities[(i+j)%len(personalities)]} {
					if !yield(attempt{route: route, personality: p, h2: (i+j+k)%2 == 0, changes: []change{nothing}, lured: &membership}) {
						return
					}
				}
			}
		}
	}, none(t))
	s.settle(t)
	t.Logf("%d cases: in %d the victims were served from the store, in %d the edge refused the attacker", all, hits, refused)
}
