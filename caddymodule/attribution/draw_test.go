package attribution

import (
	"strings"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// utm takes what the policies of the examples take.
func utm(name string) bool { return name == "ref" || strings.HasPrefix(name, "utm_") }

func unpaid(string, string) bool { return false }

// drawText draws 1 to max bytes of any text without control characters.
func drawText(t *rapid.T, label string, max int) string {
	s := rapid.OneOf(
		rapid.StringMatching(`[a-zA-Z0-9_-]{1,12}`),
		rapid.StringOfN(rapid.RuneFrom([]rune(`ab;=&%+ "'<>,\日é😀`)), 1, 20, max),
		rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return isText(string(r)) }), 1, max, max),
	).Draw(t, label)
	return s
}

// drawTouch draws what Read may return.
func drawTouch(t *rapid.T) Touch {
	touch := Touch{
		Landing: newLanding(),
		At:      time.Unix(rapid.Int64Range(0, maxTime).Draw(t, "at"), 0).UTC(),
		Referer: rapid.SampledFrom([]string{"", "search.example", "https://search.example/a/%E6%97%A5?q=x"}).Draw(t, "referer"),
		Paid:    rapid.Bool().Draw(t, "paid"),
	}
	for range rapid.IntRange(0, MaxValues).Draw(t, "values") {
		v := Value{drawText(t, "name", MaxName), drawText(t, "value", MaxValue)}
		if touch.has(v.Name) || touch.size()+len(v.Name)+len(v.Value) > maxContent {
			continue
		}
		touch.Values = append(touch.Values, v)
	}
	return touch
}

// drawQuery draws a query of pairs that parsers may meet.
func drawQuery(t *rapid.T) string {
	name := rapid.SampledFrom([]string{"", "ref", "r%65f", "%72%65%66", "REF", "ref[]", "utm_source", "utm%5Fsource", "utm_%zz", "a", "b%20c", "x+y", "日"})
	value := rapid.SampledFrom([]string{"", "=", "=1", "=A1%20B", "==", "=a=b", "=%zz", "=日", "=%00", "=?"})
	pairs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) string { return name.Draw(t, "name") + value.Draw(t, "value") }), 0, 8).Draw(t, "pairs")
	return strings.Join(pairs, "&")
}

// sameTouch compares with nil and empty alike.
func sameTouch(a, b Touch) bool {
	return a.Landing == b.Landing && a.At.Equal(b.At) && a.says(b)
}
