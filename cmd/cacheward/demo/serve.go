package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"strconv"
	"text/template"
)

// Where everything listens with --serve unless it is told otherwise.
const (
	serveAppV1 = "127.0.0.1:9200"
	serveAppV2 = "127.0.0.1:9201"
	serveAppV3 = "127.0.0.1:9202"
	serveEdge  = "127.0.0.1:9080"
)

//go:embed serve.txt
var serveText string

var serveTemplate = template.Must(template.New("serve").Parse(serveText))

// served is where everything listens.
type served struct {
	AppV1, AppV2, AppV3, CDN, Edge string
	Host                           string
}

// serve leaves all versions of the app, a naive CDN before the first and the
// edge before the second running until ctx is done.
func serve(ctx context.Context, o Options) (err error) {
	var undo closers
	defer func() { err = errors.Join(err, undo.close()) }()

	running, err := startAll(ctx, o, &undo)
	if err != nil {
		return err
	}
	if err := serveTemplate.Execute(o.Stdout, running); err != nil {
		return fmt.Errorf("writing the addresses: %w", err)
	}
	<-ctx.Done()
	return nil
}

func startAll(ctx context.Context, o Options, undo *closers) (served, error) {
	var apps [3]string
	told := o.AppListen
	for i, usual := range []string{serveAppV1, serveAppV2, serveAppV3} {
		var err error
		if i > 0 {
			if told, err = nextPort(told); err != nil {
				return served{}, err
			}
		}
		if apps[i], err = o.serveVersion(ctx, undo, pageV1+pageVersion(i), told, usual); err != nil {
			return served{}, err
		}
	}
	cdn, err := startCDN(undo, anyPort, apps[0])
	if err != nil {
		return served{}, err
	}
	at, err := o.place("edge", o.Listen, serveEdge)
	if err != nil {
		return served{}, err
	}
	if at == anyPort {
		at = "" // startEdge looks for one, and for another if that is lost
	}
	edge, stop, err := startEdge(ctx, o.Edge, Edge{Listen: at, Upstream: apps[1], Policy: RightPolicy})
	if err != nil {
		return served{}, err
	}
	undo.add(stop)
	return served{AppV1: apps[0], AppV2: apps[1], AppV3: apps[2], CDN: cdn, Edge: edge, Host: pcHost}, nil
}

func (o Options) serveVersion(ctx context.Context, undo *closers, version pageVersion, told, usual string) (string, error) {
	at, err := o.place(fmt.Sprintf("app's version %d", version), told, usual)
	if err != nil {
		return "", err
	}
	_, address, err := startApp(ctx, undo, at, version)
	return address, err
}

// place is where something shall listen: where it was told to; else at the usual
// address; and if that is taken, at any free port, which it says.
func (o Options) place(what, told, usual string) (string, error) {
	if told != "" {
		return told, nil
	}
	listener, err := net.Listen("tcp", usual)
	switch {
	case err == nil:
		return usual, listener.Close()
	case addressInUse(err):
		fmt.Fprintf(o.Stderr, "%s is taken: the %s gets a free port\n", usual, what)
		return anyPort, nil
	}
	return "", fmt.Errorf("looking for a place for the %s: %w", what, err)
}

// nextPort is the address one port above; port 0, which is any, stays. An empty
// address stays empty.
func nextPort(address string) (string, error) {
	if address == "" {
		return "", nil
	}
	host, name, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	port, err := strconv.ParseUint(name, 10, 16)
	if err != nil || port == 65535 {
		return "", fmt.Errorf("app: port %q of %q is not one that has another above it, 0 to 65534 was expected", name, address)
	}
	if port > 0 {
		port++
	}
	return net.JoinHostPort(host, strconv.FormatUint(port, 10)), nil
}
