package attribution

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/certmagic"
)

func keysFile(dir string) string { return filepath.Join(dir, filepath.FromSlash(keysKey)) }

// inBubble runs the test with a clock of its own. Those who keep the storage's locks fresh
// see some seconds later that the locks are gone.
func inBubble(t *testing.T, test func(t *testing.T)) {
	synctest.Test(t, func(t *testing.T) {
		t.Cleanup(func() { time.Sleep(time.Minute) })
		test(t)
	})
}

func readSaved(t *testing.T, dir string) (saved savedKeys) {
	t.Helper()
	data, err := os.ReadFile(keysFile(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &saved); err != nil {
		t.Fatal(err)
	}
	return saved
}

func writeSaved(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(keysFile(dir)), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keysFile(dir), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestOpenKeysMakesTheFirst(t *testing.T) {
	dir := t.TempDir()
	one := NewCodec(openKeys(t, dir))
	text := sealed(t, one, visit("A1", false, 0), true)
	if _, _, problem := NewCodec(openKeys(t, dir)).Open(text, host, noon); problem != "" {
		t.Errorf("who opens the same storage finds %q", problem)
	}
	saved := readSaved(t, dir)
	if len(saved.Keys) != 1 || saved.Schema != 1 {
		t.Errorf("stored are %d keys of schema %d", len(saved.Keys), saved.Schema)
	}
	info, err := os.Stat(keysFile(dir))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if locks, _ := filepath.Glob(filepath.Join(dir, "locks", "*")); len(locks) > 0 {
		t.Errorf("%q is left", locks)
	}
}

// TestOpenKeysProcesses: of processes that begin at once one makes the key, for all.
func TestOpenKeysProcesses(t *testing.T) {
	dir := t.TempDir()
	const processes = 4
	ids := make([]string, processes)
	var group sync.WaitGroup
	for i := range processes {
		group.Go(func() {
			child := exec.CommandContext(t.Context(), os.Args[0])
			child.Env = append(os.Environ(), keysDir+"="+dir)
			out, err := child.Output()
			if err != nil {
				t.Errorf("a process: %v", err)
			}
			ids[i] = strings.TrimSpace(string(out))
		})
	}
	group.Wait()
	saved := readSaved(t, dir)
	if len(saved.Keys) != 1 {
		t.Fatalf("they have made %d keys", len(saved.Keys))
	}
	for _, id := range ids {
		if id != saved.Keys[0].ID {
			t.Errorf("they sign with %q; %q is stored", ids, saved.Keys[0].ID)
		}
	}
}

func TestOpenKeysRefusesWhatIsCorrupt(t *testing.T) {
	const whole = `{"schema":1,"keys":[{"id":"0a0b0c0d","signs":"2026-03-01T12:00:00Z","secret":"` + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" + `"}]}`
	if _, err := parseKeys([]byte(whole), day); err != nil {
		t.Fatal(err)
	}
	key := whole[strings.Index(whole, "[")+1 : strings.Index(whole, "]")]
	for name, test := range map[string]struct{ text, says string }{
		"nothing":            {"", "no JSON of keys"},
		"cut off":            {whole[:len(whole)-9], "no JSON of keys"},
		"zeros":              {strings.Repeat("\x00", 200), "no JSON of keys"},
		"a list":             {"[]", "no JSON of keys"},
		"another schema":     {strings.Replace(whole, `"schema":1`, `"schema":2`, 1), "it has schema 2; 1 was expected"},
		"no schema":          {"{}", "it has schema 0"},
		"no keys":            {`{"schema":1}`, "it has 0 keys; 1 to 100"},
		"a thousand keys":    {strings.Replace(whole, key, key+strings.Repeat(","+key, 1000), 1), "it has 1001 keys"},
		"a key twice":        {strings.Replace(whole, key, key+","+key, 1), "key 2: its id is there twice"},
		"a short id":         {strings.Replace(whole, "0a0b0c0d", "0a0b0c", 1), `its id is "0a0b0c"; 8 hexadecimal digits`},
		"a long id":          {strings.Replace(whole, "0a0b0c0d", "0a0b0c0d0e", 1), "8 hexadecimal digits"},
		"an id that is none": {strings.Replace(whole, "0a0b0c0d", "0a0b0c0x", 1), "8 hexadecimal digits"},
		"a short secret":     {strings.Replace(whole, "AAAA", "", 1), "its secret has 29 bytes; 32"},
		"no secret":          {strings.Replace(whole, `"secret"`, `"other"`, 1), "its secret has 0 bytes"},
		"no base64":          {strings.Replace(whole, "AAAA", "!!!!", 1), "no JSON of keys"},
		"no time":            {strings.Replace(whole, `"signs"`, `"since"`, 1), "does not say when it signs"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeSaved(t, dir, test.text)
			keys, err := OpenKeys(t.Context(), &certmagic.FileStorage{Path: dir}, day)
			if err == nil {
				keys.Close()
				t.Fatal("it was read")
			}
			for _, says := range []string{test.says, keysFile(dir), "put back a copy of it, or delete it"} {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%v; %q was expected", err, says)
				}
			}
			if strings.ContainsAny(err.Error(), "\n\x00") || strings.Contains(err.Error(), "AAAA") {
				t.Errorf("the error is %q", err)
			}
			if now, _ := os.ReadFile(keysFile(dir)); string(now) != test.text {
				t.Error("what was there was changed")
			}
		})
	}
}
