package policies

import (
	"strconv"
	"strings"
)

// negotiate reduces what the visitor sent in a keyed header to one of the values
// that the policy declares, so that there are no more variants than declared. It
// is not ok when nothing fits; then the origin gets no such field and chooses
// for itself, and all such visitors share that choice.
func negotiate(name, sent string, declared []string) (string, bool) {
	switch name {
	case "Accept-Language":
		return bestByQuality(sent, declared, languageFits)
	case "Accept":
		return bestByQuality(sent, declared, mediaFits)
	}
	for _, value := range declared {
		if strings.EqualFold(strings.TrimSpace(sent), value) {
			return value, true
		}
	}
	return "", false
}

// bestByQuality gives each declared value the quality of the most specific range
// that fits it (RFC 9110 §12.4.2), the best one of equals, and takes the value with
// the best; among equals the first declared. fits returns how specific a fit is, 0
// for none.
func bestByQuality(sent string, declared []string, fits func(rng, value string) int) (string, bool) {
	best, bestQ := -1, 0
	for i, value := range declared {
		q, specific := 0, 0
		for item := range strings.SplitSeq(sent, ",") {
			rng, itemQ, ok := cutQuality(item)
			if !ok {
				continue
			}
			switch s := fits(rng, value); {
			case s > specific:
				q, specific = itemQ, s
			case s > 0 && s == specific:
				q = max(q, itemQ)
			}
		}
		if q > bestQ {
			best, bestQ = i, q
		}
	}
	if best < 0 {
		return "", false
	}
	return declared[best], true
}

// cutQuality reads "range;q=0.8" with the quality in thousandths.
func cutQuality(item string) (rng string, q int, ok bool) {
	rng, params, _ := strings.Cut(item, ";")
	rng = strings.TrimSpace(rng)
	q = 1000
	for param := range strings.SplitSeq(params, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(k, "q") {
			continue
		}
		f, err := strconv.ParseFloat(v, 64)
		if err != nil || !(f >= 0 && f <= 1) {
			return "", 0, false
		}
		q = int(f * 1000)
	}
	return rng, q, rng != ""
}

// languageFits is RFC 4647 lookup in both directions: ja-JP fits a declared ja,
// and en fits a declared en-US. Who asks for en-US before ja wants a declared en
// before ja, wherever en itself stands, so the two count alike.
func languageFits(rng, value string) int {
	switch {
	case rng == "*":
		return 1
	case strings.EqualFold(rng, value), tagPrefix(value, rng):
		return 3
	case tagPrefix(rng, value):
		return 2
	}
	return 0
}

func tagPrefix(prefix, tag string) bool {
	return len(tag) > len(prefix) && tag[len(prefix)] == '-' && strings.EqualFold(tag[:len(prefix)], prefix)
}

// mediaFits is RFC 9110 §12.5.1.
func mediaFits(rng, value string) int {
	switch {
	case strings.EqualFold(rng, value):
		return 3
	case rng == "*/*":
		return 1
	}
	major, ok := strings.CutSuffix(rng, "/*")
	if ok && len(value) > len(major) && value[len(major)] == '/' && strings.EqualFold(value[:len(major)], major) {
		return 2
	}
	return 0
}
