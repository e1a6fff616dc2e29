package attribution

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/cacheward/cacheward/integration/edge"
)

// field is a header field as its sender writes it, faults and all.
type field struct{ name, value string }

// message is a request of which nothing is checked, so that it can say what no client
// library would send.
type message struct {
	method, host, target string
	fields               []field
	body                 string
	trailer              []field
}

// wire is a way to the edge.
type wire struct {
	address, scheme string
	h2              bool
}

func (w wire) String() string {
	if w.h2 {
		return w.scheme + " HTTP/2"
	}
	return w.scheme + " HTTP/1.1"
}

// ask sends the message on a connection of its own.
func (w wire) ask(m message) (answer, error) {
	conn, err := net.DialTimeout("tcp", w.address, edge.Patience)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetLinger(0)
	if err := conn.SetDeadline(time.Now().Add(edge.Patience)); err != nil {
		return answer{}, err
	}
	if w.scheme == "https" {
		protocols := []string{"http/1.1"}
		if w.h2 {
			protocols = []string{"h2"}
		}
		conn = tls.Client(conn, &tls.Config{ServerName: m.host, InsecureSkipVerify: true, NextProtos: protocols})
	}
	if w.h2 {
		return ask2(conn, m, w.scheme)
	}
	return ask1(conn, m)
}

// ask1 speaks HTTP/1.1. With a trailer the body is chunked.
func ask1(conn net.Conn, m message) (answer, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", m.method, m.target, m.host)
	for _, f := range m.fields {
		fmt.Fprintf(&b, "%s: %s\r\n", f.name, f.value)
	}
	switch {
	case m.trailer != nil:
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n", len(m.body), m.body)
		for _, f := range m.trailer {
			fmt.Fprintf(&b, "%s: %s\r\n", f.name, f.value)
		}
		b.WriteString("\r\n")
	case m.body != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(m.body), m.body)
	default:
		b.WriteString("\r\n")
	}
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return answer{}, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: m.method})
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, res.Cookies(), string(body)}, err
}

// ask2 speaks HTTP/2, with whatever header list the message has.
func ask2(conn net.Conn, m message, scheme string) (answer, error) {
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return answer{}, err
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.AllowIllegalWrites = true
	head := append([]field{{":method", m.method}, {":scheme", scheme}, {":authority", m.host}, {":path", m.target}}, m.fields...)
	ends := m.body == "" && m.trailer == nil
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	err := errors.Join(framer.WriteSettings(), writeBlock(framer, encoder, &block, head, ends))
	if err == nil && !ends {
		err = framer.WriteData(1, m.trailer == nil, []byte(m.body))
	}
	if err == nil && m.trailer != nil {
		err = writeBlock(framer, encoder, &block, m.trailer, true)
	}
	if err != nil {
		return answer{}, err
	}
	return read2(framer)
}

func writeBlock(framer *http2.Framer, encoder *hpack.Encoder, block *bytes.Buffer, list []field, ends bool) error {
	const maxFrame = 16 << 10 // RFC 9113 §4.2: what every peer accepts
	block.Reset()
	for _, f := range list {
		if err := encoder.WriteField(hpack.HeaderField{Name: strings.ToLower(f.name), Value: f.value}); err != nil {
			return err
		}
	}
	rest := block.Bytes()
	first := rest[:min(len(rest), maxFrame)]
	rest = rest[len(first):]
	err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first, EndStream: ends, EndHeaders: len(rest) == 0})
	for err == nil && len(rest) > 0 {
		next := rest[:min(len(rest), maxFrame)]
		rest = rest[len(next):]
		err = framer.WriteContinuation(1, len(rest) == 0, next)
	}
	return err
}

// read2 reads until the only stream ends.
func read2(framer *http2.Framer) (a answer, err error) {
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return answer{}, err
		}
		ended := false
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return answer{}, fmt.Errorf("GOAWAY %v", f.ErrCode)
			}
		case *http2.RSTStreamFrame:
			return answer{}, fmt.Errorf("the stream was reset: %v", f.ErrCode)
		case *http2.MetaHeadersFrame:
			ended = f.StreamEnded()
			if status, err := strconv.Atoi(f.PseudoValue("status")); err == nil {
				a.status, a.header = status, http.Header{}
			}
			for _, h := range f.RegularFields() {
				a.header.Add(h.Name, h.Value)
			}
		case *http2.DataFrame:
			a.body += string(f.Data())
			ended = f.StreamEnded()
		}
		if err != nil {
			return answer{}, err
		}
		if ended {
			a.cookies = (&http.Response{Header: a.header}).Cookies()
			return a, nil
		}
	}
}
