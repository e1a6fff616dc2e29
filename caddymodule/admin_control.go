package caddymodule

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/cacheward/cacheward/caddymodule/control"
)

func (a *adminAPI) servePurge(w http.ResponseWriter, r *http.Request) error {
	var q control.Purge
	return ordered(a, w, r, &q, &q.By, func() error { return q.Check() },
		func(handlers []*Handler) (control.Purged, error) { return a.purge(handlers, q) })
}

func (a *adminAPI) serveTrip(w http.ResponseWriter, r *http.Request) error {
	var q control.Trip
	return ordered(a, w, r, &q, &q.By, func() error { return q.Check() },
		func(handlers []*Handler) (control.Switched, error) { return a.trip(handlers, q) })
}

func (a *adminAPI) serveReset(w http.ResponseWriter, r *http.Request) error {
	var q control.Reset
	return ordered(a, w, r, &q, &q.By, func() error { return q.Check() },
		func(handlers []*Handler) (control.Switched, error) { return a.reset(handlers, q) })
}

// ordered reads an order, checks it, adds where it came from, and carries it out. What
// has begun is done to its end, whether or not the one who asked is still there.
func ordered[A any](a *adminAPI, w http.ResponseWriter, r *http.Request, q any, by *string, check func() error, do func([]*Handler) (A, error)) error {
	if err := readQuestion(w, r, q, maxOrder); err != nil {
		return err
	}
	if err := check(); err != nil {
		return apiError(err)
	}
	*by = asker(*by, r)
	handlers, err := a.running()
	if err != nil {
		return apiError(err)
	}
	answer, err := do(handlers)
	return writeAnswer(w, answer, err)
}

func (a *adminAPI) serveStatus(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return apiError(err)
	}
	handlers, err := a.running()
	if err != nil {
		return apiError(err)
	}
	return writeAnswer(w, a.status(handlers), nil)
}

func (a *adminAPI) serveObjects(w http.ResponseWriter, r *http.Request) error {
	values, err := readQuery(r, "route", "prefix", "key", "limit")
	if err != nil {
		return apiError(err)
	}
	q := control.Objects{Route: values.Get("route"), Prefix: values.Get("prefix"), Key: values.Get("key")}
	if limit := values.Get("limit"); limit != "" {
		if q.Limit, err = strconv.Atoi(limit); err != nil {
			return apiError(control.Mistake(fmt.Sprintf("limit %.20q: a number was expected", limit)))
		}
	}
	if err := q.Check(); err != nil {
		return apiError(err)
	}
	handlers, err := a.running()
	if err != nil {
		return apiError(err)
	}
	list, err := a.objects(handlers, q)
	if list.Objects == nil {
		list.Objects = []control.Object{}
	}
	return writeAnswer(w, list, err)
}

func (a *adminAPI) serveObject(w http.ResponseWriter, r *http.Request) error {
	values, err := readQuery(r, "body")
	if err != nil {
		return apiError(err)
	}
	body := false
	if word := values.Get("body"); word != "" {
		if body, err = strconv.ParseBool(word); err != nil {
			return apiError(control.Mistake(fmt.Sprintf("body %.20q: 1 or 0 was expected", word)))
		}
	}
	id := r.PathValue("id")
	if parsed, err := uuid.Parse(id); err != nil || parsed.String() != id {
		return apiError(control.Mistake(fmt.Sprintf("object %.60q: an ID of an audit record was expected, 01890a5d-ac96-774b-bcce-b302099a8057", id)))
	}
	handlers, err := a.running()
	if err != nil {
		return apiError(err)
	}
	object, found, err := a.object(handlers, id, body)
	if err == nil && !found {
		err = control.NotFound(fmt.Sprintf("no object %s is stored: it expired, was evicted, replaced or purged", id))
	}
	return writeAnswer(w, object, err)
}
