package web_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"roulette/web/browsertest"
)

// TestScreenshots takes pictures of the page in its states, for somebody to look
// at. They are kept where the test is run as
//
//	go test -run Screenshots -artifacts -outputdir DIR ./web
func TestScreenshots(t *testing.T) {
	browser := browsertest.Start(t)
	chat := newFakeChat(t)
	folder := t.ArtifactDir()
	t.Log("pictures in", folder)

	anna := person{t, browsertest.NewPerson(t, browser)}
	ben := person{t, browsertest.NewPerson(t, browser)}
	anna.do(chromedp.Navigate(chat.url + "/nowhere"))
	anna.shoot(folder, "404")
	anna.do(chromedp.Navigate(chat.url), browsertest.Wait(connected))
	anna.shoot(folder, "empty")
	ben.do(chromedp.Navigate(chat.url), browsertest.Wait(connected))

	for _, line := range []struct {
		from person
		text string
	}{
		{anna, "Hello, whoever you are"},
		{ben, "Hi!"},
		{ben, "I am on a night train somewhere between Vienna and Zürich, and the Wi-Fi has just come back. Where did the wheel find you?"},
		{anna, "In a kitchen in Porto. It smells of oranges."},
		{anna, "Three questions, then:\n1. window or aisle\n2. tea or coffee\n3. what do you see outside"},
		{ben, "Window, tea, and nothing but my own face in the glass."},
	} {
		line.from.say(line.text)
		other := anna
		if line.from == anna {
			other = ben
		}
		other.see(last("stranger", line.text))
	}
	anna.write("Then wave at it. What is the")
	anna.shoot(folder, "talk")

	chat.refuse(true)
	chat.cut()
	anna.see(reconnecting, `!document.getElementById('retry').hidden`)
	anna.do(browsertest.Enter())
	anna.shoot(folder, "reconnecting")
	chat.refuse(false)
	anna.see(`!document.getElementById('retry').hidden`)
	anna.run(`document.getElementById('retry').click()`)
	anna.see(connected)
	chat.dismiss(websocket.StatusPolicyViolation)
	anna.see(ended)
	anna.shoot(folder, "ended")
}

// shoot takes the page as it is on a phone and on a desk, by day and by night. No
// motion is asked for: a picture should not depend on its moment.
func (p person) shoot(folder, name string) {
	p.t.Helper()
	for _, screen := range []struct{ width, height int64 }{{390, 844}, {1280, 800}} {
		for _, scheme := range []string{"light", "dark"} {
			media := chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
				_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{
						{Name: "prefers-color-scheme", Value: scheme},
						{Name: "prefers-reduced-motion", Value: "reduce"},
					},
				})
				return err
			})
			p.do(media, chromedp.EmulateViewport(screen.width, screen.height),
				browsertest.Wait(fmt.Sprintf(`innerWidth === %d && matchMedia('(prefers-color-scheme: %s)').matches`, screen.width, scheme)))
			if name != "404" {
				p.see(atEnd)
			}
			p.check(`document.documentElement.scrollWidth <= innerWidth`, `document.getAnimations().length === 0`)
			file := fmt.Sprintf("%s-%dx%d-%s.png", name, screen.width, screen.height, scheme)
			p.do(chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
				picture, err := chromedp.CaptureScreenshot()(ctx, tab)
				if err != nil {
					return err
				}
				return os.WriteFile(filepath.Join(folder, file), picture, 0o644)
			}))
		}
	}
}
