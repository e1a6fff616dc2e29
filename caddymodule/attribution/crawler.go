package attribution

import (
	"bytes"
	_ "embed"
	"strings"
)

//go:embed crawlers.txt
var crawlerText string

// crawlers are the names in the list, in lower case, that crawlerWords does not know, by
// their first byte.
var crawlers = readCrawlers(crawlerText)

// crawlerWords are what names of crawlers end in, whoever runs them.
var crawlerWords = [][]byte{[]byte("bot"), []byte("spider"), []byte("crawler")}

// noCrawler is a word that ends so and names a maker of phones.
const noCrawler = "cubot"

// maxAgent bounds how much of a User-Agent is looked at, in bytes.
const maxAgent = 512

// Crawler says whether the User-Agent names a program that reads pages for nobody who
// would register: a search engine's, a preview's, a monitor's. Programs say so of
// themselves; those that do not are taken for visitors. Known are the names in
// crawlers.txt and, beside them, every word that ends in bot, spider or crawler. It
// allocates nothing.
func Crawler(userAgent string) bool {
	var folded [maxAgent]byte
	agent := folded[:copy(folded[:], userAgent)]
	for i, c := range agent {
		if c >= 'A' && c <= 'Z' {
			agent[i] = c + 'a' - 'A'
		}
	}
	return endsInCrawlerWord(agent) || beginsAWord(agent)
}

// beginsAWord says whether the agent has a name of the list where a word begins.
func beginsAWord(agent []byte) bool {
	for i, first := range agent {
		if i > 0 && isLetter(agent[i-1]) {
			continue
		}
		for _, name := range crawlers[first] {
			if bytes.HasPrefix(agent[i:], name) {
				return true
			}
		}
	}
	return false
}

// endsAWord says whether a word of the agent ends in end, and is not noCrawler.
func endsAWord(agent, end []byte) bool {
	for from := 0; ; {
		i := bytes.Index(agent[from:], end)
		if i < 0 {
			return false
		}
		from += i + len(end)
		if from < len(agent) && isLetter(agent[from]) {
			continue
		}
		first := from
		for first > 0 && isLetter(agent[first-1]) {
			first--
		}
		if string(agent[first:from]) != noCrawler {
			return true
		}
	}
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' }

// readCrawlers reads one name a line; # begins a comment.
func readCrawlers(text string) (names [256][][]byte) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		name := []byte(strings.ToLower(strings.TrimSpace(line)))
		if len(name) > 0 && !endsInCrawlerWord(name) {
			names[name[0]] = append(names[name[0]], name)
		}
	}
	return names
}

// endsInCrawlerWord says whether any word of the agent says that it is a crawler.
func endsInCrawlerWord(agent []byte) bool {
	for _, word := range crawlerWords {
		if endsAWord(agent, word) {
			return true
		}
	}
	return false
}
