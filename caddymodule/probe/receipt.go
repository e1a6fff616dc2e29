package probe

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"
)

// ReceiptField is the response header field that has the receipt.
const ReceiptField = "Cacheward-Receipt"

// Receipt is what an edge received of a probe, and what it permitted downstream. Only who
// knows the secret can read or make one: it travels through caches, and may be given to
// anybody with the copy of an answer.
type Receipt struct {
	// Nonce is the one of the request that this is the receipt of.
	Nonce Nonce `json:"n"`
	// At is when the answer's head left the edge, in milliseconds since 1970.
	At int64 `json:"t"`
	// Method, Scheme, Host and URI (path and query) are as the edge received them.
	Method string `json:"m"`
	Scheme string `json:"s"`
	Host   string `json:"h"`
	URI    string `json:"u"`
	// Received are the request header fields that came with it: lower-case names, and a
	// [Secret.Digest] of the values, so that the prober sees which of its own arrived. At
	// most MaxReceived.
	Received map[string]string `json:"r,omitempty"`
	// Route and Outcome are those of the audit record; Reasons its reason codes.
	Route   string   `json:"o"`
	Outcome string   `json:"d"`
	Reasons []string `json:"w,omitempty"`
	// Key is a digest of the cache key, empty where there is none.
	Key string `json:"k,omitempty"`
	// Keyed are the inputs that are in the key with their exact value: "param ref",
	// "cookie lang", "header X-Site". Who differs in one of these must not be given the
	// answer.
	Keyed []string `json:"i,omitempty"`
	// Shared says that caches downstream were permitted to give the answer to others, for
	// TTL seconds.
	Shared bool  `json:"c,omitempty"`
	TTL    int64 `json:"l,omitempty"`
	// Later says that they were permitted to keep it, and to give it to others once they
	// have asked again, or stale: what they then give has this receipt still, unless they
	// take over the fields of the confirmation.
	Later bool `json:"e,omitempty"`
}

// MaxReceived bounds the fields that a receipt tells of.
const MaxReceived = 32

// maxReceipt bounds the text of a receipt, for who reads one.
const maxReceipt = 16 << 10

// Time is At.
func (r Receipt) Time() time.Time { return time.UnixMilli(r.At) }

// Seal returns the field's value.
func (s *Secret) Seal(r Receipt) (string, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, nil)), nil
}

// ErrForeignReceipt is for a field that no edge with this secret has made.
var ErrForeignReceipt = errors.New("not a receipt that was made with this secret")

// Open reads the field's value.
func (s *Secret) Open(value string) (Receipt, error) {
	if len(value) > maxReceipt {
		return Receipt{}, ErrForeignReceipt
	}
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return Receipt{}, ErrForeignReceipt
	}
	plain, err := s.aead.Open(nil, nil, sealed, nil)
	if err != nil {
		return Receipt{}, ErrForeignReceipt
	}
	var r Receipt
	if err := json.Unmarshal(plain, &r); err != nil {
		return Receipt{}, ErrForeignReceipt
	}
	return r, nil
}

// Digest is what a receipt says of a value: enough to recognise one that is known.
func (s *Secret) Digest(value string) string {
	h := s.hash()
	h.Write([]byte("value "))
	h.Write([]byte(value))
	return hex.EncodeToString(h.Sum(nil)[:6])
}
