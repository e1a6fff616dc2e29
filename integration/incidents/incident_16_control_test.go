package incidents

import (
	"fmt"
	"net/http"
	"testing"
)

// TestControlByte: a field with a control byte is refused by net/http itself, before any
// handler, with a 400 that says nothing of caching. So nothing of it is stored here; but
// a cache in front must pass no such byte on, or keep no error that says nothing, as the
// README has it. The first rule below does, and with the second all is well.
func TestControlByte(t *testing.T) {
	t.Parallel()
	scenery := func() scene {
		return scene{app: new(fragile), visit: func(t *testing.T, s *stage) {
			hurt := 0
			refused := s.askRaw(t, "once.test", "/app.js", "X-Meta: a\x07b")
			if b := s.ask(t, request{host: "once.test", target: "/app.js"}); b.status != http.StatusOK {
				hurt++
			}
			if s.position != without && (refused.status != http.StatusBadRequest || refused.header.Get("Cache-Status") != "") {
				t.Errorf("the refusal is %d %v: it was thought to be net/http's own", refused.status, refused.header)
			}
			s.count(t, "after a control byte", hurt, 1)
		}}
	}
	keepsErrors := form{name: "control byte", cache: nginx(`proxy_cache_valid any 5m;`), policy: errorsPolicy, scene: scenery}
	keepsPages := form{name: "control byte", cache: nginx(`proxy_cache_valid 200 301 302 5m;`), policy: errorsPolicy, scene: scenery}
	for _, tt := range []struct {
		form
		position
	}{{keepsErrors, without}, {keepsErrors, instead}, {keepsPages, behind}} {
		t.Run(fmt.Sprint(tt.position), func(t *testing.T) { tt.play(t, tt.position) })
	}
}
