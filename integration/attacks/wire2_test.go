package attacks

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer2 is an HTTP/2 connection that sends whatever header list it is given.
type peer2 struct {
	framer  *http2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer
	stream  uint32
}

func newPeer2(conn net.Conn) (*peer2, error) {
	p := &peer2{framer: http2.NewFramer(conn, conn), stream: 1}
	p.encoder = hpack.NewEncoder(&p.block)
	p.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.framer.AllowIllegalWrites = true
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		return nil, err
	}
	return p, p.framer.WriteSettings()
}

// encode is the header block of a list.
func (p *peer2) encode(list []field) []byte {
	p.block.Reset()
	for _, f := range list {
		// Writing into a buffer does not fail.
		_ = p.encoder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value})
	}
	return p.block.Bytes()
}

const maxFrame = 16 << 10 // RFC 9113 §4.2: what every peer accepts

// send opens a stream with the request and returns its number.
func (p *peer2) send(r *request) (uint32, error) {
	id := p.stream
	p.stream += 2
	block := p.encode(r.headerList())
	first := block[:min(len(block), maxFrame)]
	block = block[len(first):]
	err := p.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: first, EndStream: r.body == "", EndHeaders: len(block) == 0,
	})
	for err == nil && len(block) > 0 {
		next := block[:min(len(block), maxFrame)]
		block = block[len(next):]
		err = p.framer.WriteContinuation(id, len(block) == 0, next)
	}
	if err == nil && r.body != "" {
		err = p.framer.WriteData(id, true, []byte(r.body))
	}
	return id, err
}

var errReset = errors.New("the stream was reset")

// ask sends the request and reads until its stream ends.
func (p *peer2) ask(r *request) answer {
	id, sent := p.send(r)
	// Where sending failed, the reason may still be there to read.
	a := p.await(id)
	if a.err != nil && sent != nil {
		a.err = errors.Join(sent, a.err)
	}
	return a
}

func (p *peer2) await(id uint32) answer {
	var a answer
	for {
		frame, err := p.framer.ReadFrame()
		if err != nil {
			return answer{err: err}
		}
		ended := false
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = p.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				err = p.framer.WritePing(true, f.Data)
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return answer{err: fmt.Errorf("GOAWAY %v %s", f.ErrCode, f.DebugData())}
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == id {
				return answer{err: fmt.Errorf("%w: %v", errReset, f.ErrCode)}
			}
		case *http2.MetaHeadersFrame:
			if f.StreamID == id {
				ended = f.StreamEnded()
				a.take(f)
			}
		case *http2.DataFrame:
			if f.StreamID == id {
				a.body = append(a.body, f.Data()...)
				ended = f.StreamEnded()
			}
			if n := len(f.Data()); n > 0 && err == nil {
				err = p.framer.WriteWindowUpdate(0, uint32(n))
			}
		}
		switch {
		case err != nil:
			return answer{err: err}
		case ended:
			return a
		}
	}
}

// take takes a head; that of trailers has no status.
func (a *answer) take(f *http2.MetaHeadersFrame) {
	if status, err := strconv.Atoi(f.PseudoValue("status")); err == nil {
		a.status, a.header = status, make(http.Header)
	}
	for _, h := range f.RegularFields() {
		a.header.Add(h.Name, h.Value)
	}
}
