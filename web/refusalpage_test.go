package web_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"roulette/web"
	"roulette/web/browsertest"
)

// turnstile is a server that may refuse everybody, or not be there at all.
type turnstile struct {
	t       *testing.T
	address string
	chat    *fakeChat
	why     atomic.Int32 // a web.Refusal, or -1
	server  *http.Server
}

func newTurnstile(t *testing.T) *turnstile {
	s := &turnstile{t: t, address: "127.0.0.1:0", chat: newFakeChat(t, false)}
	s.up()
	t.Cleanup(s.down)
	return s
}

func (s *turnstile) up() {
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.address = listener.Addr().String()
	s.server = &http.Server{Handler: s}
	go s.server.Serve(listener)
}

func (s *turnstile) down() { s.server.Close() }

func (s *turnstile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	why := s.why.Load()
	if why < 0 {
		s.chat.handler.ServeHTTP(w, r)
		return
	}
	if !web.AcceptsHTML(r.Header.Get("Accept")) {
		http.Error(w, "not a page", http.StatusServiceUnavailable)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.t.Error(err)
		return
	}
	defer conn.Close()
	conn.Write(web.Refusal(why).AppendTo(nil, r.Header.Get("Accept-Language"), 3, r.Method != http.MethodHead))
}

// TestRefusedPage: whoever is refused stays at the address, is told why, asks again
// also while the server is gone, and is let in.
func TestRefusedPage(t *testing.T) {
	t.Parallel()
	s := newTurnstile(t)
	p := person{t, browsertest.Shared(t)}
	folder := t.ArtifactDir()
	// The seconds of the page are short here.
	p.beforeLoad(`{ const later = setInterval; window.setInterval = (f, ms) => later(f, ms / 40);
		const { fetch } = window;
		window.asked = window.failed = 0;
		window.fetch = (...request) => {
			window.asked++;
			return fetch(...request).catch((error) => { window.failed++; throw error; });
		} }`)
	for why, says := range []string{
		web.Full: "Every chair is taken", web.Draining: "restarting", web.TooMany: "from your network",
		web.Banned: "broke the rules",
	} {
		s.why.Store(int32(why))
		p.do(chromedp.Navigate("about:blank"), chromedp.Navigate("http://"+s.address+"/#table=ours"))
		p.see(fmt.Sprintf(`document.body.innerText.includes(%q)`, says))
		p.check(`getComputedStyle(document.querySelector('h1')).display === 'flex'`, `document.documentElement.scrollWidth <= innerWidth`)
		picture := ""
		for _, size := range [][2]int64{{390, 844}, {640, 180}, {1280, 800}} {
			p.do(chromedp.EmulateViewport(size[0], size[1]))
			shot, err := chromedp.CaptureScreenshot()(p.tab, chromedp.FromContext(p.tab).Target)
			if err != nil {
				t.Fatal(err)
			}
			picture = filepath.Join(folder, fmt.Sprintf("refusal-%d-%dx%d.png", why, size[0], size[1]))
			if err := os.WriteFile(picture, shot, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if web.Refusal(why) == web.Banned {
			p.see(`/You can come in again from .*\d/.test(document.body.innerText)`, `document.getElementById('now').hidden`)
		}
		p.see(`window.asked >= 2`) // by itself, and again
		s.down()
		p.see(`window.failed >= 2`, fmt.Sprintf(`document.body.innerText.includes(%q)`, says))
		s.why.Store(-1)
		s.up()
		p.see(idle)
		p.check(`location.hash === '#table=ours'`)
	}
	s.down()
	s.up()
	s.why.Store(int32(web.Full))
	p.do(chromedp.Navigate("about:blank"), chromedp.Navigate("http://"+s.address+"/"))
	p.see(`!document.getElementById('now').hidden`)
	s.why.Store(-1)
	p.run(`document.getElementById('now').click()`)
	p.see(idle)
}
