package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/cacheward/cacheward/caddymodule/explain"
)

// maxAnswer bounds what an admin endpoint may answer.
const maxAnswer = 64 << 20

// askRunning asks the running proxy.
func (x *explainer) askRunning(_ context.Context, q explain.Question) (*explain.Answer, error) {
	address, err := caddycmd.DetermineAdminAPIAddress(x.address, nil, x.config, "")
	if err != nil {
		return nil, fmt.Errorf("finding the admin endpoint: %w", err)
	}
	body, err := json.Marshal(q)
	if err != nil {
		return nil, fmt.Errorf("writing the question: %w", err)
	}
	resp, err := caddycmd.AdminAPIRequest(address, http.MethodPost, "/cacheward/explain", nil, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("asking the admin endpoint at %s: %w", address, err)
	}
	defer resp.Body.Close()
	var answer explain.Answer
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("reading the answer of the admin endpoint at %s: %w", address, err)
	}
	if answer.Schema != explain.Schema {
		return nil, fmt.Errorf("the proxy at %s answers in version %d of the schema; this command reads %d: use the proxy's own binary", address, answer.Schema, explain.Schema)
	}
	switch len(answer.Reports) {
	case 0:
		return nil, errors.New("the running configuration has no cacheward handler")
	case 1:
	default: // a handler does not know its site's hosts: none of them may be left out
		fmt.Fprintln(x.stderr, "cacheward explain: several handlers run; the one of the site that the request reaches is the one that counts")
	}
	return &answer, nil
}
