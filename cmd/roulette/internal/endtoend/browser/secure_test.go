package browser

import (
	"context"
	"fmt"
	"regexp"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/web/browsertest"
)

// TestSecure: somebody with Chromium and somebody with Firefox meet over TLS, on pages
// that are a secure context.
func TestSecure(t *testing.T) {
	browsertest.Ready(t)
	fox := browsertest.StartFirefox(t)
	p := program.Serve(t, "--listen-tls=127.0.0.1:0", "--tls-self-signed")
	address := "https://localhost" + regexp.MustCompile(`listening on https://127\.0\.0\.1(:\d+)`).FindStringSubmatch(p.Stdout.String())[1]

	anna := visitor{t, browsertest.Shared(t)}
	trusting := chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true})
		return err
	})
	browsertest.Do(t, anna.tab, trusting, chromedp.Navigate(address))
	anna.sees(state("idle"), "isSecureContext")
	fox.Navigate(address)
	fox.Wait(state("idle"))

	anna.presses()
	anna.sees(state("looking"))
	fox.Run(`document.getElementById('go').click()`)
	fox.Wait(state("chatting"))
	anna.sees(state("chatting"))
	anna.says("Hello from Chromium")
	fox.Wait(lastLine("stranger", "Hello from Chromium"))
	fox.Run(fmt.Sprintf(`const text = document.getElementById('field');
		text.value = %q;
		text.dispatchEvent(new Event('input', { bubbles: true }));
		document.getElementById('send').click()`, "Hello from Firefox ☂"))
	anna.sees(lastLine("stranger", "Hello from Firefox ☂"))

	if n := p.Metric(t, `roulette_tls_handshakes_total{result="ok"}`); n < 2 {
		t.Errorf("%v TLS handshakes", n)
	}
}
