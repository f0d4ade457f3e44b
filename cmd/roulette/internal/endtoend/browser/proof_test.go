package browser

import (
	"testing"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/web/browsertest"
)

// TestProofInTheBrowser: a server that asks newcomers for a proof of work gets it from the
// page, with WebCrypto and, where a page may not have that, without; nobody sees anything
// of it.
func TestProofInTheBrowser(t *testing.T) {
	browsertest.Ready(t)
	p := program.Serve(t, "--safety", "on", "--proof", "always")
	anna, ben := visit(t, p), visit(t, p)
	browsertest.Do(t, ben.tab, browsertest.Wait(`delete Crypto.prototype.subtle && crypto.subtle === undefined`))
	pair(anna, ben)
	anna.says("Hello")
	ben.sees(lastLine("stranger", "Hello"))
}
