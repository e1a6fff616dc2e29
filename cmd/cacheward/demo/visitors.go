package demo

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
)

// The site's two hosts, which answer on the same paths with different pages.
const (
	pcHost    = "hapitas.example"
	phoneHost = "sp.hapitas.example"
)

const landingPath = "/register/lp"

// visitor is one person who follows a friend's link to the landing page.
type visitor struct {
	// name under which the visitor registers.
	name string
	host string
	// had is the attribution that this visitor really has. The referrer is
	// theirs alone, so that a mix-up cannot go unseen.
	had attribution
	// query is the raw query of the visit's address; may be empty.
	query string
	// referer is the Referer header; may be empty.
	referer string
	// cookies is the Cookie header; may be empty.
	cookies  string
	language string
	agent    string
}

func (v visitor) url() string {
	address := "http://" + v.host + landingPath
	if v.query != "" {
		address += "?" + v.query
	}
	return address
}

var (
	sources   = []string{"friend", "mail", "share", "banner", "search", "partner"}
	languages = []string{"ja", "ja,en;q=0.8", "en-US,en;q=0.9", "en-GB,en;q=0.7", "de,en;q=0.5"}
	agents    = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0",
	}
	phoneAgents = []string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
	}
)

// newVisitors makes n visitors. The same seed makes the same ones, and more of
// them begin with the same ones.
func newVisitors(n int, seed uint64) []visitor {
	random := rand.New(rand.NewPCG(seed, 0))
	visitors := make([]visitor, n)
	for i := range visitors {
		visitors[i] = newVisitor(i+1, random)
	}
	return visitors
}

func newVisitor(number int, random *rand.Rand) visitor {
	v := visitor{
		name:     fmt.Sprintf("visitor-%05d", number),
		host:     pcHost,
		language: pick(random, languages),
		agent:    pick(random, agents),
	}
	if random.IntN(2) == 0 {
		v.host, v.agent = phoneHost, pick(random, phoneAgents)
	}
	// Without the number two visitors could share a code by chance.
	v.had = attribution{
		Referrer: fmt.Sprintf("R%05d-%04X", number, random.IntN(1<<16)),
		Source:   pick(random, sources),
	}
	query := []string{"ref=" + url.QueryEscape(v.had.Referrer), "source=" + url.QueryEscape(v.had.Source)}
	var cookies []string
	if random.IntN(2) == 0 { // has been here before, and comes from an advertisement
		query = append(query,
			"utm_source="+v.had.Source,
			"utm_medium="+pick(random, []string{"cpc", "email", "social"}),
			"utm_campaign=year-end",
			fmt.Sprintf("gclid=Cj0KCQ%016x", random.Uint64()))
		cookies = append(cookies,
			fmt.Sprintf("_ga=GA1.1.%d.%d", random.Uint32(), 1700000000+random.IntN(60000000)),
			fmt.Sprintf("_fbp=fb.1.%d.%d", 1700000000000+random.Int64N(60000000000), random.Uint32()))
	}
	if random.IntN(100) < 3 { // is signed in
		cookies = append(cookies, fmt.Sprintf("session=%016x", random.Uint64()))
	}
	v.query = strings.Join(query, "&")
	v.cookies = strings.Join(cookies, "; ")
	return v
}

func pick(random *rand.Rand, from []string) string { return from[random.IntN(len(from))] }
