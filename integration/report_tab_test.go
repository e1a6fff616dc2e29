package integration

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

func startChromium(t *testing.T, path string) context.Context {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.Flag("headless", "new"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	return ctx
}

// tab is a tab of the browser, and what it complained about.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	said     []string
	asked    []string
	failures []string
}

func newTab(t *testing.T, browser context.Context) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	x := &tab{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, x.listen); err != nil {
		t.Fatal(err)
	}
	x.call(func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
		return err
	})
	return x
}

func (x *tab) listen(event any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelWarning || e.Entry.Level == log.EntryLevelError {
			x.said = append(x.said, e.Entry.Text)
		}
	case *runtime.EventConsoleAPICalled:
		x.said = append(x.said, fmt.Sprintf("console.%s", e.Type))
	case *runtime.EventExceptionThrown:
		x.said = append(x.said, e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		x.asked = append(x.asked, e.Request.URL)
	case *network.EventLoadingFailed:
		x.failures = append(x.failures, e.ErrorText)
	}
}

// complaints are what the browser had to say.
func (x *tab) complaints() []string {
	// Events come in order: what was said before this answer has been heard.
	x.number("1")
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Concat(x.said, x.failures)
}

// wantQuiet: no warning, no error, no failed request, and no request for anything but
// the page.
func (x *tab) wantQuiet(page string) {
	x.t.Helper()
	for _, text := range x.complaints() {
		x.t.Errorf("the browser says: %s", text)
	}
	for _, asked := range x.asked {
		if asked != page && asked != "data:," {
			x.t.Errorf("the page asked for %s", asked)
		}
	}
}

func (x *tab) call(f func(context.Context) error) {
	x.t.Helper()
	if err := f(x.ctx); err != nil {
		x.t.Fatal(err)
	}
}

func (x *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	x.t.Helper()
	if err := chromedp.Do(x.ctx, actions...); err != nil {
		x.t.Fatal(err)
	}
}

func (x *tab) open(page string) { x.t.Helper(); x.do(chromedp.Navigate(page)) }

func eval[T any](x *tab, script string) T {
	x.t.Helper()
	v, err := chromedp.Run(x.ctx, chromedp.Evaluate[T](script))
	if err != nil {
		x.t.Fatalf("%s: %v", script, err)
	}
	return v
}

func (x *tab) number(script string) float64 { x.t.Helper(); return eval[float64](x, script) }
func (x *tab) text(script string) string    { x.t.Helper(); return eval[string](x, script) }
func (x *tab) list(script string) []string  { x.t.Helper(); return eval[[]string](x, script) }

// emulate has the visitor prefer a theme, and look at a screen or at paper.
func emulate(theme, media string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Media: media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
		})
		return err
	})
}

func (x *tab) picture(file string) {
	x.t.Helper()
	content, err := chromedp.Run(x.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		x.t.Fatal(err)
	}
	if err := os.WriteFile(file, content, 0o600); err != nil {
		x.t.Fatal(err)
	}
}
