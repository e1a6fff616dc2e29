package search

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// page64 is HTML of 64 KiB.
var page64 = func() []byte {
	r := rand.New(rand.NewPCG(1, 1))
	words := strings.Fields("the and for with order product summer shipping price detail service account token number first water please contact about")
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title></head><body class="page">`)
	for b.Len() < 64<<10 {
		word := words[r.IntN(len(words))]
		fmt.Fprintf(&b, `<div class="card card-%d" id="item-%d"><a href="/products/%d-%s"><img src="https://cdn.example.com/images/%x.jpg" alt="%[4]s" width="320"></a></div>`+"\n", r.IntN(9), r.IntN(9999), r.IntN(99999), word, r.Uint64())
		b.WriteString("<p>")
		for range 30 {
			b.WriteString(words[r.IntN(len(words))] + " ")
		}
		fmt.Fprintf(&b, "</p>\n"+`<form action="/cart/%d" method="post"><input type="hidden" name="product_id" value="%d"><button type="submit">Add</button></form>`+"\n", r.IntN(9), r.IntN(9999))
		fmt.Fprintf(&b, `<script>window.data=window.data||[];data.push({"id":%d,"name":"%s","price":"%d.00"});</script>`+"\n", r.IntN(9999), word, r.IntN(99))
	}
	return []byte(b.String()[:64<<10])
}()

// names are like those that pages with state have in them.
var names = strings.Fields(`csrf xsrf _token authenticity_token csrfmiddlewaretoken __requestverificationtoken
	__viewstate __eventvalidation nonce- nonce= jsessionid phpsessid ;jsessionid= sid= sessionid session_id
	__next_data__ __nuxt__ __initial_state__ __apollo_state__ "user": "email": "currentuser "accesstoken
	access_token refresh_token eyjh wpnonce _wpnonce form_build_id form_token javax.faces.viewstate wicket:
	laravel_session csp-nonce "username logged_in "userid bearer mailto:`)

func atLeast(n int, literals []string) (out []string) {
	for _, l := range literals {
		if len(l) >= n {
			out = append(out, l)
		}
	}
	return out
}

// random are values such as visitors send.
func random(n, shortest int) []string {
	r := rand.New(rand.NewPCG(2, 2))
	values := make([]string, n)
	for i := range values {
		var b strings.Builder
		for range shortest + r.IntN(40) {
			b.WriteByte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[r.IntN(62)])
		}
		values[i] = b.String()
	}
	return values
}

func BenchmarkEach(b *testing.B) {
	for _, bm := range []struct {
		name     string
		literals []string
		fold     bool
	}{
		{"40 names from 4 bytes", names, true},
		{"32 names from 6 bytes", atLeast(6, names), true},
		{"20 names from 9 bytes", atLeast(9, names), true},
		{"1 value from 6 bytes", random(1, 6), false},
		{"8 values from 6 bytes", random(8, 6), false},
		{"60 values from 6 bytes", random(60, 6), false},
		{"60 values from 12 bytes", random(60, 12), false},
		{"250 values from 12 bytes", random(250, 12), false},
	} {
		b.Run(bm.name, func(b *testing.B) {
			s := New(bm.literals, bm.fold)
			b.Run("set", func(b *testing.B) {
				b.SetBytes(int64(len(page64)))
				b.ReportAllocs()
				for b.Loop() {
					s.Each(page64, func(int, int) bool { return true })
				}
			})
			b.Run("bytes.Index", func(b *testing.B) { // one literal after the other
				b.SetBytes(int64(len(page64)))
				for b.Loop() {
					text := page64
					if bm.fold {
						text = bytes.ToLower(text)
					}
					for _, l := range bm.literals {
						bytes.Index(text, []byte(l))
					}
				}
			})
		})
	}
}

// The worst texts: every place looks like the beginning of every literal.
func BenchmarkEachHostile(b *testing.B) {
	as := strings.Repeat("a", 60)
	almost := make([]string, 250)
	for i := range almost {
		almost[i] = as + fmt.Sprint(i)
	}
	text := []byte(strings.Repeat("a", 64<<10))
	for _, bm := range []struct {
		name     string
		literals []string
	}{
		{"1 literal", almost[:1]},
		{"250 literals", almost},
	} {
		b.Run(bm.name, func(b *testing.B) {
			s := New(bm.literals, false)
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				s.Each(text, func(int, int) bool { return true })
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{1, 8, 60, 250} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			literals := random(n, 8)
			b.ReportAllocs()
			for b.Loop() {
				New(literals, false)
			}
		})
	}
}
