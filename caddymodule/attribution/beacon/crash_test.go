package beacon

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// What a child is told in its environment.
const (
	childFile = "BEACON_TEST_FILE"
	childURL  = "BEACON_TEST_URL"
	childSync = "BEACON_TEST_SYNC"
	childName = "BEACON_TEST_NAME"
)

// child puts landings until it is killed. Of each it writes the ID, once Put has returned.
func child() {
	q, err := Open(os.Getenv(childFile), Options{
		URL: os.Getenv(childURL), Sync: os.Getenv(childSync), Batch: 20, Every: 10 * time.Millisecond,
	})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	var number atomic.Uint64
	failed := make(chan error)
	for range 4 {
		go func() {
			for {
				id := fmt.Sprintf("%s-%d", os.Getenv(childName), number.Add(1))
				if err := q.Put(context.Background(), landing(id)); err != nil {
					failed <- err
					return
				}
				fmt.Println("put", id)
			}
		}()
	}
	fmt.Println("error", <-failed)
}

// runChild runs a child until it has put so many, or until stop is closed, kills it, and
// returns what it has put.
func runChild(t *testing.T, path, url, sync, name string, puts int, stop <-chan struct{}) []string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childFile+"="+path, childURL+"="+url, childSync+"="+sync, childName+"="+name)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-stop:
			_ = cmd.Process.Kill()
		case <-ended:
		}
	}()
	var ids []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var what, id string
		if n, _ := fmt.Sscan(lines.Text(), &what, &id); n != 2 || what != "put" {
			t.Errorf("the child says %q", lines.Text())
		} else if ids = append(ids, id); len(ids) == puts {
			_ = cmd.Process.Kill() // SIGKILL; what is in the pipe is read on
		}
	}
	_ = cmd.Wait()
	return ids
}

// drain sends what is in the file to the app.
func drain(t *testing.T, path, url string) {
	t.Helper()
	q := open(t, path, Options{URL: url, Every: 10 * time.Millisecond})
	eventually(t, "the queue is empty", func() bool { return q.Stats().Waiting == 0 })
	shut(t, q)
}

// check fails the test unless the app has all that were put. What was killed before Put had
// returned may be there or not.
func (a *app) check(t *testing.T, put []string) {
	t.Helper()
	got := a.accepted(t)
	slices.Sort(got)
	for _, id := range put {
		if _, there := slices.BinarySearch(got, id); !there {
			t.Errorf("landing %s is lost", id)
		}
	}
	t.Logf("%d put, %d arrived in %d reports", len(put), len(got), len(a.all()))
}

// Whatever moment a process is killed at: all of whose Put has returned arrive, and none
// twice.
func TestKilledWhilePutting(t *testing.T) {
	for _, sync := range []string{syncAlways, syncInterval, syncNever} {
		t.Run(sync, func(t *testing.T) {
			a := new(app)
			down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
			defer down.Close()
			up := httptest.NewServer(a)
			defer up.Close()
			path := filepath.Join(t.TempDir(), "queue.db")
			var put []string
			for round, puts := range []int{1, 7, 150, 400, 900, 33, 600, 250} {
				put = append(put, runChild(t, path, down.URL, sync, fmt.Sprint(sync, round), puts, nil)...)
			}
			drain(t, path, up.URL)
			a.check(t, put)
			for _, r := range a.all() {
				if n := len(r.landings); n == 0 || n > 100 {
					t.Errorf("a report of %d landings", n)
				}
			}
		})
	}
}

// The same with an app that takes them meanwhile, so that it is also killed while it sends,
// or takes what was sent out of the file.
func TestKilledWhileSending(t *testing.T) {
	a := new(app)
	up := httptest.NewServer(a)
	defer up.Close()
	path := filepath.Join(t.TempDir(), "queue.db")
	var put []string
	for round := range 8 {
		put = append(put, runChild(t, path, up.URL, syncInterval, fmt.Sprint(round), 150*(round+1), nil)...)
	}
	drain(t, path, up.URL)
	a.check(t, put)
}

// Killed after the app has taken a batch, and before it could note so: the batch is sent
// again as it was.
func TestKilledBeforeTheAnswer(t *testing.T) {
	a, stop := new(app), make(chan struct{})
	gone := make(chan struct{})
	a.set(func(n int, w http.ResponseWriter, _ report) {
		if n == 3 {
			close(stop)
			<-gone
		}
	})
	up := httptest.NewServer(a)
	defer up.Close()
	path := filepath.Join(t.TempDir(), "queue.db")
	put := runChild(t, path, up.URL, syncInterval, "a", -1, stop)
	close(gone)
	put = append(put, runChild(t, path, up.URL, syncInterval, "b", 500, nil)...)
	drain(t, path, up.URL)
	a.check(t, put)
	reports := a.all()
	if reports[3].key != reports[2].key || reports[3].body != reports[2].body {
		t.Errorf("after the restart another batch came:\n%s\n%s", reports[2].body, reports[3].body)
	}
}

// Two processes do not share a file, whoever of them is first.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	defer down.Close()
	path := filepath.Join(t.TempDir(), "queue.db")
	q := open(t, path, Options{URL: down.URL})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childFile+"="+path, childURL+"="+down.URL)
	out, _ := cmd.Output()
	contains(t, fmt.Errorf("%s", out), "error", path, "has the file open")
	put(t, q, 1, 10)
	_, err = Open(path, Options{URL: down.URL}) // nor do two of one process
	contains(t, err, path, "has the file open")
	put(t, q, 11, 20)
	shut(t, q)
	a := new(app)
	up := httptest.NewServer(a)
	defer up.Close()
	drain(t, path, up.URL)
	if got := a.accepted(t); !slices.Equal(got, numbers(1, 20)) {
		t.Errorf("the app has %v", got)
	}
}
