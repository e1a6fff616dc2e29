package command

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/probe"
)

// nextStep says what can be done where nobody has answered, or nobody who is trusted; empty
// where everybody has.
func nextStep(r *probe.Report) string {
	var steps []string
	add := func(all ...string) {
		for _, step := range all {
			if step != "" && !slices.Contains(steps, step) {
				steps = append(steps, step)
			}
		}
	}
	for i := range r.URLs {
		u := &r.URLs[i]
		switch {
		case untrusted(u.Failure):
			add("--insecure accepts any certificate, if this is the right server", resolveStep(u.URL))
		case errors.Is(u.Failure, probe.ErrTimeout):
			add("--timeout waits longer", resolveStep(u.URL))
		case unconnected(u.Failure):
			add(resolveStep(u.URL))
		}
		if u.Edge != nil && untrusted(u.Edge.Failure) {
			add("--insecure accepts any certificate of the edge")
		}
	}
	return strings.Join(steps, "; ")
}

func untrusted(err error) bool {
	_, is := errors.AsType[*tls.CertificateVerificationError](err)
	return is
}

func unconnected(err error) bool {
	op, is := errors.AsType[*net.OpError](err)
	return is && op.Op == "dial"
}

// resolveStep is how to connect to another address in place of a URL's host. Empty for one
// that --resolve cannot name, such as an IPv6 address.
func resolveStep(text string) string {
	u, err := url.Parse(text)
	if err != nil || strings.Contains(u.Hostname(), ":") {
		return ""
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http":
		port = "80"
	default:
		port = "443"
	}
	return "--resolve " + strings.ToLower(u.Hostname()) + ":" + port + ":ADDRESS connects to another address"
}

// writable says why a file cannot be written, before there is anything to write; nil if
// nothing speaks against it. It leaves what there is as it is.
func writable(name string) error {
	info, err := os.Stat(name)
	switch {
	case err == nil && !info.IsDir() && !info.Mode().IsRegular():
		return nil // to open a pipe is to wait for its reader
	case err == nil:
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return cause(err)
		}
		return f.Close()
	case !errors.Is(err, os.ErrNotExist):
		return cause(err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".cacheward-*")
	if err != nil {
		return cause(err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
