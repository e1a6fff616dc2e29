package integration

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/cacheward/cacheward/caddymodule/audit/report/reporttest"

	"github.com/cacheward/cacheward/integration/edge"
)

// screenshotsEnv names a folder for the pictures that TestReport takes, for people to
// look at. Without it they go to a temporary one.
const screenshotsEnv = "CACHEWARD_SCREENSHOTS"

// TestReport: the page that cacheward audit report writes, in a real browser.
func TestReport(t *testing.T) {
	chromium := needChromium(t)
	dir := t.TempDir()
	pictures := dir
	if named := os.Getenv(screenshotsEnv); named != "" {
		pictures = named
	}
	file := writeReport(t, dir)
	page := "file://" + (&url.URL{Path: file}).EscapedPath()
	browser := startChromium(t, chromium)

	for _, theme := range []string{"light", "dark"} {
		t.Run(theme, func(t *testing.T) {
			tab := newTab(t, browser)
			tab.do(emulate(theme, "screen"))
			tab.open(page)
			tab.wantContrast()
			for _, width := range []int64{360, 768, 1440} {
				tab.do(chromedp.EmulateViewport(width, 900))
				tab.wantNoOverflow(width)
				tab.picture(filepath.Join(pictures, fmt.Sprintf("report-%s-%d.png", theme, width)))
			}
			tab.wantQuiet(page)
		})
	}
	t.Run("keyboard", func(t *testing.T) {
		tab := newTab(t, browser)
		tab.do(emulate("light", "screen"), chromedp.EmulateViewport(1440, 900))
		tab.open(page)
		tab.wantTabOrder()
		tab.do(chromedp.EmulateViewport(360, 740))
		tab.open(page) // boxes that scroll are stops as well
		tab.wantTabOrder()
		tab.wantSorting()
		tab.wantFilter()
		tab.wantToggle()
		tab.wantQuiet(page)
	})
	t.Run("print", func(t *testing.T) {
		tab := newTab(t, browser)
		tab.do(emulate("dark", "screen"), chromedp.EmulateViewport(760, 1000))
		tab.open(page)
		tab.number(`document.documentElement.dataset.theme = "dark", 1`)
		tab.do(emulate("dark", "print"))
		tab.wantContrast()
		if paper := tab.text(`getComputedStyle(document.body).backgroundColor`); paper != "rgb(255, 255, 255)" {
			t.Errorf("the paper is %s", paper)
		}
		tab.picture(filepath.Join(pictures, "report-print.png"))
		tab.wantQuiet(page)
	})
	t.Run("without script", func(t *testing.T) {
		tab := newTab(t, browser)
		tab.open(page)
		with := tab.tables()
		tab.call(func(ctx context.Context) error {
			_, err := chromedp.Call(ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			return err
		})
		tab.open(page)
		if without := tab.tables(); len(without) < 8 || !slices.Equal(with, without) {
			t.Errorf("rows of the tables: %v without script, %v with it", without, with)
		}
		if n := tab.number(`document.querySelectorAll("button:not([hidden]), input").length`); n != 0 {
			t.Errorf("%v controls that do nothing without script", n)
		}
		tab.picture(filepath.Join(pictures, "report-without-script.png"))
		tab.wantQuiet(page)
	})
	// What the checks above rest on: the policy is in force, and its violations are seen.
	t.Run("changed", func(t *testing.T) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(content), "<script>", `<script>document.title = "changed";`, 1)
		changed = strings.Replace(changed, "</body>", `<img src="http://127.0.0.1:9/x.png" alt=""></body>`, 1)
		other := filepath.Join(dir, "changed.html")
		if err := os.WriteFile(other, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		tab := newTab(t, browser)
		tab.open("file://" + other)
		seen := strings.Join(tab.complaints(), "\n")
		for _, want := range []string{"script", "img"} {
			if !strings.Contains(seen, want) {
				t.Errorf("a changed page was not refused its %s: %q", want, seen)
			}
		}
		if title := tab.text(`document.title`); title == "changed" {
			t.Error("a script that the policy does not name was run")
		}
	})
}

// needChromium is the path of the browser. Without one the test is skipped, and says so.
func needChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv(edge.RequiredEnv) == "1" {
		t.Fatalf("this test needs Chromium, and %s=1", edge.RequiredEnv)
	}
	t.Skip("this test needs Chromium (Debian: apt-get install chromium)")
	return ""
}

// writeReport makes the log of a day with an incident, and the report of it.
func writeReport(t *testing.T, dir string) string {
	t.Helper()
	logFile, file := filepath.Join(dir, "audit.log"), filepath.Join(dir, "report.html")
	f, err := os.Create(logFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := reporttest.Day(f, 20_000); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"level":"info","msg":"some other line"}` + "\n" + `{"level":"info","ts":17954` + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	out, errOut, code := command(t, "audit", "report", "--html", file, "--tz", "UTC", logFile)
	if code != 0 || !strings.Contains(out, file) {
		t.Fatalf("exit %d, %q, %q", code, out, errOut)
	}
	return file
}

// lowContrast lists texts with less than 4.5:1 against what is behind them (WCAG 2.2,
// section 1.4.3), after a count of those that were looked at.
const lowContrast = `(() => {
	const read = (text) => {
		const n = text.match(/[\d.]+/g).map(Number), unit = text.startsWith("color(") ? 255 : 1;
		return { r: n[0] * unit, g: n[1] * unit, b: n[2] * unit, a: n.length > 3 ? n[3] : 1 };
	};
	const over = (c, d) => ({ r: c.r * c.a + d.r * (1 - c.a), g: c.g * c.a + d.g * (1 - c.a), b: c.b * c.a + d.b * (1 - c.a), a: 1 });
	const behind = (e) => {
		if (!e) return { r: 255, g: 255, b: 255, a: 1 };
		const c = read(getComputedStyle(e).backgroundColor);
		return c.a === 1 ? c : over(c, behind(e.parentElement));
	};
	const light = (c) => {
		const f = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * f(c.r) + 0.7152 * f(c.g) + 0.0722 * f(c.b);
	};
	document.querySelectorAll("details").forEach((d) => { d.open = true; });
	let looked = 0;
	const low = [];
	for (const e of document.body.querySelectorAll("*")) {
		const texts = [...e.childNodes].filter((n) => n.nodeType === 3 && n.data.trim());
		if (!texts.length || e.closest("title, desc, script") || !e.getClientRects().length) continue;
		const svg = e instanceof SVGElement, back = behind(svg ? e.closest("svg").parentElement : e);
		const front = over(read(getComputedStyle(e)[svg ? "fill" : "color"]), back);
		const [a, b] = [light(front), light(back)].sort((p, q) => q - p), ratio = (a + 0.05) / (b + 0.05);
		looked++;
		if (ratio < 4.5) low.push(ratio.toFixed(2) + " " + e.tagName + "." + (e.getAttribute("class") || "") + " " + texts[0].data.trim());
	}
	document.querySelectorAll("details").forEach((d) => { d.open = false; });
	return [String(looked), ...low];
})()`

func (x *tab) wantContrast() {
	x.t.Helper()
	looked := x.list(lowContrast)
	for _, low := range looked[1:] {
		x.t.Errorf("low contrast: %s", low)
	}
	if len(looked[0]) < 3 { // texts, at least 100
		x.t.Errorf("only %s texts were looked at", looked[0])
	}
}

// wantNoOverflow: nothing reaches beyond the window save in boxes that scroll.
func (x *tab) wantNoOverflow(width int64) {
	x.t.Helper()
	if wide := x.number(`document.documentElement.scrollWidth`); wide > float64(width) {
		x.t.Errorf("%v px wide in a window of %d: %v", wide, width, x.list(`[...document.body.querySelectorAll("*")].filter((e) =>
			!e.closest(".scroll, svg, .skip") && e.getBoundingClientRect().right > innerWidth).map((e) => e.tagName + "." + e.className)`))
	}
}

// controls are what the keyboard must reach, in the order of the page.
const controls = `window.controls = [...document.querySelectorAll('a[href], button, input, summary, [tabindex="0"]')].filter((e) =>
	!e.hidden && (e.tagName === "SUMMARY" || !e.closest("details:not([open])")))`

func (x *tab) wantTabOrder() {
	x.t.Helper()
	n := int(x.number(controls + `; document.activeElement.blur(); window.controls.length`))
	if n < 20 {
		x.t.Fatalf("only %d controls", n)
	}
	for i := range n {
		x.do(chromedp.KeyEvent(kb.Tab))
		if at := int(x.number(`window.controls.indexOf(document.activeElement)`)); at != i {
			x.t.Fatalf("after %d tabs the focus is on control %d, on %s", i+1, at, x.text(`document.activeElement.outerHTML.slice(0, 200)`))
		}
		if seen := x.text(`getComputedStyle(document.activeElement).outlineStyle`); seen == "none" {
			x.t.Errorf("the focus cannot be seen on %s", x.text(`document.activeElement.outerHTML.slice(0, 200)`))
		}
	}
}

const (
	routesTable = `document.querySelector("#h-routes").parentElement.querySelector("table.sortable")`
	requestsOf  = `[...` + routesTable + `.tBodies[0].rows].map((r) => r.cells[1].dataset.v.padStart(12, "0"))`
	head        = routesTable + `.tHead.rows[0].cells[1]`
)

func (x *tab) wantSorting() {
	x.t.Helper()
	x.number(head + `.querySelector("button").focus(), 1`)
	for _, want := range []string{"descending", "ascending", "descending"} {
		x.do(chromedp.KeyEvent(kb.Enter))
		if got := x.text(head + `.getAttribute("aria-sort") || "none"`); got != want {
			x.t.Errorf("aria-sort is %s, want %s", got, want)
		}
		rows := x.list(requestsOf)
		sorted := slices.Clone(rows)
		slices.Sort(sorted)
		if want == "descending" {
			slices.Reverse(sorted)
		}
		if len(rows) < 5 || !slices.Equal(rows, sorted) {
			x.t.Errorf("%s: %v", want, rows)
		}
	}
	if n := x.number(routesTable + `.querySelectorAll("[aria-sort]").length`); n != 1 {
		x.t.Errorf("%v columns say that they are sorted", n)
	}
}

func (x *tab) wantFilter() {
	x.t.Helper()
	x.number(`document.querySelector("#h-routes").parentElement.querySelector("input").focus(), 1`)
	x.do(chromedp.KeyEvent("LAND"))
	left := x.list(`[...` + routesTable + `.tBodies[0].rows].filter((r) => r.checkVisibility()).map((r) => r.cells[0].textContent)`)
	if !slices.Equal(left, []string{"landing"}) {
		x.t.Errorf("rows with LAND: %v", left)
	}
}

func (x *tab) wantToggle() {
	x.t.Helper()
	const look = `getComputedStyle(document.body).backgroundColor + document.getElementById("theme").getAttribute("aria-pressed")`
	before := x.text(look)
	x.number(`document.getElementById("theme").focus(), 1`)
	x.do(chromedp.KeyEvent(kb.Enter))
	dark := x.text(look)
	x.do(chromedp.KeyEvent(" "))
	if after := x.text(look); dark == before || after != before || !strings.HasSuffix(dark, "true") {
		x.t.Errorf("the theme was %q, then %q, then %q", before, dark, after)
	}
}

// tables are how many rows each has.
func (x *tab) tables() []string {
	return x.list(`[...document.querySelectorAll("table")].map((t) => t.caption.textContent + ": " + t.rows.length)`)
}
