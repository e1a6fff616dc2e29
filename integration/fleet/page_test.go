package fleet

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"strings"
)

// The pages that are shared are /p/<route>/<group>/<n>; the policy has a route for each of
// these names.
const (
	news = "news" // cache origin: admitted at once
	shop = "shop" // a duration: corroborated
	calm = "calm" // as news, but nobody trips it, and it is purged with everything only
	// Its pages are another version each time that the origin is asked, and fresh for as
	// long as briefly.
	brief = "brief"
)

// briefly is for how many seconds the pages of brief are fresh.
const briefly = 2

// Of each route there are so many groups, of so many pages each. A group is a folder and a
// tag.
const groups, perGroup = 4, 6

func pagePath(route string, group, n int) string {
	return fmt.Sprintf("/p/%s/%d/%d", route, group, n)
}

// partsOf are the route and the group of a shared page.
func partsOf(path string) (route, group string) {
	parts := strings.Split(path, "/")
	if len(parts) != 5 || parts[1] != "p" {
		return "", ""
	}
	return parts[2], parts[3]
}

// groupPages are the pages of a group.
func groupPages(route string, group int) []string {
	var paths []string
	for n := range perGroup {
		paths = append(paths, pagePath(route, group, n))
	}
	return paths
}

// routePages are the pages of a route.
func routePages(route string) []string {
	var paths []string
	for group := range groups {
		paths = append(paths, groupPages(route, group)...)
	}
	return paths
}

// everyone is for whom the pages are that are shared.
const everyone = "everyone"

// content is one page as it was made.
type content struct {
	path    string
	version int64
	who     string
}

func (c content) String() string {
	return fmt.Sprintf("page %s version %d for %s", c.path, c.version, c.who)
}

// parseContent reads the first line of a body.
func parseContent(body []byte) (c content, err error) {
	line, _, _ := strings.Cut(string(body[:min(len(body), 256)]), "\n")
	n, err := fmt.Sscanf(line, "page %s version %d for %s", &c.path, &c.version, &c.who)
	if err != nil || n != 3 || c.String() != line {
		return c, fmt.Errorf("%.80q says nothing of a page", line)
	}
	return c, nil
}

func (c content) etag() string {
	return fmt.Sprintf(`"%s-%d"`, strings.ReplaceAll(strings.TrimPrefix(c.path, "/"), "/", "."), c.version)
}

func (c content) hash() int {
	h := fnv.New32a()
	fmt.Fprint(h, c.path, " ", c.version, " ", c.who)
	return int(h.Sum32() >> 1)
}

// filler is what bodies are cut out of. It has no state of anybody's.
var filler = []byte(strings.Repeat("what one edge has dropped, none of the others may give to anybody, however late they hear. ", 1000))

// size is how many bytes the body of a page has: some need several pieces.
func size(path string) int {
	h := fnv.New32a()
	fmt.Fprint(h, path)
	return 200 + int(h.Sum32()>>8)%(64<<10)>>(h.Sum32()%6)
}

// body makes the body.
func (c content) body() []byte {
	most := size(c.path)
	b := append(make([]byte, 0, most), c.String()...)
	b = append(b, '\n')
	for offset := c.hash() % len(filler); len(b) < most; offset = 0 {
		b = append(b, filler[offset:min(len(filler), offset+most-len(b))]...)
	}
	return b
}

// is says whether the bytes are the whole body.
func (c content) is(body []byte) bool { return bytes.Equal(body, c.body()) }
