package demo

import (
	"context"
	"net/http"
)

// IncidentApp makes the sample app as it was in the incident: a GET of /register/lp
// stores the visitor's attribution, and the page carries that record's token. Its
// database is the file app.db in dir, which must exist and have none. Stop closes it;
// call it when no request is under way.
func IncidentApp(ctx context.Context, dir string) (site http.Handler, stop func() error, err error) {
	a, err := newApp(ctx, dir, pageV1)
	if err != nil {
		return nil, nil, err
	}
	return a, a.close, nil
}
