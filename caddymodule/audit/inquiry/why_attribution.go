package inquiry

import (
	"strings"

	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// attributionWords says what a request had to do with who sent its visitor, as the end of
// the sentence that tells what became of it.
func attributionWords(e *reading.Entry) string {
	a := e.Attribution
	if a == nil {
		return ""
	}
	var parts []string
	if a.IsLanding() {
		parts = append(parts, landingWords(a))
	}
	if a.BeaconLost {
		parts = append(parts, "its beacon was lost, and the app will not hear of it")
	}
	if a.Dropped != "" {
		parts = append(parts, "the attribution cookie was not believed: "+droppedWords(a.Dropped))
	}
	switch {
	case a.IsDelivered():
		parts = append(parts, deliveredWords(e))
	case a.Withheld != "":
		parts = append(parts, "the app was not told who sent the visitor: "+leftOutWords(a.Withheld))
	}
	if len(parts) == 0 {
		return ""
	}
	return "; " + strings.Join(parts, "; ")
}

func landingWords(a *reading.Attribution) string {
	with := ""
	if len(a.Params) > 0 {
		with = " with " + strings.Join(a.Params, ", ")
	}
	if a.Referer != "" {
		with += " from " + a.Referer
	}
	where := ""
	switch a.Carried {
	case "":
	case "cookie":
		where = ", carried in the cookie"
	case "beacon":
		where = ", reported by beacon"
	case "both":
		where = ", carried in the cookie and reported by beacon"
	default:
		where = ", carried by " + a.Carried
	}
	switch {
	case where != "" && a.LeftOut != "":
		return "a landing" + with + where + " (" + leftOutWords(a.LeftOut) + ")"
	case where != "":
		return "a landing" + with + where
	case a.LeftOut != "":
		return "a landing" + with + " that is not carried: " + leftOutWords(a.LeftOut)
	}
	return "a landing" + with + " that is not carried"
}

// leftOutWords says what a word of attribution.Problem means.
func leftOutWords(problem string) string {
	switch problem {
	case "prefetch":
		return "it was fetched ahead, and nobody may ever see it"
	case "crawler":
		return "a crawler is no visitor"
	case "probe":
		return "a probe is no visitor"
	case "consent":
		return "the visitor has not consented"
	case "bounds":
		return "the values are too many or too long"
	case "malformed":
		return "the values cannot be read"
	case "status":
		return "the answer was an error"
	case "no-keys":
		return "the keys that cookies are signed with cannot be had"
	case "trip":
		return "caching was stopped"
	case "unchanged":
		return "the cookie says already what counts"
	}
	return problem
}

func droppedWords(problem string) string {
	switch problem {
	case "forged":
		return "its signature is none of ours"
	case "expired":
		return "its time was over"
	case "foreign":
		return "it was made for another host"
	case "malformed":
		return "it cannot be read"
	case "no-keys":
		return "the keys that it was signed with cannot be had"
	case "ambiguous":
		return "there were several"
	}
	return problem
}

func deliveredWords(e *reading.Entry) string {
	a := e.Attribution
	words := "the app was told of the landing " + a.Delivered
	if !a.Landed.IsZero() {
		words += ", " + show.Duration(max(0, e.Time.Sub(a.Landed))) + " before"
	}
	switch a.As {
	case "":
		return words
	case "header":
		return words + ", by header"
	case "query":
		return words + ", in the query"
	case "form-cookie":
		return words + ", in cookies"
	}
	return words + ", by " + a.As
}
