package markers

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
)

// Streams of Turbo are named by what is passed on in them: names in the app's own
// words, and records by their global ids (gid://app/User/42, in base64).
var (
	personal = regexp.MustCompile(`(?i)user|account|member|customer|person|profile|visitor|guest|session|cart|basket|order|team|tenant|organi[sz]ation|company|admin|staff|employee|student|patient|subscriber|identity|conversation|chat|inbox|notification`)
	anyID    = regexp.MustCompile(`\d|[0-9a-f]{8}-`)
)

// isPersonalStream says whether a signed name (base64, --, a signature) may be that of
// a visitor's stream. One that cannot be read may be.
func isPersonalStream(value []byte) bool {
	signed, _, _ := bytes.Cut(value, []byte("--"))
	data, ok := decodeBase64(string(signed))
	if !ok {
		return true
	}
	var name string
	if json.Unmarshal(data, &name) != nil {
		return true
	}
	whose, one := false, false
	for part := range strings.SplitSeq(name, ":") {
		if id, ok := decodeBase64(part); ok && bytes.HasPrefix(id, []byte("gid://")) {
			record := strings.SplitN(string(id), "/", 4) // gid:, "", app, class and id
			part = record[len(record)-1]
		}
		whose = whose || personal.MatchString(part)
		one = one || anyID.MatchString(part)
	}
	return whose && one
}

func decodeBase64(text string) ([]byte, bool) {
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	data, err := base64.RawURLEncoding.DecodeString(text)
	return data, err == nil
}
