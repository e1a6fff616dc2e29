package corpus

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// The alphabets of the shapes that values are made in.
var alphabets = map[string]string{
	"hex":       "0123456789abcdef",
	"upperhex":  "0123456789ABCDEF",
	"alnum":     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
	"base64":    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	"base64url": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
}

// shaped makes a value out of bytes: "uuid", "jwt" or an alphabet and a length, as in
// hex-32.
func shaped(shape string, next func() byte) string {
	switch shape {
	case "uuid":
		h := shaped("hex-32", next)
		return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
	case "jwt":
		return "eyJhbGciOiJIUzI1NiJ9.eyJ" + shaped("alnum-61", next) + "." + shaped("base64url-43", next)
	}
	name, length, _ := strings.Cut(shape, "-")
	n, err := strconv.Atoi(length)
	alphabet := alphabets[name]
	if err != nil || alphabet == "" {
		panic(fmt.Sprintf("%q is no shape", shape)) // a template's mistake; text/template reports it
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[int(next())%len(alphabet)]
	}
	if n >= 8 { // one that by chance has no digit is of another shape
		lower, upper := "abcdef", "ABCDEF"
		switch name {
		case "hex":
			upper = lower
		case "upperhex":
			lower = upper
		}
		for i, kind := range []string{"0123456789", lower, upper} {
			b[n/2+i] = kind[int(next())%len(kind)]
		}
	}
	return string(b)
}

// random makes a value that nobody has had before.
func random(shape string) string {
	return shaped(shape, func() byte {
		var b [1]byte
		_, _ = rand.Read(b[:]) // never fails: crypto/rand.Read
		return b[0]
	})
}

// derived makes the value that always belongs to the seed.
func derived(seed, shape string) string {
	var sum []byte
	block := 0
	return shaped(shape, func() byte {
		if len(sum) == 0 {
			s := sha256.Sum256([]byte(strconv.Itoa(block) + seed))
			sum, block = s[:], block+1
		}
		b := sum[0]
		sum = sum[1:]
		return b
	})
}

// pick chooses from a list, always the same for a seed.
func pick(seed string, from []string) string {
	sum := sha256.Sum256([]byte(seed))
	return from[int(sum[0])%len(from)]
}

var (
	materials = strings.Fields("oak walnut linen wool copper steel glass stone bamboo cork felt leather ash birch")
	things    = strings.Fields("table lamp shelf chair kettle teapot blanket mirror basket vase clock stool tray bench rug bowl")
	virtues   = strings.Fields("quiet sturdy light simple warm plain narrow round deep bright soft heavy")
)

// product is an article of the shop that most pages show. It is the same for everybody.
type product struct {
	N                   int
	Name, Slug, SKU, ID string
	Image, Text, Added  string
	Cents, Stars, Stock int
}

func makeProduct(n int) product {
	seed := "product " + strconv.Itoa(n)
	material, thing, virtue := pick(seed+"m", materials), pick(seed+"t", things), pick(seed+"v", virtues)
	digits, _ := hex.DecodeString(derived(seed, "hex-8"))
	return product{
		N:     n,
		Name:  strings.ToUpper(virtue[:1]) + virtue[1:] + " " + material + " " + thing,
		Slug:  virtue + "-" + material + "-" + thing + "-" + strconv.Itoa(1000+n),
		SKU:   strings.ToUpper(material[:2]+thing[:2]) + "-" + strconv.Itoa(40000+7*n),
		ID:    derived(seed, "uuid"),
		Image: thing + "-" + derived(seed+"i", "hex-16") + ".webp",
		Text: fmt.Sprintf("A %s %s made of %s. It comes in %d sizes, leaves our workshop within %d days and can be returned for a month.",
			virtue, thing, material, 2+digits[0]%4, 2+digits[1]%9),
		Added: fmt.Sprintf("20%02d-%02d-%02dT09:%02d:00Z", 18+n%6, 1+n%12, 1+n%28, n%60),
		Cents: 1200 + int(digits[2])*100 + n%100,
		Stars: 3 + n%3,
		Stock: int(digits[3]) % 40,
	}
}

// Price is in the shop's one currency.
func (p product) Price() string { return fmt.Sprintf("%d.%02d", p.Cents/100, p.Cents%100) }
