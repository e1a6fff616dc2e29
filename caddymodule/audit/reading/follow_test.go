package reading

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// numbered is the record of the number.
func numbered(n int) string {
	return strings.Replace(whole, `"landing"`, fmt.Sprintf(`"r%d"`, n), 1) + "\n"
}

// followed starts to follow the file. The function that it returns lets it look for more
// and gives the routes of the records, and the kinds of other lines, that it found since.
func followed(t *testing.T, path string, o FollowOptions) (next func() []string) {
	t.Helper()
	var found []string
	o.Skipped = func(k Kind) { found = append(found, k.String()) }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Follow(ctx, path, o, func(e *Entry) { found = append(found, e.Route) })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	synctest.Wait()
	return func() []string {
		time.Sleep(followEvery)
		synctest.Wait()
		got := found
		found = nil
		return got
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := write(t, t.TempDir(), "audit.log", []byte(numbered(1)+numbered(2)))
		next := followed(t, path, FollowOptions{})
		expect := func(want ...string) {
			t.Helper()
			if got := next(); !slices.Equal(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
		expect()
		put(t, path, numbered(3)+numbered(4))
		expect("r3", "r4")

		// A line is waited for.
		line := numbered(5)
		put(t, path, line[:30])
		expect()
		put(t, path, line[30:])
		expect("r5")
		put(t, path, "{}\n\n{\n"+numbered(6))
		expect(Foreign.String(), NotJSON.String(), "r6")

		// A process writes on where another was cut off.
		put(t, path, line[:30]+numbered(6))
		expect("r6", NotJSON.String())

		// Rolled: what was written before and what comes after.
		put(t, path, numbered(7))
		if err := os.Rename(path, path+".old"); err != nil {
			t.Fatal(err)
		}
		put(t, path+".old", numbered(8))
		expect("r7", "r8")
		put(t, path, numbered(9))
		expect("r9")

		// Rolled in the middle of a line, twice.
		put(t, path, numbered(10)+line[:30])
		expect("r10")
		_ = os.Rename(path, path+".older")
		put(t, path, numbered(11))
		_ = os.Rename(path, path+".oldest")
		put(t, path, numbered(12))
		expect(Torn.String(), "r12")

		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		expect()
		put(t, path, numbered(13))
		expect("r13")
	})
}

func TestFollowFromTheLastRecords(t *testing.T) {
	long := strings.Repeat("z", MaxLine+100_000) + "\n"
	var many strings.Builder
	for n := range 3000 {
		many.WriteString(numbered(n))
	}
	only, err := CompileFilter(`route.endsWith("7")`)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, content string
		last          int
		filter        *Filter
		want          []string
	}{
		{"empty", "", 3, nil, nil},
		{"none", numbered(1), 0, nil, nil},
		{"one", numbered(1) + numbered(2), 1, nil, []string{"r2"}},
		{"fewer than asked for", numbered(1) + numbered(2), 5, nil, []string{"r1", "r2"}},
		{"as many as there are", numbered(1) + numbered(2), 2, nil, []string{"r1", "r2"}},
		{"begun", numbered(1) + numbered(2) + "{", 1, nil, []string{"r2"}},
		{"only begun", "{", 1, nil, nil},
		{"others between", numbered(1) + "{}\n" + numbered(2) + "\n{}\n", 2, nil, []string{"r1", Foreign.String(), "r2", Foreign.String()}},
		{"many", many.String(), 2, nil, []string{"r2998", "r2999"}},
		{"filtered", many.String(), 2, only, []string{"r2987", "r2997"}},
		{"filtered and far back", many.String() + strings.Repeat(numbered(0), 2000), 1, only, []string{"r2997"}},
		{"a long line between", numbered(1) + long + numbered(2), 2, nil, []string{"r1", TooLong.String(), "r2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := write(t, t.TempDir(), "audit.log", []byte(tt.content))
				next := followed(t, path, FollowOptions{Last: tt.last, Filter: tt.filter})
				if got := next(); !slices.Equal(got, tt.want) {
					t.Fatalf("got %q, want %q", got, tt.want)
				}
				put(t, path, "}\n"+numbered(77))
				if got := next(); len(got) == 0 || got[len(got)-1] != "r77" {
					t.Errorf("then %q", got)
				}
			})
		})
	}
}

func TestFollowFails(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ path, want string }{
		{filepath.Join(dir, "none.log"), "no such file"},
		{dir, "only a file can be followed"},
		{write(t, dir, "a.log.gz", gzipped([]byte(whole))), "a compressed file cannot be followed; only the log that is being written can"},
		{write(t, dir, "a.log.zst", zstdOf([]byte(whole))), "a compressed file cannot be followed; only the log that is being written can"},
	} {
		err := Follow(t.Context(), tt.path, FollowOptions{}, func(*Entry) {})
		if err == nil || err.Error() != tt.path+": "+tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}
