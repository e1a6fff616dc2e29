package policies

import "testing"

func TestPositionString(t *testing.T) {
	for want, p := range map[string]Position{
		"":           {},
		"a.yaml":     {File: "a.yaml"},
		"a.yaml:3":   {File: "a.yaml", Line: 3},
		"a.yaml:3:7": {File: "a.yaml", Line: 3, Column: 7},
		"3:7":        {Line: 3, Column: 7},
		"a.yaml#":    {File: "a.yaml#", Column: 7},
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v: got %q, want %q", p, got, want)
		}
	}
}

func TestPositionsAt(t *testing.T) {
	whole, params, third := Position{Line: 1}, Position{Line: 4}, Position{Line: 5, Column: 9}
	p := positions{{"", whole}, {"params", params}, {"params.strip.3", third}}
	for path, want := range map[string]Position{
		"params.strip.3": third, "params.strip.3.x": third, "params.strip.30": params, "params.strip": params, "params": params,
		"paramsx": whole, "cache.ttl": whole, "": whole,
	} {
		if got := p.at(path); got != want {
			t.Errorf("%q: got %v, want %v", path, got, want)
		}
	}
	if got := positions(nil).at("params.key.0"); got != (Position{}) {
		t.Errorf("without positions: got %v", got)
	}
}

func TestDiagnostics(t *testing.T) {
	d := Diagnostics{
		{Pos: Position{File: "a.yaml", Line: 3, Column: 7}, Path: "routes.a.cache", Message: "no", Fix: "yes"},
		{Path: "routes.a", Message: "no"},
		{Message: "no", Fix: "yes"},
	}
	if got, want := d.Error(), "a.yaml:3:7: routes.a.cache: no; yes\nroutes.a: no\nno; yes"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := d.err(); err == nil {
		t.Error("diagnostics are no error")
	}
	if err := (Diagnostics{}).err(); err != nil {
		t.Errorf("no diagnostics are an error: %v", err)
	}
}
