package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/cacheward/cacheward/caddymodule/control"
)

// connectTime bounds how long connecting to the admin endpoint takes. The answer may take
// as long as it takes: a purge looks at every object.
const connectTime = 10 * time.Second

// patience is after how long a person is told what is being waited for.
const patience = time.Second

// maxRefusal bounds what is read of an answer that is an error.
const maxRefusal = 64 << 10

// ask asks the running proxy. Caddy's own client of the endpoint neither ends with the
// context nor gives up connecting.
func (c *controller) ask(ctx context.Context, method, path string, question, answer any) error {
	address, err := caddycmd.DetermineAdminAPIAddress(c.address, nil, c.config, "")
	if err != nil {
		return fmt.Errorf("finding the admin endpoint: %w", err)
	}
	if c.onTerminal(c.stderr) {
		waiting := time.AfterFunc(patience, func() { fmt.Fprintf(c.stderr, "cacheward %s: waiting for the proxy at %s …\n", c.verb, address) })
		defer waiting.Stop()
	}
	req, client, err := adminRequest(ctx, address, method, path, question)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	// Whether an order was carried out is not known once it may have been sent.
	unknown := func(err error) error {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		if method == http.MethodGet {
			return fmt.Errorf("asking the proxy at %s: %w", address, err)
		}
		return unknownError{fmt.Errorf("asking the proxy at %s: %w: whether it was done is not known; look with cacheward status, and ask again", address, err)}
	}
	resp, err := client.Do(req)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return fmt.Errorf("no proxy answers at %s: %w; is it running, and is this its admin address? --address or --config says where it is", address, op.Err)
	}
	if err != nil {
		return unknown(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusal(address, path, resp)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return unknown(err)
	}
	if err := readAnswer(data, answer); err != nil {
		if method != http.MethodGet {
			return unknownError{fmt.Errorf("the proxy at %s has done something, but %w", address, err)}
		}
		return fmt.Errorf("the proxy at %s answered, but %w", address, err)
	}
	return nil
}

// readAnswer reads an answer of the schema's version. It may have members that are new.
func readAnswer(data []byte, answer any) error {
	var version struct {
		Schema *int `json:"schema"`
	}
	switch err := json.Unmarshal(data, &version); {
	case len(data) > maxAnswer:
		return fmt.Errorf("its answer has more than %d MiB: ask for less", maxAnswer>>20)
	case err != nil:
		return fmt.Errorf("its answer cannot be read: %w", err)
	case version.Schema != nil && *version.Schema != control.Schema:
		return fmt.Errorf("it answers in version %d of the schema and this command reads %d: use the proxy's own binary", *version.Schema, control.Schema)
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("its answer cannot be read: %w", err)
	}
	return nil
}

// adminRequest makes a request for the endpoint, and a client that reaches it.
func adminRequest(ctx context.Context, address, method, path string, question any) (*http.Request, *http.Client, error) {
	at, err := caddy.ParseNetworkAddress(address)
	if err != nil || at.PortRangeSize() > 1 || !at.IsUnixNetwork() && !strings.HasPrefix(at.Network, "tcp") {
		return nil, nil, fmt.Errorf("%q is no admin address; localhost:2019 or unix//run/caddy-admin.sock was expected", address)
	}
	origin := "http://" + at.JoinHostPort(0)
	if at.IsUnixNetwork() {
		origin = "http://127.0.0.1"               // a socket has no name; Caddy accepts this one
		at.Host, _, _ = strings.Cut(at.Host, "|") // the socket's permissions
	}
	var body io.Reader
	if question != nil {
		text, err := json.Marshal(question)
		if err != nil {
			return nil, nil, fmt.Errorf("writing the question: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, origin+path, body)
	if err != nil {
		return nil, nil, fmt.Errorf("%q is no admin address: %w", address, err)
	}
	if !at.IsUnixNetwork() {
		req.Header.Set("Origin", origin)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	dialer := net.Dialer{Timeout: connectTime}
	return req, &http.Client{
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, at.Network, at.JoinHostPort(0))
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// refusal is what an answer that is an error says. Nothing was done.
func refusal(address, path string, resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal))
	if err != nil {
		return fmt.Errorf("the proxy at %s answered %s, and broke off", address, resp.Status)
	}
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(text, &said) == nil && said.Error != "" {
		return errors.New(said.Error)
	}
	if resp.StatusCode == http.StatusNotFound {
		path, _, _ = strings.Cut(path, "?")
		return fmt.Errorf("what answers at %s has no %s: it is a Caddy without Cacheward, with an older one, or no Caddy", address, path)
	}
	return fmt.Errorf("what answers at %s says %s, which no proxy with Cacheward does", address, resp.Status)
}
