package command

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cacheward/cacheward/caddymodule/explain"
)

// readResponse reads the response that the command line names. Notes are what people
// should know of how it was read.
func (x *explainer) readResponse() (*explain.Response, []string, error) {
	src := x.stdin
	if x.response != "-" {
		f, err := os.Open(x.response)
		if err != nil {
			return nil, nil, fmt.Errorf("reading the response: %w", err)
		}
		defer f.Close()
		src = f
	}
	// A head in front of the largest body that is looked at.
	data, err := io.ReadAll(io.LimitReader(src, maxBody+1<<20))
	if err != nil {
		return nil, nil, fmt.Errorf("reading the response: %w", err)
	}
	response, notes, err := parseResponse(data)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the response in %s: %w", x.response, err)
	}
	return response, notes, nil
}

// parseResponse reads a response as curl -i prints it: heads of 1xx responses, the head
// (lines may end in LF alone), an empty line, the body. Curl has undone the transfer
// coding, and with --compressed the content coding as well, but prints their fields.
func parseResponse(data []byte) (*explain.Response, []string, error) {
	r := &explain.Response{}
	for {
		status, header, rest, err := parseHead(data)
		if err != nil {
			return nil, nil, err
		}
		data = rest
		if status >= 200 || status == http.StatusSwitchingProtocols {
			r.Status, r.Header = status, header
			break
		}
		r.Informational = append(r.Informational, header)
	}
	if _, _, _, err := parseHead(data); err == nil {
		return nil, nil, errors.New("it has several responses; ask without curl's -L, and with --suppress-connect-headers")
	}
	r.Header.Del("Transfer-Encoding")
	r.Body = data
	var notes []string
	if coding := r.Header.Get("Content-Encoding"); coding != "" && len(data) > 0 && isText(data) {
		r.Header.Del("Content-Encoding")
		r.Header.Del("Content-Length")
		notes = append(notes, fmt.Sprintf("the body is text although Content-Encoding says %s: it is taken as already decoded, as curl --compressed does", coding))
	}
	if n, err := strconv.Atoi(r.Header.Get("Content-Length")); err == nil && n > 0 && len(data) == 0 {
		notes = append(notes, "the response has no body although Content-Length says so: only its head is judged")
	}
	return r, notes, nil
}

// parseHead reads a status line (RFC 9112 §4) and the fields after it.
func parseHead(data []byte) (status int, header http.Header, rest []byte, err error) {
	head, rest, ok := cutHead(data)
	if !ok {
		head, rest = data, nil // a head alone, without the empty line
	}
	line, fields, _ := bytes.Cut(head, []byte("\n"))
	words := strings.Fields(string(line))
	if len(words) < 2 || !strings.HasPrefix(words[0], "HTTP/") {
		return 0, nil, nil, errors.New("it does not begin with a status line (HTTP/1.1 200 OK); curl -i prints one")
	}
	if status, err = strconv.Atoi(words[1]); err != nil || status < 100 || status > 999 {
		return 0, nil, nil, fmt.Errorf("%q is no status", words[1])
	}
	read, err := textproto.NewReader(bufio.NewReader(io.MultiReader(bytes.NewReader(fields), strings.NewReader("\r\n\r\n")))).ReadMIMEHeader()
	if err != nil {
		return 0, nil, nil, fmt.Errorf("the fields cannot be read: %w", err)
	}
	return status, http.Header(read), rest, nil
}

// cutHead cuts at the first empty line.
func cutHead(data []byte) (head, rest []byte, ok bool) {
	for at := 0; at < len(data); {
		end := bytes.IndexByte(data[at:], '\n')
		if end < 0 {
			return nil, nil, false
		}
		if line := bytes.TrimSuffix(data[at:at+end], []byte("\r")); len(line) == 0 && at > 0 {
			return data[:at], data[at+end+1:], true
		}
		at += end + 1
	}
	return nil, nil, false
}

// isText says whether no content coding is on the bytes, as far as can be told.
func isText(data []byte) bool {
	sample := data[:min(len(data), 4<<10)]
	for len(sample) > 0 {
		r, size := utf8.DecodeRune(sample)
		if r == utf8.RuneError && size == 1 {
			return len(sample) < utf8.UTFMax // cut within a character
		}
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return false
		}
		sample = sample[size:]
	}
	return true
}
