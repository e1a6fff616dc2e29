package origin

import "net/http"

// EndsUnseen reports whether a body ends where its connection does and nothing else says so
// (RFC 9112 §6.3): one that was cut off looks the same. TLS tells the two apart, and so do
// the codings that http.Transport undoes by itself.
func EndsUnseen(res *http.Response) bool {
	return res.ProtoMajor == 1 && res.ContentLength < 0 && len(res.TransferEncoding) == 0 &&
		!res.Uncompressed && res.TLS == nil && res.Body != http.NoBody &&
		(res.Request == nil || res.Request.Method != http.MethodHead)
}
