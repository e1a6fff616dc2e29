package policies

import "testing"

// TestReadTree holds that a tree says what stands where, nothing apart from the text
// "null", and that it has the bounds of policies.
func TestReadTree(t *testing.T) {
	root, err := ReadTree("f", []byte("a: &x [1, ~, \"null\"]\nb: *x\n"))
	if err != nil {
		t.Fatal(err)
	}
	if root.Kind != TreeMapping || len(root.Fields) != 2 || root.Fields[1].Pos.Line != 2 {
		t.Fatalf("root: %+v", root)
	}
	list := root.Fields[0].Value
	if list.Kind != TreeList || root.Fields[1].Value != list {
		t.Errorf("list: %+v", list)
	}
	for i, want := range []struct {
		kind TreeKind
		text string
	}{{TreeText, "1"}, {TreeNothing, ""}, {TreeText, "null"}} {
		if got := list.Items[i]; got.Kind != want.kind || want.text != "" && got.Text != want.text {
			t.Errorf("item %d: %+v", i, got)
		}
	}
	if _, err := ReadTree("f", []byte("a: [")); err == nil {
		t.Error("broken YAML was read")
	}
}

func TestSuggestExported(t *testing.T) {
	for _, tt := range []struct {
		word     string
		accepted []string
		want     string
	}{
		{"rout", []string{"route", "action"}, `did you mean "route"?`},
		{"x", []string{"route", "action"}, "accepted: route, action"},
		{"x", nil, ""},
	} {
		if got := Suggest(tt.word, tt.accepted); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.word, got, tt.want)
		}
	}
}
