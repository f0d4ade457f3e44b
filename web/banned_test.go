package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/coder/websocket"

	"roulette/web/browsertest"
)

// TestBanned: a page whose chat ends because its reader is banned, or that gets none for
// that, says until when, and does not try again by itself.
func TestBanned(t *testing.T) {
	t.Parallel()
	chat := newFakeChat(t, false)
	anna := person{t, browsertest.Shared(t)}
	shot := func(name string) {
		picture, err := chromedp.CaptureScreenshot()(anna.tab, chromedp.FromContext(anna.tab).Target)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const appeal = "mailto:appeals@example.org?subject=ban"
	says := func(year int) string {
		return fmt.Sprintf(`/^You can come in again from .*%d/.test(document.getElementById('explanation').innerText)`, year)
	}
	const (
		ended = `document.documentElement.dataset.state === 'ended'`
		where = `document.querySelector('#explanation a')?.href === '` + appeal + `'`
		whole = `document.getElementById('explanation').innerText.endsWith('. If this is a mistake, write to appeals@example.org.')`
		none  = `!document.querySelector('#explanation a')`
	)

	anna.do(chromedp.EmulateViewport(390, 844), chromedp.Navigate(chat.url), browsertest.Wait(idle))
	for _, client := range chat.now() {
		client.conn.Close(4503, "banned until 2031-02-03T04:05:06Z")
	}
	anna.see(ended, says(2031), none)

	var asked atomic.Int32
	var answer atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ws" {
			asked.Add(1)
			w.Header().Set("Retry-After", fmt.Sprint(366*24*3600))
			http.Error(w, fmt.Sprint("banned\n", answer.Load()), http.StatusForbidden)
			return
		}
		chat.handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	answer.Store(appeal)
	anna.do(chromedp.Navigate(server.URL))
	anna.see(ended, says(time.Now().Add(366*24*time.Hour).Year()), where, whole)
	shot("banned")
	if n := asked.Load(); n != 2 { // the WebSocket, and the question why
		t.Errorf("asked %d times", n)
	}
	for _, wrong := range []string{"javascript:alert(1)", "http://example.org/", "data:text/html,x", "mailto:a b", " " + appeal, "\n" + appeal} {
		answer.Store(wrong)
		anna.do(chromedp.Navigate(server.URL))
		anna.see(ended, says(time.Now().Add(366*24*time.Hour).Year()), none)
	}
}

// TestAnnouncement: what the operator says stands above the field until it is over, or
// taken back, and the chat goes on.
func TestAnnouncement(t *testing.T) {
	t.Parallel()
	chat := newFakeChat(t, false)
	anna, ben := person{t, browsertest.Shared(t)}, talkTo(t, chat.url)
	anna.do(chromedp.EmulateViewport(390, 844), chromedp.Navigate(chat.url), browsertest.Wait(idle))
	anna.press()
	ben.until("paired")
	anna.see(chatting)
	says := func(start string) string {
		return fmt.Sprintf(`document.getElementById('explanation').innerText.startsWith(%q)`, start)
	}
	const nothing = `document.getElementById('notice').hidden`
	soon := time.Now().Add(time.Hour).Unix()
	chat.tell(fields{"type": "notice", "code": "restart", "until": soon})
	anna.see(says("The server restarts at "), `/\d/.test(document.getElementById('explanation').innerText)`)
	chat.tell(fields{"type": "notice", "code": "maintenance", "until": soon})
	anna.see(says("The chat closes at "))
	for _, odd := range []fields{
		{"type": "notice", "code": "none"}, {"type": "notice", "code": "restart", "until": time.Now().Add(-time.Minute).Unix()},
		{"type": "notice", "code": "constructor", "until": soon}, {"type": "notice", "code": "restart"}, {"type": "notice"},
	} {
		chat.tell(fields{"type": "notice", "code": "restart", "until": soon})
		anna.see(says("The server restarts at "))
		chat.tell(odd)
		anna.see(nothing)
	}
	chat.tell(fields{"type": "notice", "code": "restart", "until": time.Now().Add(2 * time.Second).Unix()})
	anna.see(nothing) // by itself
	chat.send(websocket.MessageText, []byte("still here"))
	anna.see(last("stranger", "still here"))
}

// TestWarned: whoever is warned reads so above the field, in their own language, until
// they have said that they did; it stands behind what cannot wait, and a word that the
// page does not know says nothing.
func TestWarned(t *testing.T) {
	t.Parallel()
	chat := newFakeChat(t, false)
	anna, ben := person{t, browsertest.Shared(t)}, talkTo(t, chat.url)
	anna.do(chromedp.EmulateViewport(390, 844), chromedp.Navigate(chat.url), browsertest.Wait(idle))
	const (
		nothing = `document.getElementById('notice').hidden`
		text    = `document.getElementById('explanation').innerText`
		says    = text + `.startsWith('People have reported what you said here.')`
		said    = `document.querySelector('#explanation[role=alert]') && !document.getElementById('understood').hidden`
		unsaid  = `!document.querySelector('#explanation[role=alert]') && document.getElementById('understood').hidden`
	)
	for _, odd := range []any{"constructor", "something new", "", 7, nil} {
		chat.tell(fields{"type": "warned", "code": odd})
	}
	chat.tell(fields{"type": "notice", "code": "restart", "until": time.Now().Add(time.Hour).Unix()})
	anna.see(text+`.startsWith('The server restarts')`, unsaid)

	chat.tell(fields{"type": "warned", "code": "reported"})
	anna.see(says, said)
	anna.press()
	ben.until("paired")
	anna.see(chatting, says, said)
	anna.do(chromedp.EmulateViewport(320, 568))
	anna.check(`document.documentElement.scrollWidth <= innerWidth`)
	anna.do(chromedp.EmulateViewport(320, 200)) // nobody is asked whether they understood what they cannot read
	anna.check(`document.getElementById('understood').getClientRects().length === 0`)
	anna.do(chromedp.EmulateViewport(390, 844))
	anna.check(`document.getElementById('understood').getClientRects().length === 1`)
	anna.run(`const select = document.getElementById('language');
		select.value = 'de';
		select.dispatchEvent(new Event('change'))`)
	anna.see(text+`.startsWith('Es wurde gemeldet')`, said, `document.getElementById('understood').innerText === 'Verstanden'`)
	chat.send(websocket.MessageText, []byte("hello"))
	anna.see(last("stranger", "hello"))

	chat.tell(fields{"type": "left", "pair": 1, "reason": "next"})
	anna.see(`document.documentElement.dataset.state === 'left'`, text+`.startsWith('Es wurde gemeldet')`, said) // when the way back is over
	anna.run(`document.getElementById('understood').click()`)
	anna.see(text+`.startsWith('Der Server')`, unsaid)
	chat.tell(fields{"type": "notice", "code": "none"})
	anna.see(nothing)
}
