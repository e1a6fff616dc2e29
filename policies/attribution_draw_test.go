package policies

import (
	"strconv"
	"time"

	"pgregory.net/rapid"
)

// drawAttribution draws valid attributions of names that other inputs do not have.
func drawAttribution(t *rapid.T) *Attribution {
	if rapid.Bool().Draw(t, "no attribution") {
		return nil
	}
	a := &Attribution{
		Params:  append(drawSome(t, []string{"at_ref", "at[x]", "at_utm_*"}), "at.source"),
		Referer: rapid.SampledFrom([]RefererUse{"", RefererHost, RefererFull}).Draw(t, "referer"),
		Model:   rapid.SampledFrom([]AttributionModel{"", ModelFirst, ModelLast, ModelLastPaid}).Draw(t, "model"),
		Paid:    drawSome(t, []string{"at_click", "at_utm_medium=cpc", "at_utm_medium=paid*"}),
		Carry:   rapid.SampledFrom([]Carry{"", CarryCookie, CarryBeacon, CarryBoth}).Draw(t, "carry"),
		Encrypt: rapid.SampledFrom([]Switch{"", On, Off}).Draw(t, "encrypt"),
	}
	if rapid.Bool().Draw(t, "window") {
		a.Window = Duration(time.Duration(rapid.Int64Range(60, 400*24*3600).Draw(t, "seconds")) * time.Second)
	}
	if a.Carry != CarryBeacon && rapid.Bool().Draw(t, "deliver") {
		a.Deliver = &Deliver{
			Paths: append(drawSome(t, []string{"/**/x", "*.do"}), "/register"),
			As:    rapid.SampledFrom([]DeliverAs{"", AsHeader, AsQuery, AsCookie}).Draw(t, "as"),
		}
	}
	if a.Carry == CarryBeacon || a.Carry == CarryBoth {
		a.Beacon = &Beacon{
			URL:   rapid.SampledFrom([]string{"http://localhost:3000/landings", "https://app.example/x?y=1&z={}"}).Draw(t, "url"),
			Batch: rapid.IntRange(0, maxBeaconBatch).Draw(t, "batch"),
			Queue: rapid.IntRange(0, maxBeaconQueue).Draw(t, "queue"),
			Sync:  rapid.SampledFrom([]string{"", SyncAlways, SyncInterval, SyncNever}).Draw(t, "sync"),
		}
		if rapid.Bool().Draw(t, "every") {
			a.Beacon.Every = Duration(time.Duration(rapid.Int64Range(10, 3_600_000).Draw(t, "milliseconds")) * time.Millisecond)
		}
	}
	if rapid.Bool().Draw(t, "consent") {
		a.Consent = &Consent{Cookie: "at_consent", Matches: rapid.SampledFrom([]string{"", "*marketing*", `*"ads": true*`}).Draw(t, "matches")}
	}
	return a
}

func (w *caddyWriter) attribution(a *Attribution) {
	if a == nil {
		return
	}
	w.block(func() {
		w.names([]string{"params"}, a.Params)
		w.optional("referer", string(a.Referer))
		w.optional("model", string(a.Model))
		w.names([]string{"paid"}, a.Paid)
		w.optional("carry", string(a.Carry))
		if a.Window != 0 {
			w.write("window", a.Window.String())
		}
		w.optional("encrypt", string(a.Encrypt))
		if d := a.Deliver; d != nil {
			words := []string{"deliver"}
			if d.As != "" {
				words = append(words, string(d.As))
			}
			w.write(append(words, d.Paths...)...)
		}
		w.beacon(a.Beacon)
		if c := a.Consent; c != nil && c.Matches == "" {
			w.write("consent", c.Cookie)
		} else if c != nil {
			w.write("consent", c.Cookie, c.Matches)
		}
	}, "attribution")
}

func (w *caddyWriter) beacon(b *Beacon) {
	switch {
	case b == nil:
	case *b == (Beacon{URL: b.URL}):
		w.write("beacon", b.URL)
	default:
		w.block(func() {
			if b.Batch != 0 {
				w.write("batch", strconv.Itoa(b.Batch))
			}
			if b.Every != 0 {
				w.write("every", b.Every.String())
			}
			if b.Queue != 0 {
				w.write("queue", strconv.Itoa(b.Queue))
			}
			w.optional("sync", b.Sync)
		}, "beacon", b.URL)
	}
}
