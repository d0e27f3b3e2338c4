package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// A person logs in and out with the keyboard alone, in front of an upstream that
// knows nothing of tokens.
func TestDevInABrowser(t *testing.T) {
	chromium, python := program(t, "chromium", "chromium-browser", "google-chrome"), program(t, "python3")
	address := freeAddress(t)
	files := exec.CommandContext(t.Context(), python, "testdata/files.py")
	files.Env = append(os.Environ(), "PORT="+address[strings.LastIndex(address, ":")+1:])
	start(t, files)
	eventually(t, "the file server listens", func() bool { return listens(address) })
	d := startDev(t, "http://"+address)

	for name, scheme := range map[string]string{"with JavaScript": "light", "without JavaScript": "dark"} {
		t.Run(name, func(t *testing.T) {
			b := startBrowser(t, chromium)
			b.do(chromedp.EmulateViewport(640, 480))
			noScripts := emulation.SetScriptExecutionDisabledParams{Value: name == "without JavaScript"}
			if _, err := chromedp.Call(b.tab, emulation.SetScriptExecutionDisabled, noScripts); err != nil {
				t.Fatal(err)
			}
			media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
			if _, err := chromedp.Call(b.tab, emulation.SetEmulatedMedia, media); err != nil {
				t.Fatal(err)
			}
			b.do(chromedp.Navigate(d.url + "/"))
			b.tabTo("Ada Lovelace")
			b.picture("login-" + scheme)
			b.enter()
			if email, at := read(b, chromedp.Text(chromedp.CSS("#email"))), read(b, chromedp.Location()); email != "ada@example.com" || at != d.url+"/" {
				t.Errorf("after the login: %s at %s", email, at)
			}
			b.picture("application-" + scheme)
			b.tabTo("Log out")
			b.enter()
			b.do(chromedp.Navigate(d.url + "/"))
			if at := read(b, chromedp.Location()); !strings.Contains(at, "/cdn-cgi/access/login/") {
				t.Errorf("after the logout: at %s, want the login page", at)
			}
		})
	}
}

// A browser is one tab of a Chromium with a profile of its own.
type browser struct {
	t   *testing.T
	tab context.Context
}

func startBrowser(t *testing.T, path string) browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
	)
	if os.Geteuid() == 0 || os.Getenv("CI") != "" { // Chromium's sandbox refuses root and some containers
		options = append(options, chromedp.NoSandbox)
	}
	// t.Context ends before the browser has closed its files.
	ctx, end := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	t.Cleanup(end)
	allocator, _ := chromedp.NewExecAllocator(ctx, options...)
	tab, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(tab); err != nil { // waits for the end of the process
			t.Logf("the browser's end: %v", err)
		}
	})
	b := browser{t, tab}
	b.do()
	return b
}

func (b browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.tab, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// read returns what an action returns.
func read[T any](b browser, action chromedp.Action[T]) T {
	b.t.Helper()
	value, err := chromedp.Run(b.tab, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

// tabTo presses Tab until the link or the button with that text has the focus.
func (b browser) tabTo(text string) {
	b.t.Helper()
	const focused = "document.activeElement.matches('a, button') ? document.activeElement.innerText : ''"
	for range 20 {
		b.do(chromedp.KeyEvent(kb.Tab))
		if strings.Contains(read(b, chromedp.Evaluate[string](focused)), text) {
			return
		}
	}
	b.t.Fatalf("pressing Tab 20 times does not lead to %q", text)
}

// enter presses Enter and waits for the next page.
func (b browser) enter() {
	b.t.Helper()
	if _, err := chromedp.RunResponse(b.tab, chromedp.KeyEvent(kb.Enter)); err != nil {
		b.t.Fatal(err)
	}
}

// picture takes a screenshot, if CFACCESS_PICTURES names a folder.
func (b browser) picture(name string) {
	b.t.Helper()
	folder := os.Getenv("CFACCESS_PICTURES")
	if folder == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), read(b, chromedp.CaptureScreenshot()), 0o600); err != nil {
		b.t.Fatal(err)
	}
}
