package soak

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"sync/atomic"
)

// family is the pages below one folder of the site. The route that governs them has the
// family's name.
type family struct {
	name  string
	pages int
	// size is how many bytes the body of the page has.
	size func(page int) int
	// control is the origin's Cache-Control.
	control string
	// personal pages are made for the visitor who asks.
	personal bool
	// tagged pages can be asked about, purged by a tag, and changed with POST.
	tagged bool

	versions, floors []atomic.Int64
}

// shelves is how many folders, tags and groups the pages of a family are spread over.
const shelves = 8

// maxObject is the largest body that the site stores. Some are larger.
const maxObject = 256 << 10

// newFamilies makes the pages of one run, each in its first version.
func newFamilies() map[string]*family {
	all := make(map[string]*family)
	for _, f := range []*family{
		{name: "page", pages: 4000, size: upTo(16 << 10)},
		{name: "file", pages: 3000, size: file, control: "public, max-age=60", tagged: true},
		{name: "coded", pages: 300, size: upTo(64 << 10), control: "public, max-age=30", tagged: true},
		{name: "changing", pages: 300, size: upTo(8 << 10)},
		{name: "slow", pages: 6, size: upTo(32 << 10)},
		{name: "fragile", pages: 40, size: upTo(32 << 10), control: "public, max-age=1"},
		{name: "broken", pages: 40, size: upTo(128 << 10), control: "public, max-age=60"},
		{name: "landing", pages: 4, size: upTo(16 << 10)},
		{name: "observed", pages: 100, size: upTo(8 << 10)},
		{name: "mine", pages: 50, size: upTo(8 << 10), personal: true},
		{name: "private", pages: 50, size: upTo(8 << 10), control: "private, max-age=60", personal: true},
		{name: "account", pages: 4, size: upTo(8 << 10), personal: true},
		{name: "other", pages: 50, size: upTo(8 << 10), control: "public, max-age=60", personal: true},
	} {
		f.versions, f.floors = make([]atomic.Int64, f.pages), make([]atomic.Int64, f.pages)
		all[f.name] = f
	}
	return all
}

// smallest is the size below which the first line of a body has no room.
const smallest = 160

// upTo is sizes up to most, small ones more often. One page in 64 is empty.
func upTo(most int) func(int) int {
	return func(page int) int {
		h := scatter(page)
		if h%64 == 0 {
			return 0
		}
		return max(smallest, (most>>(h%7))-int(h>>8%97))
	}
}

// file is sizes of files: most have some KiB, one in 16 is too large to be stored.
func file(page int) int {
	if scatter(page)%16 == 1 {
		return maxObject + 1 + int(scatter(page)>>8%(3<<20))
	}
	return upTo(128 << 10)(page)
}

// scatter is a number without a pattern for the page.
func scatter(page int) uint32 {
	h := fnv.New32a()
	fmt.Fprint(h, page)
	return h.Sum32()
}

func (f *family) path(page int) string {
	return fmt.Sprintf("/%s/%d/%d", f.name, page%shelves, page)
}

// find is the page at the path.
func find(all map[string]*family, path string) (*family, int, bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 4 || all[parts[1]] == nil {
		return nil, 0, false
	}
	f := all[parts[1]]
	page, err := strconv.Atoi(parts[3])
	return f, page, err == nil && page >= 0 && page < f.pages && f.path(page) == path
}

// change is a page and the version that it has come to.
type change struct {
	family  *family
	page    int
	version int64
}

// change gives pages a new version. Until settled is called, either may be given to
// anybody.
func (f *family) change(pages ...int) []change {
	changes := make([]change, 0, len(pages))
	for _, page := range pages {
		changes = append(changes, change{f, page, f.versions[page].Add(1)})
	}
	return changes
}

// shelf are the pages of one.
func (f *family) shelf(n int) []int {
	var pages []int
	for page := n; page < f.pages; page += shelves {
		pages = append(pages, page)
	}
	return pages
}

// settled says that whoever asks from now on must not be given what was before.
func settled(changes []change) {
	for _, c := range changes {
		floor := &c.family.floors[c.page]
		for {
			old := floor.Load()
			if old >= c.version || floor.CompareAndSwap(old, c.version) {
				break
			}
		}
	}
}

// content is one response as it was made: which page, in which version, for whom.
type content struct {
	path    string
	version int64
	who     string
	size    int
}

// everyone is for whom pages are that are not personal.
const everyone = "everyone"

// String is what stands in the field X-Page, and at the beginning of the body.
func (c content) String() string {
	return fmt.Sprintf("%s version %d for %s of %d bytes", c.path, c.version, c.who, c.size)
}

func parseContent(text string) (c content, err error) {
	n, err := fmt.Sscanf(text, "%s version %d for %s of %d bytes", &c.path, &c.version, &c.who, &c.size)
	if err != nil || n != 4 || c.String() != text {
		return c, fmt.Errorf("%q says nothing of a page", text)
	}
	return c, nil
}

func (c content) etag() string {
	return fmt.Sprintf(`"%s-%d"`, strings.ReplaceAll(c.path, "/", "."), c.version)
}

// filler is what bodies are cut out of. It has no state of anybody's.
var filler = []byte(strings.Repeat("it is a good thing and costs little, so everybody is glad to have one of them at home. ", 1500))

// body makes the body, anew at each call.
func (c content) body() []byte {
	if c.size == 0 {
		return nil
	}
	b := append(make([]byte, 0, c.size), c.String()...)
	b = append(b, '\n')
	for offset := c.offset(); len(b) < c.size; offset = 0 {
		b = append(b, filler[offset:min(len(filler), offset+c.size-len(b))]...)
	}
	return b
}

func (c content) offset() int {
	h := fnv.New32a()
	fmt.Fprint(h, c.path, c.version)
	return int(h.Sum32()) % len(filler)
}

// differs says where the bytes are not those of the body from the offset on.
func (c content) differs(got []byte, from int) error {
	want := c.body()
	if from > len(want) || len(got) > len(want)-from {
		return fmt.Errorf("%d bytes from %d on, of a body of %d", len(got), from, len(want))
	}
	want = want[from : from+len(got)]
	if bytes.Equal(got, want) {
		return nil
	}
	i := 0
	for got[i] == want[i] {
		i++
	}
	end := min(i+40, len(got))
	return fmt.Errorf("at byte %d it has %q instead of %q", from+i, got[i:end], want[i:end])
}
