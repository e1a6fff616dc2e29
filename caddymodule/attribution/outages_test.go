package attribution

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

// TestUnknownKeyIsLookedFor: once in ten seconds, however many ask.
func TestUnknownKeyIsLookedFor(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	inBubble(t, func(t *testing.T) {
		o := &observed{Storage: &certmagic.FileStorage{Path: dir}}
		c := NewCodec(openObserved(t, o))
		before := o.loaded()
		unknown := sealed(t, NewCodec(openKeys(t, other)), visit("A1", false, 0), false)
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() { refused(t, c, unknown, host, noon, Forged) })
		}
		group.Wait()
		for range 9 {
			time.Sleep(time.Second)
			refused(t, c, unknown, host, noon, Forged)
		}
		if n := o.loaded() - before; n != 1 {
			t.Errorf("the storage was read %d times", n)
		}
		// Another process has published the key.
		data, err := os.ReadFile(keysFile(other))
		if err != nil {
			t.Fatal(err)
		}
		writeSaved(t, dir, string(data))
		refused(t, c, unknown, host, noon, Forged)
		time.Sleep(time.Second)
		if _, _, problem := c.Open(unknown, host, noon); problem != "" {
			t.Errorf("ten seconds later it is %q", problem)
		}
		if n := o.loaded() - before; n != 2 {
			t.Errorf("the storage was read %d times", n)
		}
	})
}

// TestKeysSurviveTheStorage: whatever becomes of it, what was read is used, nothing is made
// in its place, and Err says so.
func TestKeysSurviveTheStorage(t *testing.T) {
	for name, test := range map[string]struct {
		instead func(context.Context, string) ([]byte, error)
		says    string
	}{
		"gone":    {func(context.Context, string) ([]byte, error) { return nil, fs.ErrNotExist }, "file does not exist"},
		"corrupt": {func(context.Context, string) ([]byte, error) { return []byte("{"), nil }, "put back a copy of it"},
		"failing": {func(context.Context, string) ([]byte, error) { return nil, errors.New("no route to host") }, "no route to host"},
		"hanging": {func(ctx context.Context, _ string) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }, "has not answered"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			inBubble(t, func(t *testing.T) {
				o := &observed{Storage: &certmagic.FileStorage{Path: dir}}
				keys := openObserved(t, o)
				c := NewCodec(keys)
				text := sealed(t, c, visit("A1", false, 0), false)
				o.answer(test.instead)
				time.Sleep(40 * day)
				synctest.Wait()
				if err := keys.Err(); err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), keysKey) {
					t.Errorf("the error is %v; %q was expected", err, test.says)
				}
				if _, _, problem := c.Open(text, host, noon); problem != "" {
					t.Errorf("it is %q", problem)
				}
				sealed(t, c, visit("A1", false, 0), true)
				if n := len(readSaved(t, dir).Keys); n != 1 {
					t.Errorf("%d keys are stored", n)
				}
				o.answer(nil)
				time.Sleep(2 * rereadEvery)
				synctest.Wait()
				if err := keys.Err(); err != nil {
					t.Errorf("the storage is there again, and the error is %v", err)
				}
				if n := len(readSaved(t, dir).Keys); n != 2 {
					t.Errorf("%d keys are stored", n)
				}
			})
		})
	}
}

// TestOpenKeysWithoutWriting: keys that cannot be rotated are used.
func TestOpenKeysWithoutWriting(t *testing.T) {
	dir := t.TempDir()
	inBubble(t, func(t *testing.T) {
		openKeys(t, dir).Close()
		time.Sleep(31 * day)
		o := &observed{Storage: &certmagic.FileStorage{Path: dir}, storing: errors.New("read-only file system")}
		keys := openObserved(t, o)
		if err := keys.Err(); err == nil || !strings.Contains(err.Error(), "writing: read-only file system") {
			t.Errorf("the error is %v", err)
		}
		sealed(t, NewCodec(keys), visit("A1", false, 0), false)
		if _, err := OpenKeys(t.Context(), &observed{Storage: &certmagic.FileStorage{Path: t.TempDir()}, storing: errors.New("read-only file system")}, day); err == nil ||
			!strings.Contains(err.Error(), "writing: read-only file system; see that the storage can be read and written") {
			t.Errorf("the error is %v", err)
		}
	})
}

// TestOpenKeysDoesNotHang: with a storage that does not answer, and knows no contexts.
func TestOpenKeysDoesNotHang(t *testing.T) {
	for name, o := range map[string]*observed{
		"reading": {instead: func(context.Context, string) ([]byte, error) { time.Sleep(time.Hour); return nil, fs.ErrNotExist }},
		"locking": {locking: func(context.Context) error { time.Sleep(time.Hour); return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			inBubble(t, func(t *testing.T) {
				o.Storage = &certmagic.FileStorage{Path: dir}
				begun := time.Now()
				_, err := OpenKeys(t.Context(), o, day)
				if err == nil || !strings.Contains(err.Error(), "the storage has not answered") || time.Since(begun) != storageTime {
					t.Errorf("after %s: %v", time.Since(begun), err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := OpenKeys(ctx, o, day); err == nil {
					t.Error("it was opened")
				}
				if took := time.Since(begun) - storageTime; took != time.Second {
					t.Errorf("it took %s with a second's time", took)
				}
				time.Sleep(2 * time.Hour) // what hung goes on, too late
				if _, err := os.Stat(keysFile(dir)); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("keys were made: %v", err)
				}
			})
		})
	}
}

// TestOneVisitAtATime: a storage that hangs is not asked again and again.
func TestOneVisitAtATime(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	inBubble(t, func(t *testing.T) {
		o := &observed{Storage: &certmagic.FileStorage{Path: dir}}
		keys := openObserved(t, o)
		c := NewCodec(keys)
		unknown := sealed(t, NewCodec(openKeys(t, other)), visit("A1", false, 0), false)
		before := o.loaded()
		o.answer(func(context.Context, string) ([]byte, error) { time.Sleep(100 * day); return nil, fs.ErrNotExist })
		for range 1000 {
			begun := time.Now()
			refused(t, c, unknown, host, noon, Forged)
			if took := time.Since(begun); took > rereadWait {
				t.Fatalf("a visitor has waited for %s", took)
			}
			time.Sleep(time.Minute)
		}
		if n := o.loaded() - before; n != 1 {
			t.Errorf("%d are at the storage", n)
		}
		begun := time.Now()
		keys.Close()
		if time.Since(begun) > 0 {
			t.Errorf("closing has waited for %s", time.Since(begun))
		}
		if _, _, problem := c.Open(sealed(t, c, visit("A1", false, 0), false), host, noon); problem != "" {
			t.Errorf("after closing it is %q", problem)
		}
		refused(t, c, unknown, host, noon, Forged)
		time.Sleep(100 * day)
	})
}
