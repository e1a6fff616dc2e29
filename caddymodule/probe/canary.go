package probe

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"strings"
)

// canary is a value that one visitor sends in one input, and nobody else ever. It can be
// told from any other text: its last characters follow from the others, so that a page
// full of random text is not taken for one with canaries in it.
type canary string

const (
	canaryMark   = "cw"
	canaryRandom = 10 // characters, of 5 bits each
	canaryCheck  = 4
	canaryLength = len(canaryMark) + canaryRandom + canaryCheck
	// canaryHalf is how much of one fits into a subtag of a language (RFC 5646 §2.1).
	canaryHalf = canaryLength / 2
)

var canaryText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newCanary draws one. The secret may be nil.
func newCanary(s *Secret) canary {
	var b [7]byte
	_, _ = rand.Read(b[:]) // never fails
	random := canaryText.EncodeToString(b[:])[:canaryRandom]
	return canary(canaryMark + random + checkOf(s, random))
}

// checkOf is what the random part of a canary comes to. With a secret, who does not know
// it cannot make canaries that look like those of an earlier probe.
func checkOf(s *Secret, random string) string {
	h := sha256.New()
	if s != nil {
		h = s.hash()
	}
	h.Write([]byte("canary " + random))
	return canaryText.EncodeToString(h.Sum(nil))[:canaryCheck]
}

// isCanary says whether a probe with this secret has drawn the text.
func isCanary(s *Secret, text string) bool {
	if len(text) != canaryLength || !strings.HasPrefix(text, canaryMark) {
		return false
	}
	random := text[len(canaryMark) : len(canaryMark)+canaryRandom]
	return text[len(canaryMark)+canaryRandom:] == checkOf(s, random)
}

// canaryLike is what a canary looks like, in any case, as a whole or in two subtags.
var canaryLike = regexp.MustCompile(`(?i)cw[a-z2-7]{6}-?[a-z2-7]{8}`)

// spotted is a text that looks like a canary, and where it begins.
type spotted struct {
	canary canary
	at     int
}

// maxSpotted is how many are looked at in one text.
const maxSpotted = 1000

// spot finds what is a canary of this or another probe and stands in the text as it was
// sent, whatever the case of its letters is.
func spot(s *Secret, text []byte) []spotted {
	var found []spotted
	from := 0
	for range maxSpotted {
		loc := canaryLike.FindIndex(text[from:])
		if loc == nil {
			break
		}
		at, like := from+loc[0], string(text[from+loc[0]:from+loc[1]])
		// What looks like one may hide the beginning of another.
		from = at + len(canaryMark)
		like = strings.ToLower(strings.ReplaceAll(like, "-", ""))
		if isCanary(s, like) {
			found = append(found, spotted{canary(like), at})
		}
	}
	return found
}

// inLanguage is the canary as two private-use subtags: "cwabcdef-ghijklmn".
func (c canary) inLanguage() string { return string(c[:canaryHalf] + "-" + c[canaryHalf:]) }
