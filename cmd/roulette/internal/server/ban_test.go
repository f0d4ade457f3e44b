package server

import (
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/servertest"
	"roulette/frame/record"
	"roulette/metrics"
	"roulette/web"
)

// banLasts is the time of the tests' bans.
const banLasts = time.Hour

func networks(t *testing.T, all ...string) (list []netip.Prefix) {
	t.Helper()
	for _, text := range all {
		p, err := safety.ParseNetwork(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

func ban(t *testing.T, s *Server, all ...string) {
	t.Helper()
	if err := s.Ban(networks(t, all...), banLasts, "a test", "me"); err != nil {
		t.Fatal(err)
	}
}

// TestBanned: whoever is banned gets no chat and no page, however they come, and all
// others do; when the ban ends, or is lifted, they are let in.
func TestBanned(t *testing.T) {
	for _, tc := range []struct {
		desc, peer, forwarded string
		banned                bool
		proxy                 string // whom a header of the PROXY protocol names
	}{
		{"a network", "192.0.2.77", "", true, ""},
		{"the next network", "192.0.3.1", "", false, ""},
		{"an IPv6 network", "2001:db8:1:2:3::4", "", true, ""},
		{"the next IPv6 network", "2001:db8:1:3::", "", false, ""},
		{"behind a proxy", "10.0.0.1", "192.0.2.3", true, ""},
		{"behind a proxy, with a forged hop", "10.0.0.1", "198.51.100.1, 192.0.2.3, 10.0.0.2", true, ""},
		{"behind a proxy, somebody else", "10.0.0.1", "192.0.2.3, 198.51.100.1", false, ""},
		{"a header of whoever likes", "198.51.100.1", "192.0.2.3", false, ""},
		{"named by a PROXY header", "10.0.0.1", "", true, "192.0.2.4"},
		{"somebody else is named by a PROXY header", "10.0.0.1", "192.0.2.4", false, "198.51.100.4"},
		{"the proxy itself", "10.0.0.1", "", false, ""},
	} {
		t.Run(tc.desc, func(t *testing.T) {
			k, s, addr := startAfar(t, Config{Settings: Settings{TrustedProxies: trusted(t, "10.0.0.0/8", "127.0.0.0/8"), ProxyProtocol: tc.proxy != ""}})
			k.set(tc.peer)
			ban(t, s, "192.0.2.0/24", "2001:db8:1:2::/64")
			var header []string
			if tc.forwarded != "" {
				header = []string{"X-Forwarded-For: " + tc.forwarded}
			}
			lines := strings.Join(append([]string{"Host: " + addr, "Accept: text/html", "Accept-Language: de"}, header...), "\r\n")
			chat := servertest.Request(addr, "/ws", header...)
			page := "GET / HTTP/1.1\r\n" + lines + "\r\n\r\n"
			why := "GET /ws HTTP/1.1\r\nHost: " + addr + "\r\n" + strings.Join(append(header, ""), "\r\n") + "\r\n"
			look := func(banned bool) {
				t.Helper()
				want := [...]int{101, 200, 426, 200}
				if banned {
					want = [...]int{403, 403, 403, 200}
				}
				if tc.proxy == "" && !strings.HasPrefix(tc.peer, "10.") {
					want[1] = 200 // its address is the test's own for net/http
				}
				health := "GET /healthz HTTP/1.1\r\n" + lines + "\r\n\r\n"
				for i, request := range []string{chat, page, why, health} {
					if i == 1 && tc.desc == "a header of whoever likes" { // the test's own address is a proxy's
						continue
					}
					if tc.proxy != "" {
						request = "PROXY TCP4 " + tc.proxy + " 127.0.0.1 1 2\r\n" + request
					}
					c, status := ask(t, addr, request)
					if status != want[i] {
						t.Errorf("%.20q: %d, want %d", request, status, want[i])
					}
					if status == 101 {
						c.Leave()
					}
				}
			}
			look(tc.banned)
			k.advance(t, s, banLasts-time.Millisecond)
			look(tc.banned)
			k.advance(t, s, time.Millisecond)
			look(false)
			servertest.Await(t, "the bans to be forgotten", func() bool {
				k.advance(t, s, time.Second)
				return s.bans.InForce() == 0
			})
			ban(t, s, "192.0.2.0/24", "2001:db8:1:2::/64")
			look(tc.banned)
			if n, err := s.Unban(networks(t, "192.0.2.0/24", "2001:db8:1:2::/64", "198.51.100.0/24"), "me"); n != 2 || err != nil {
				t.Errorf("%d lifted, %v", n, err)
			}
			look(false)
		})
	}
}

// TestBannedPage: it is in the reader's language, says for how long, and comes also on a
// connection that had pages before.
func TestBannedPage(t *testing.T) {
	appeal, err := web.ParseAppeal("mailto:appeals@example.org")
	if err != nil {
		t.Fatal(err)
	}
	k, s, addr := startAfar(t, Config{Settings: Settings{TrustedProxies: trusted(t, "127.0.0.0/8")}, Appeal: appeal})
	client := http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	get := func(accept string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequest("GET", "http://"+addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", accept)
		r.Header.Set("Accept-Language", "de")
		r.Header.Set("X-Forwarded-For", "192.0.2.9")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer, string(body)
	}
	if answer, _ := get("text/html"); answer.StatusCode != 200 {
		t.Fatal(answer.Status)
	}
	ban(t, s, "192.0.2.9")
	k.advance(t, s, 10*time.Minute)
	for accept, want := range map[string]string{"text/html": "Die Tür ist für dich zu", "*/*": "banned\nmailto:appeals@example.org\n"} {
		answer, body := get(accept)
		if answer.StatusCode != 403 || answer.Header.Get("Retry-After") != "3000" || !strings.Contains(body, want) {
			t.Errorf("%s: %s, Retry-After %s, %.200q", accept, answer.Status, answer.Header.Get("Retry-After"), body)
		}
	}
	client.CloseIdleConnections()
}

// TestBannedInTheMiddle: who is banned while they chat is sent away, and told until
// when; their partner goes on; everybody else notices nothing.
func TestBannedInTheMiddle(t *testing.T) {
	k, s, addr := startAfar(t, Config{})
	k.set("192.0.2.1")
	bad := rawGreeting(t, addr, record.CanAway)
	plain := servertest.Dial(t, addr, "/echo")
	k.set("192.0.3.1")
	good, _ := dialGreeting(t, addr, record.CanAway)
	good.next()
	good.event("waiting")
	bad.Write(control(record.Command{Kind: record.Next}))
	good.event("paired")
	bad.Expect(textOp, string(record.AppendPaired(nil, 1, false, nil, nil, nil, nil)))
	ban(t, s, "198.51.100.0/24") // nobody is there
	bad.Write(text("still here"))
	good.hears("still here")
	ban(t, s, "192.0.2.0/24")
	until := s.clock().Add(banLasts).UTC().Format(time.RFC3339)
	for _, c := range []*servertest.Conn{bad, plain} {
		f, err := c.Read()
		if err != nil || f.Op != closeOp || string(f.Payload) != "\x11\x97banned until "+until {
			t.Errorf("%v, %v", f, err)
		}
	}
	if e := good.event("left"); e.Reason != record.LeftKicked {
		t.Errorf("%+v", e)
	}
	if n := total(t, s, func(c *metrics.Counters) uint64 { return c.Closed[metrics.CloseBanned][metrics.ByServer] }); n != 2 {
		t.Errorf("%d counted", n)
	}
	good.next()
	good.event("waiting")
}

// TestBannedWhileAway: nobody who is banned comes back to a seat that was kept.
func TestBannedWhileAway(t *testing.T) {
	k, s, addr := startAfar(t, Config{Settings: Settings{MaxAway: 10}})
	k.set("192.0.2.1")
	bad, _ := dialGreeting(t, addr, record.CanResume)
	k.set("192.0.3.1")
	good, _ := dialGreeting(t, addr, record.CanResume|record.CanAway)
	good.next()
	good.event("waiting")
	bad.next()
	bad.event("paired")
	good.event("paired")
	bad.breaks()
	if e := good.event("away"); e.Reason != record.AwayLost {
		t.Fatalf("%+v", e)
	}
	ban(t, s, "192.0.2.0/24")
	good.event("left")
	if n := s.breaks.away(); n != 0 {
		t.Errorf("%d are away", n)
	}
}

// TestAnnounce: what the operator says reaches who can hear it, now and later, until it
// is over or taken back.
func TestAnnounce(t *testing.T) {
	k, s, addr := startAfar(t, Config{})
	deaf, _ := dialGreeting(t, addr, record.CanAway)
	there, _ := dialGreeting(t, addr, record.CanNotice)
	hears := func(p *person, code record.NoticeCode, until time.Time) {
		t.Helper()
		if e := p.event("notice"); e.Code != string(code) || code != record.NoticeNone && e.Until != until.Unix() {
			t.Errorf("%+v, want %s until %d", e, code, until.Unix())
		}
	}
	until := s.clock().Add(time.Minute)
	if err := s.Announce(record.NoticeRestart, time.Minute); err != nil {
		t.Fatal(err)
	}
	hears(there, record.NoticeRestart, until)
	late, _ := dialGreeting(t, addr, record.CanNotice)
	hears(late, record.NoticeRestart, until)
	if err := s.Announce(record.NoticeNone, 0); err != nil {
		t.Fatal(err)
	}
	hears(there, record.NoticeNone, until)
	hears(late, record.NoticeNone, until)
	if err := s.Announce(record.NoticeMaintenance, time.Minute); err != nil {
		t.Fatal(err)
	}
	hears(there, record.NoticeMaintenance, until)
	k.advance(t, s, time.Minute)
	later, _ := dialGreeting(t, addr, record.CanNotice|record.CanHeartbeat)
	deaf.next() // what comes first is about this: it has not said that it can hear
	deaf.event("waiting")
	later.next()
	later.event("paired")
}
