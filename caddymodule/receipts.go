package caddymodule

import (
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/probe"
	"github.com/cacheward/cacheward/caddymodule/store"
)

// receipts gives probes that are signed with the secret their receipts.
type receipts struct {
	secret   *probe.Secret
	verifier *probe.Verifier
	logger   *zap.Logger
}

func newReceipts(secret *probe.Secret, logger *zap.Logger) *receipts {
	return &receipts{secret: secret, verifier: probe.NewVerifier(secret), logger: logger}
}

// receive takes the mark off a probe, before anything looks at the request: it is judged,
// keyed and sent on as that of the visitor whom it plays. If the mark is good, the answer
// will have a receipt. Whoever is not signed, or was before, is an ordinary visitor.
func (x *exchange) receive() {
	marks, marked := x.r.Header[probe.SignatureField]
	if !marked {
		return
	}
	delete(x.r.Header, probe.SignatureField)
	if len(marks) != 1 {
		return
	}
	nonce, err := x.h.receipts.verifier.Verify(marks[0], x.started)
	if err != nil {
		x.h.receipts.logger.Debug("no receipt for a probe", zap.Error(err))
		return
	}
	x.probe = &receiptWriter{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: x.w},
		x:                     x, receipts: x.h.receipts, receipt: x.h.receipts.begin(x.r, nonce),
	}
	x.w = x.probe
}

// begin notes what was received.
func (rs *receipts) begin(r *http.Request, nonce probe.Nonce) probe.Receipt {
	uri := r.URL
	if orig, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok && orig.URL != nil {
		uri = orig.URL // before what handlers above have made of it
	}
	receipt := probe.Receipt{
		Nonce: nonce, Method: r.Method, Scheme: scheme(r, varsOf(r)), Host: strings.ToLower(r.Host), URI: uri.RequestURI(),
		Received: make(map[string]string),
	}
	for name, lines := range r.Header {
		if len(receipt.Received) == probe.MaxReceived {
			break
		}
		receipt.Received[strings.ToLower(name)] = rs.secret.Digest(strings.Join(lines, ", "))
	}
	return receipt
}

// receiptWriter adds the receipt to the answer of a probe, as its head leaves. What is
// stored never has it: that is made of the origin's head, not of this one.
type receiptWriter struct {
	*caddyhttp.ResponseWriterWrapper
	x        *exchange
	receipts *receipts
	receipt  probe.Receipt
	headed   bool
}

func (w *receiptWriter) WriteHeader(status int) {
	if !w.headed && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.add()
	}
	w.ResponseWriterWrapper.WriteHeader(status)
}

func (w *receiptWriter) Write(p []byte) (int, error) {
	if !w.headed {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriterWrapper.Write(p)
}

// add seals what is known of the exchange now, and says so in the head.
func (w *receiptWriter) add() {
	w.headed = true
	x, h := w.x, w.Header()
	r := &w.receipt
	r.At = time.Now().UnixMilli()
	r.Route, r.Outcome, r.Reasons = x.ruleName(), string(x.outcome), reasonCodes(x.reasons)
	if x.key != (store.Key{}) {
		r.Key = hex.EncodeToString(x.key[:8])
		for _, input := range x.rule.KeyedExactly(&x.parts) {
			r.Keyed = append(r.Keyed, input.String())
		}
	}
	ttl, shared := httpcache.Permitted(h)
	r.Shared, r.TTL, r.Later = shared, int64(ttl/time.Second), httpcache.PermittedLater(h)
	text, err := w.receipts.secret.Seal(*r)
	if err != nil {
		w.receipts.logger.Error("sealing a probe's receipt", zap.Error(err))
		return
	}
	h[probe.ReceiptField] = []string{text}
}

// settle has an answer that others will write, an error's page, say whose it is too.
func (w *receiptWriter) settle() {
	if !w.headed {
		w.add()
	}
}

// Interface guard
var _ http.ResponseWriter = (*receiptWriter)(nil)
