package attribution

import (
	"time"

	"github.com/caddyserver/certmagic"

	"github.com/cacheward/cacheward/caddymodule/attribution"
)

// seal makes a cookie of the attacker's mark, with the keys that are in a storage folder.
func (a *attacker) seal(storage string, expires time.Time) string {
	keys, err := attribution.OpenKeys(a.t.Context(), &certmagic.FileStorage{Path: storage}, time.Hour)
	if err != nil {
		a.t.Fatal(err)
	}
	defer keys.Close()
	text, err := attribution.NewCodec(keys).Seal(attribution.Touch{
		Landing: "AAAAAAAAAAAAAAAAAAAAAA", At: time.Now().Add(-time.Minute), Values: []attribution.Value{{Name: "ref", Value: a.mark}},
	}, a.site.host(), expires, a.site.as == "query")
	if err != nil {
		a.t.Fatal(err)
	}
	return text
}

// keyAttacks are cookies that are made well, but too late, or with keys that are not the
// edge's.
func keyAttacks() []attack {
	return []attack{
		{name: "after the window", reasons: expired, do: func(a *attacker) {
			a.cookie = a.seal(a.s.storage, time.Now().Add(-time.Second))
			a.signUp()
		}},
		{name: "a year after the window", reasons: expired, do: func(a *attacker) {
			a.cookie = a.seal(a.s.storage, time.Now().Add(-365*24*time.Hour))
			a.signUp()
		}},
		{name: "another edge's keys", reasons: forged, do: func(a *attacker) {
			a.cookie = a.seal(a.t.TempDir(), time.Now().Add(time.Hour))
			a.signUp()
		}},
	}
}
