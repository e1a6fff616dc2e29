package gate

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The names near a place, which is marked by a @.
func TestNearNames(t *testing.T) {
	far := strings.Repeat(`{"a":1},`, 10)
	deep := strings.Repeat(`{"a":`, maxDepth+1)
	tests := []struct{ name, page, want string }{
		{"member", `{"user": {"name": "Anna", "id": @17}}`, "$.user.id"},
		{"member's text", `{"user":{"name":"An@na"}}`, "$.user.name"},
		{"member of an object in a list", `{"items":[` + far + `{"ts":"@"}]}`, "$.items[*].ts"},
		{"element of a list", `[1,2,@3]`, "$[*]"},
		{"list in a list", `{"m":[[1,2],[3,@4]]}`, "$.m[*][*]"},
		{"after an object", `{"a":{"b":1},"c":@1}`, "$.c"},
		{"after a list", `{"a":[1,{"b":2}],"c":"@"}`, "$.c"},
		{"an escaped quote", `{"a\"b":"\"@"}`, "$.*"},
		{"a brace in a text", `{"a":"}{][,","b":@1}`, "$.b"},
		{"key that may be a value", `{"users":{"anna@shop.example":{"n":1},"1047":{"n":@2}}}`, "$.users.*.n"},
		{"between two members", `{"a":{"b":1,@"c":2}}`, "$.a"},
		{"in a key", `{"a":{"b":1,"c@":2}}`, "$.a"},
		{"document that is a text", `"@"`, ""},
		{"byte order mark and blanks", "\ufeff\n {\"a\": @1}", "$.a"},
		{"too deep", deep + `@1`, "a"},
		{"not JSON after all", `{"a":1]} "b": "@"`, "b"},
		{"too long a path", strings.Repeat(`{"a_rather_long_name":`, 4) + `@1`, "a_rather_long_name"},
		{"far into the document", `[` + strings.Repeat(`{"a":1},`, pathBefore/8) + `{"b":@1}]`, "b"},

		{"input's name with brackets", `<input name="user[ref]" value="@">`, "input user[ref]"},
		{"input's name after its value", `<input value="@1" name="lead">`, "input lead"},
		{"link", `<p><a class=x href="/r?lead=@1">`, "a href"},
		{"empty element", `<b id=x>@</b>`, "b x"},
		{"after an element", `<b id=x></b>@ and`, ""},
		{"script", `<script>let a = 1, lead = '@1'</script>`, "lead"},
		{"member of a variable", `<script>window.app.user = @1;</script>`, "window.app.user"},
		{"script of its own", `var a = 1; var lead = "@1";`, "lead"},
		{"callback with JSON", `cb({"user":{"id":@1}})`, "id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at := strings.LastIndex(tt.page, "@")
			page := []byte(tt.page[:at] + tt.page[at+1:])
			if got := near(page, at, page, at); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestNearMustBeInBoth(t *testing.T) {
	own, fill := []byte(`{"anna":"1"}`), []byte(`{"bob":"1"}`)
	if got := near(own, 9, fill, 8); got != "" {
		t.Errorf("got %q of two keys", got)
	}
	// Spans after the first one are at different places of the two answers.
	a, b := `{"n":"1001","user":{"id":"17"}}`, `{"n":"9","user":{"id":"18"}}`
	if got := near([]byte(a), strings.Index(a, "17"), []byte(b), strings.Index(b, "18")); got != "$.user.id" {
		t.Errorf("got %q, want $.user.id", got)
	}
}

// A path is made of names that are members' names in the document, and of nothing else.
func TestPathsAreMadeOfKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOf(rapid.SampledFrom([]string{
			"{", "}", "[", "]", ",", ":", `"`, `\`, `"key"`, `"secret-1"`, `"a b"`, `:"secret"`, "1", " ", "null",
		})).Draw(t, "text"), "")
		path, ok := jsonPath([]byte(text))
		if !ok {
			return
		}
		if !identifier.MatchString(path) || !strings.HasPrefix(path, "$") {
			t.Fatalf("%q", path)
		}
		for name := range strings.SplitSeq(strings.ReplaceAll(path, "[*]", ""), ".") {
			if name != "$" && name != "*" && !strings.Contains(text, `"`+name+`"`) {
				t.Fatalf("%q of %q", path, text)
			}
		}
	})
}
