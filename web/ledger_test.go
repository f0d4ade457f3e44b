package web_test

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp"

	"roulette/web/browsertest"
)

// TestLedgerInTheBrowser holds the page's ledger against the cases that the one in Go
// is held against as well; and after each step against what a reload makes of it.
func TestLedgerInTheBrowser(t *testing.T) {
	t.Parallel()
	cases, err := os.ReadFile("../cmd/roulette/internal/resume/testdata/ledger.json")
	if err != nil {
		t.Fatal(err)
	}
	chat := newFakeChat(t, false)
	p := person{t, browsertest.Shared(t)}
	p.do(chromedp.Navigate(chat.url), browsertest.Wait(idle))
	p.run(`const cases = ` + string(cases) + `;
		const { Ledger, CountError } = await import('/ledger.js');
		const wrong = [];
		const take = (ledger, step) => {
			switch (step.do) {
				case 'sent': {
					let number = 0;
					for (let i = 0; i < step.times; i++) number = ledger.sent(new Uint8Array(step.size), step.size);
					return number === step.number;
				}
				case 'showed': {
					let due = true;
					for (let i = 0; i < step.times; i++) due = ledger.showed() === step.due && due;
					return due;
				}
				case 'have': return ledger.have() === step.n && !ledger.unsaid;
				case 'confirm': ledger.confirm(step.n); return true;
				case 'open': return ledger.delivered === step.delivered && ledger.count === step.sent;
				case 'replay': {
					const { from, lost } = ledger.replay(step.n);
					let again = 0;
					while (ledger.message(from + again)) again++;
					return from === step.from && lost === step.lost && again === step.again && !ledger.message(from - 1);
				}
				case 'replayed': ledger.replayed(step.from, step.lost); return true;
			}
			throw new Error('what is ' + step.do + '?');
		};
		for (const { description, steps } of cases) {
			let ledger = new Ledger();
			for (const step of steps) {
				let refused = false, right = true;
				try {
					right = take(ledger, step);
				} catch (error) {
					if (!(error instanceof CountError)) throw error;
					refused = true;
				}
				if (!right || refused !== (step.wrong === true)) wrong.push(description + ': ' + JSON.stringify(step));
				ledger = Ledger.from(JSON.parse(JSON.stringify(ledger.kept((data) => data.length))), (size) => new Uint8Array(size));
			}
		}
		for (const bad of [null, {}, { sent: 1, delivered: 2, shown: 0, said: 0, ring: [] }, { sent: -1, delivered: 0, shown: 0, said: 0, ring: [] }, { sent: 0, delivered: 0, shown: 0, said: 0, ring: [['a', 1]] }]) {
			if (Ledger.from(bad) !== null) wrong.push('kept: ' + JSON.stringify(bad));
		}
		if (wrong.length > 0) throw new Error(wrong.join('\n'));`)
}
