package audit

import (
	"encoding/json"
	"testing"
)

func TestFull(t *testing.T) {
	for _, f := range []Full{FullDrop, FullWait} {
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var back Full
		if err := json.Unmarshal(text, &back); err != nil || back != f || string(text) != `"`+f.String()+`"` {
			t.Errorf("%d became %s and %d, %v", f, text, back, err)
		}
	}
	for _, s := range []string{"", "Drop", "block", "wait "} {
		if f, err := ParseFull(s); err == nil {
			t.Errorf("%q was read as %s", s, f)
		}
	}
}
