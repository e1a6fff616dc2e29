package inquiry

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// TestServedFitsTheTerminal: of one day and of two, with the widest values there are. Only
// commands to paste are left whole.
func TestServedFitsTheTerminal(t *testing.T) {
	for _, days := range []time.Duration{0, 24 * time.Hour} {
		entries := []*reading.Entry{}
		page := "https://www.registration.shop.example/register/landing-pages/" + strings.Repeat("x", 80)
		for n := range 40 {
			at := after(days*time.Duration(n/20) + time.Duration(n)*time.Minute)
			id := objectAt(at, n/2)
			visitor := fmt.Sprintf("3f2a-%012x", n)
			entries = append(entries, storeOf(id, at, page),
				serveOf(id, at, visitor, page+"?ref=A1&source=newsletter", "fill"),
				serveOf(id, at.Add(time.Second), visitor, page+"?ref=B2&source=newsletter&gclid=h:123456789abc", "revalidated"),
				&reading.Entry{Time: at.Add(2 * time.Second), Event: audit.EventWithdraw, Key: pageKey, Object: id, Reasons: []string{"divergent"}})
		}
		for _, width := range []int{80, 100, 120, 160} {
			o := TextOptions{Width: width}
			for name, text := range map[string]func(*bytes.Buffer) error{
				"served": func(b *bytes.Buffer) error {
					return served(t, ServedOptions{Keys: []string{pageKey}}, entries...).Text(b, o)
				},
				"attribution": func(b *bytes.Buffer) error {
					a, err := fed(NewAttribution(AttributionOptions{}), entries...).Answer(AnswerOptions{})
					if err != nil {
						return err
					}
					return a.Text(b, o)
				},
				"objects": func(b *bytes.Buffer) error {
					a, err := fed(NewObjects(ObjectsOptions{}), entries...).Answer(AnswerOptions{})
					if err != nil {
						return err
					}
					return a.Text(b, o)
				},
			} {
				var b bytes.Buffer
				if err := text(&b); err != nil {
					t.Fatal(err)
				}
				for line := range strings.Lines(b.String()) {
					if line = strings.TrimSuffix(line, "\n"); show.Width(line) > width && !strings.HasPrefix(line, "  cacheward ") {
						t.Errorf("%s at %d cells, %v: %d in %q", name, width, days, show.Width(line), line)
					}
				}
				if days > 0 && name == "attribution" && strings.Count(b.String(), "\n"+show.Day(after(days), nil)+"\n") != 1 {
					t.Errorf("at %d cells, the second day is not told once:\n%s", width, &b)
				}
			}
		}
	}
}
