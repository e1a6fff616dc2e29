package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/explain"
	"github.com/cacheward/cacheward/policies/lint"
)

// ask answers by the policies that the command line names, or that are found.
func (x *explainer) ask(_ context.Context, q explain.Question) (*explain.Answer, error) {
	if x.units == nil {
		units, err := x.load()
		if err != nil {
			return nil, err
		}
		x.units = units
	}
	answer := &explain.Answer{Schema: explain.Schema}
	for _, u := range x.units {
		for i := range u.Scopes {
			s := &u.Scopes[i]
			if s.Compiled == nil {
				continue
			}
			name := u.Name
			if s.Pos.Line > 0 {
				name = s.Pos.String()
			}
			report, err := explain.Ask(name, s.Policy, s.Compiled, q)
			if err != nil {
				return nil, err
			}
			if forHost(s.Hosts, report.Explanations[0].Request.Host) {
				answer.Reports = append(answer.Reports, report)
			}
		}
	}
	answer.Reports = telling(answer.Reports)
	if len(answer.Reports) == 0 {
		return nil, fmt.Errorf("no policy is in force for %s: the sites with a cacheward directive are for other hosts", q.Requests[0].URL)
	}
	return answer, nil
}

// telling are those of several reports in which a route matches, or else the first.
func telling(reports []*explain.Report) []*explain.Report {
	var governed []*explain.Report
	for _, r := range reports {
		if r.Governed() {
			governed = append(governed, r)
		}
	}
	if len(governed) == 0 && len(reports) > 0 {
		return reports[:1]
	}
	return governed
}

// load reads the policies. What is wrong with them is told, and an error if nothing is
// left.
func (x *explainer) load() ([]*lint.Unit, error) {
	var units []*lint.Unit
	switch {
	case x.policy == "-":
		data, err := io.ReadAll(io.LimitReader(x.stdin, lint.MaxInput+1))
		if err != nil {
			return nil, fmt.Errorf("reading the policy: %w", err)
		}
		units = append(units, lint.Load("<stdin>", data))
	case x.policy != "":
		units = append(units, load(x.policy))
	case x.config != "":
		units = append(units, load(x.config))
	default:
		files, err := discover()
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, errors.New("there is no Caddyfile and no policy here; name one with --policy or --config, or ask the running proxy with --live")
		}
		for _, f := range files {
			units = append(units, load(f.name))
		}
	}
	usable := false
	for _, u := range units {
		for _, fault := range u.Faults {
			fmt.Fprintln(x.stderr, fault)
		}
		for i := range u.Scopes {
			usable = usable || u.Scopes[i].Compiled != nil
		}
	}
	switch {
	case usable:
		return units, nil
	case x.config != "":
		return nil, fmt.Errorf("%s has no cacheward directive that can be judged", x.config)
	}
	return nil, errors.New("no policy can be judged")
}

// forHost says whether a site of these hosts, as a Caddyfile writes them, gets requests
// for a host. No hosts: any.
func forHost(hosts []string, host string) bool {
	if u, err := url.Parse("//" + host); err == nil {
		host = u.Hostname()
	}
	for _, pattern := range hosts {
		if u, err := url.Parse("//" + pattern); err == nil && u.Hostname() != "" {
			pattern = u.Hostname()
		}
		rest, wild := strings.CutPrefix(pattern, "*.")
		if strings.EqualFold(pattern, host) {
			return true
		}
		// A star is one label in Caddy.
		if _, parent, ok := strings.Cut(host, "."); wild && ok && strings.EqualFold(parent, rest) {
			return true
		}
	}
	return len(hosts) == 0
}
