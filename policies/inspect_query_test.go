package policies

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

func TestInspectQuery(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	long := strings.Repeat("a=1&", maxParams)
	for query, want := range map[string][]Reason{
		"a=1;b=2":                    {ReasonQuerySemicolon},
		"utm_content=x;ref=evil":     {ReasonQuerySemicolon},
		"a=\xe3\x81\x82":             {ReasonQueryControl},
		"a=\x7f":                     {ReasonQueryControl},
		"a=%00":                      {ReasonQueryControl},
		"a=%0d%0aX:1":                {ReasonQueryControl},
		"a=1#&ref=2":                 {ReasonQueryControl},
		"a=%":                        {ReasonQueryInvalidEscape},
		"a=%2":                       {ReasonQueryInvalidEscape},
		"a=%u0061":                   {ReasonQueryInvalidEscape},
		"&":                          {ReasonQueryEmptyPair},
		"a=1&":                       {ReasonQueryEmptyPair},
		"&a=1":                       {ReasonQueryEmptyPair},
		"a=1&&b=2":                   {ReasonQueryEmptyPair},
		"=1":                         {ReasonQueryEmptyPair},
		long + "a=1":                 {ReasonQueryLong},
		long:                         {ReasonQueryLong},
		strings.Repeat("&", 5000):    {ReasonQueryEmptyPair, ReasonQueryLong},
		"_method=DELETE":             {ReasonMethodOverride},
		"a=1&_method=PUT":            {ReasonMethodOverride},
		"_METHOD=PUT":                {ReasonMethodOverride},
		"%5Fmethod=PUT":              {ReasonMethodOverride},
		"_method[]=PUT":              {ReasonMethodOverride},
		"Ref=1":                      {ReasonParamAlias},
		"REF=1":                      {ReasonParamAlias},
		"r%65f=1":                    {ReasonParamAlias},
		"%72%65%66=1":                {ReasonParamAlias},
		"%2572ef=1":                  {ReasonParamAlias},
		"ref[]=1":                    {ReasonParamAlias},
		"ref[0]=1":                   {ReasonParamAlias},
		"ref[a][b]=1":                {ReasonParamAlias},
		"ref%5B%5D=1":                {ReasonParamAlias},
		"[ref]=1":                    {ReasonParamAlias},
		"%5Bref%5D=1":                {ReasonParamAlias},
		"ref%20=1":                   {ReasonParamAlias},
		"+ref=1":                     {ReasonParamAlias},
		"%20ref=1":                   {ReasonParamAlias},
		"ref%00x=1":                  {ReasonQueryControl, ReasonParamAlias},
		"user_id=1":                  {ReasonParamAlias},
		"user%20id=1":                {ReasonParamAlias},
		"user+id=1":                  {ReasonParamAlias},
		"User.ID=1":                  {ReasonParamAlias},
		"user%2Eid=1":                {ReasonParamAlias},
		"Preview":                    {ReasonParamAlias},
		"preview[]=1":                {ReasonParamAlias},
		"ref=1&Ref=2;_method=x&%=%0": {ReasonQuerySemicolon, ReasonQueryInvalidEscape, ReasonParamAlias},
	} {
		t.Run(query[:min(len(query), 40)], func(t *testing.T) {
			checkInspect(t, rule, request("https://example.com/?"+query), want...)
		})
	}
}

// What cannot be sent on in a request line is no bypass, on whatever route.
func TestInspectDeniesBlanks(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	for query, want := range map[string]Action{"a=b c": ActDeny, " ": ActDeny, "a=b HTTP/1.1 x": ActDeny, "a=b+c": ActCache, "a=b%20c": ActCache, "a=1#": ActBypass} {
		req := request("https://example.com/")
		req.RawQuery = query
		if v := rule.Inspect(req); v.Action != want {
			t.Errorf("%q: %v, want %v", query, v.Action, want)
		}
	}
}

func TestInspectOrdinaryQueries(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	for _, query := range []string{
		"", "a", "a=", "a=1", "a=1&b=2", "ref=abc&ref=def", "user.id=7", "preview=1", "q=%E6%A4%9C%E7%B4%A2", "q=a+b", "q=a%20b",
		"q=%82%A0", "q=100%25", "next=/a?b=c", "url=https://example.com/x", "a=%26", "a=%3B", "a=%23", "a=%3D", "filter[a]=1",
		"filter%5Ba%5D=1", "utm_source=x&utm_medium=y&fbclid=IwAR0-_x", "a==", "a=b=c", "a.b=1", "A=1&a=2", "reference=1", "xref=1",
		"ref2=1", "re=1&f=2", "user=1", "userid=1", "utm_Source=1", "FBCLID=1", "method=1", "a={}|^`\"<>\\",
		strings.TrimSuffix(strings.Repeat("a=1&", maxParams), "&"),
	} {
		t.Run(query[:min(len(query), 40)], func(t *testing.T) {
			checkInspect(t, rule, request("https://example.com/?"+query))
		})
	}
}

// TestInspectQueryEncodedNames writes every byte of a keyed name in every way.
func TestInspectQueryEncodedNames(t *testing.T) {
	rule := compiled(t, onePage).rules[0]
	for i, b := range []byte("ref") {
		for _, spelling := range []string{
			fmt.Sprintf("%%%02X", b), fmt.Sprintf("%%%02x", b), fmt.Sprintf("%%%02X", b-32),
			fmt.Sprintf("%%25%02X", b), string(rune(b - 32)),
		} {
			query := "ref"[:i] + spelling + "ref"[i+1:] + "=1"
			checkInspect(t, rule, request("https://example.com/?"+query), ReasonParamAlias)
		}
	}
}

// FuzzInspectQuery holds that what passes is taken apart alike by parsers that
// split at & and by those that split at & and ;.
func FuzzInspectQuery(f *testing.F) {
	for _, query := range []string{"", "a=1", "ref=1&Ref=2", "a;b", "a=%", "&&", "%5Bref%5D[]=%00", "%5Dref", "a=1#b", "_method=x"} {
		f.Add(query)
	}
	rule := compiled(f, onePage).rules[0]
	f.Fuzz(func(t *testing.T, query string) {
		req := request("https://example.com/")
		req.RawQuery = query
		if rule.Inspect(req).Action != ActCache {
			return
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatalf("%q passed: %v", query, err)
		}
		split := func(c rune) bool { return c == '&' || c == ';' || c == '#' }
		if query != "" && !reflect.DeepEqual(strings.FieldsFunc(query, split), strings.Split(query, "&")) {
			t.Errorf("%q can be taken apart in two ways", query)
		}
		for name := range values {
			if folded := strings.ToLower(strings.Trim(name, "[] ")); (folded == "ref" || folded == "preview") && name != folded {
				t.Errorf("%q has the alias %q", query, name)
			}
		}
	})
}
