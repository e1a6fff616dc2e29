package attribution

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// receiver is where the app is told of landings, at least once each. It knows a batch by
// its key and a landing by its ID, and is no better than other apps: now and then it has
// no time, and now and then it has kept a batch and cannot say so any more.
type receiver struct {
	db *database

	mu      sync.Mutex
	batches map[string][]string // the IDs, by key
	known   map[string]bool     // landings
	asked   int
}

// report is what a beacon says.
type report struct {
	Schema   int `json:"schema"`
	Landings []struct {
		ID      string            `json:"id"`
		At      time.Time         `json:"at"`
		Visitor string            `json:"visitor"`
		Host    string            `json:"host"`
		Route   string            `json:"route"`
		Path    string            `json:"path"`
		Referer string            `json:"referer"`
		Object  string            `json:"object"`
		Values  map[string]string `json:"values"`
		Paid    bool              `json:"paid"`
	} `json:"landings"`
}

func (v *receiver) open(db *database, rows []row) {
	v.db, v.batches, v.known = db, map[string][]string{}, map[string]bool{}
	for _, r := range rows {
		switch r.Kind {
		case rowBatch:
			v.batches[r.Key] = r.IDs
		case rowLanding:
			v.known[r.Landing] = true
		}
	}
}

func (v *receiver) receive(w http.ResponseWriter, r *http.Request) {
	var got report
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil || got.Schema != 1 || len(got.Landings) == 0 {
		v.note(row{Kind: rowFault, Text: fmt.Sprintf("a beacon that is none: %v, %+v", err, got)})
		http.Error(w, "want landings, schema 1", http.StatusBadRequest)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	if v.asked%11 == 5 {
		http.Error(w, "no time", http.StatusServiceUnavailable)
		return
	}
	if fresh := v.keep(r.Header.Get("Idempotency-Key"), got); fresh && v.asked%7 == 3 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}

// keep writes down what is new, and says whether anything was.
func (v *receiver) keep(key string, got report) (fresh bool) {
	var rows []row
	var ids []string
	for _, l := range got.Landings {
		ids = append(ids, l.ID)
		switch {
		case v.batches[key] != nil:
		case v.known[l.ID]:
			rows = append(rows, row{Kind: rowRepeat, Landing: l.ID})
		default:
			v.known[l.ID] = true
			rows = append(rows, row{Kind: rowLanding, Landing: l.ID, Host: l.Host, Referer: l.Referer, Values: l.Values, Object: l.Object})
		}
		if l.ID == "" || l.At.IsZero() || l.Host == "" || l.Route == "" || l.Path == "" {
			rows = append(rows, row{Kind: rowFault, Text: fmt.Sprintf("an incomplete landing: %+v", l)})
		}
	}
	before, again := v.batches[key]
	switch {
	case key == "":
		rows = append(rows, row{Kind: rowFault, Text: "a batch without a key"})
	case again && !slices.Equal(before, ids):
		rows = append(rows, row{Kind: rowFault, Text: fmt.Sprintf("the key %s was of %q, and is of %q", key, before, ids)})
	case again:
		rows = append(rows, row{Kind: rowAgain, Key: key})
	default:
		v.batches[key] = ids
		rows = append(rows, row{Kind: rowBatch, Key: key, IDs: ids})
	}
	v.note(rows...)
	return !again
}

func (v *receiver) note(rows ...row) {
	// Without a disk there is no test.
	if err := v.db.write(rows...); err != nil {
		panic(err)
	}
}

// count says how many landings the app knows of.
func (v *receiver) count(w http.ResponseWriter, _ *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fmt.Fprint(w, len(v.known))
}
