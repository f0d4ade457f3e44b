package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/chromedp/chromedp"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/safety"
	"roulette/web/browsertest"
)

// moderated is a server that takes reports, and who reads them.
type moderated struct {
	*program.Process
	key  *age.X25519Identity
	file string // that the key is in
	dir  string // the server's state
}

func moderate(t *testing.T, args ...string) moderated {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	m := moderated{key: key, file: filepath.Join(t.TempDir(), "moderator.key"), dir: t.TempDir()}
	if err := os.WriteFile(m.file, []byte(key.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(m.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	m.Process = program.Serve(t, append([]string{"--state-dir", m.dir, "--safety=on", "--moderators", key.Recipient().String()}, args...)...)
	return m
}

// waiting is the line of each report that waits for a moderator.
func (m moderated) waiting(t *testing.T) []string {
	t.Helper()
	out, errs, code := program.Output(t, "", "moderate", "--list", "--identity", m.file, "--admin", m.Admin)
	if code != 0 {
		t.Fatal(errs)
	}
	return strings.Split(strings.TrimSuffix(out, "\n"), "\n")
}

// read opens a report with the moderator's key.
func (m moderated) read(t *testing.T, id string) (r safety.Report) {
	t.Helper()
	answer, err := http.Get("http://" + m.Admin + "/reports/" + id)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := age.Decrypt(answer.Body, m.key)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(text).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// silent fails when a file of the state has one of the texts.
func (m moderated) silent(t *testing.T, texts ...string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(m.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		files++
		content, err := os.ReadFile(path)
		for _, text := range texts {
			if bytes.Contains(content, []byte(text)) {
				t.Errorf("%s has %q", path, text)
			}
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files: %v", files, err)
	}
}

func (v visitor) runs(statements string) {
	v.t.Helper()
	browsertest.Do(v.t, v.tab, chromedp.Evaluate[chromedp.Void]("(async () => {"+statements+"})()", chromedp.EvalAwaitPromise))
}

// asks returns what a JavaScript expression is, a string.
func (v visitor) asks(expression string) (answer string) {
	v.t.Helper()
	evaluate := chromedp.Evaluate[string](expression)
	browsertest.Do(v.t, v.tab, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) (err error) {
		answer, err = evaluate(ctx, tab)
		return err
	}))
	return answer
}

const (
	reportOpen   = `document.getElementById('report').matches(':modal')`
	reportClosed = `!document.getElementById('report').open`
)

// outcome is the condition that the dialog says this of the report.
func outcome(text string) string {
	return fmt.Sprintf(`document.getElementById('report-state').textContent === %q`, text)
}

// saysAll says one after the other, without a look at each.
func (v visitor) saysAll(texts []string) {
	v.t.Helper()
	list, err := json.Marshal(texts)
	if err != nil {
		v.t.Fatal(err)
	}
	v.runs(fmt.Sprintf(`const field = document.getElementById('field');
		for (const text of %s) {
			field.value = text;
			field.dispatchEvent(new Event('input', { bubbles: true }));
			document.getElementById('composer').requestSubmit();
		}`, list))
}

// chooses gives a reason in the open dialog, by the keyboard.
func (v visitor) chooses(reason string) {
	v.t.Helper()
	v.runs(fmt.Sprintf(`const select = document.getElementById('report-reason');
		select.value = %q;
		select.dispatchEvent(new Event('change', { bubbles: true }))`, reason))
}

// TestReport: what the page shows of a stranger is what the moderators read, and the
// server has found it true; who was reported already, or said nothing, is not reported.
func TestReport(t *testing.T) {
	browsertest.Ready(t)
	m := moderate(t)
	anna, ben := visit(t, m.Process), visit(t, m.Process)
	pair(anna, ben)
	anna.says("my own words stay here")
	ben.sees(lastLine("stranger", "my own words stay here"))
	var said []string
	for n := range 40 { // more than from one mark to the next
		said = append(said, fmt.Sprintf("buy my watches, %d <b>\u202e🕰", n))
	}
	ben.saysAll(said)
	anna.sees(lastLine("stranger", said[len(said)-1]))

	anna.clicks("#report-open")
	anna.sees(reportOpen, `document.activeElement.closest('dialog')?.id === 'report'`,
		`!document.getElementById('report-leaves').hidden`, `document.getElementById('report-who').parentElement.hidden`,
		`[...document.getElementById('report-reason').options].every(({ text }) => text !== '')`)
	browsertest.Do(t, anna.tab, browsertest.Escape()) // closes the dialog, and nothing else
	anna.sees(reportClosed, state("chatting"))

	anna.clicks("#report-open")
	anna.sees(reportOpen)
	anna.clicks("#report-send")
	anna.sees(outcome("Please choose what is wrong."), state("chatting"))
	anna.chooses("spam")
	browsertest.Do(t, anna.tab, chromedp.Click(chromedp.CSS("#report-text")), browsertest.Type("sells watches"))

	// More is said before it is sent: that is shown, and asked again.
	anna.runs(`window.shown = document.querySelectorAll('#report-said li').length`)
	ben.says("and my bags")
	anna.sees(`document.querySelectorAll('#report-said li').length === window.shown + 1`)
	shown := anna.asks(`JSON.stringify([...document.querySelectorAll('#report-said li')].map((line) => line.textContent))`)
	said = append(said, "and my bags")
	anna.clicks("#report-send")
	anna.sees(outcome("The moderators have your report. Thank you."), state("idle"))
	ben.sees(state("left"))
	browsertest.Do(t, anna.tab, browsertest.Escape())
	anna.sees(reportClosed)

	lines := m.waiting(t)
	if len(lines) != 1 || !strings.Contains(lines[0], "spam, 9 messages") {
		t.Fatal(lines)
	}
	id, _, _ := strings.Cut(lines[0], " ")
	r := m.read(t, id)
	var read []string
	for _, line := range r.Lines {
		if line.From != safety.FromReported {
			t.Errorf("it has %q of the reporter", line.Payload)
		}
		read = append(read, string(line.Payload))
	}
	if want := said[32:]; strings.Join(read, "\n") != strings.Join(want, "\n") || r.Text != "sells watches" {
		t.Errorf("the moderators read %q and %q, want %q", read, r.Text, want)
	}
	var want bytes.Buffer
	encoder := json.NewEncoder(&want)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(read); err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(want.String()) != shown {
		t.Errorf("shown was %s", shown)
	}

	// It is reported once; and who has said nothing cannot be. In the menu it is after the chat, too.
	anna.runs(`document.getElementById('menu-report').click()`)
	anna.sees(reportOpen, `document.getElementById('report-send').hidden`,
		`document.getElementById('report-shows').textContent.startsWith('There is nothing that could be reported')`)
	browsertest.Do(t, anna.tab, browsertest.Escape())

	// Of all that was said, reported or not, no file has a word, now and after a restart.
	m.silent(t, "my own words", "watches", "bags")
	m.Stop(t)
	p := program.Serve(t, "--state-dir", m.dir, "--safety=on", "--moderators", m.key.Recipient().String())
	m.silent(t, "my own words", "watches", "bags")
	p.Stop(t)
	m.silent(t, "my own words", "watches", "bags")
}

// TestReportAfterwards: who was met is reported after the next one came; a report that
// is not true is refused; and without a connection nothing is said to be sent.
func TestReportAfterwards(t *testing.T) {
	browsertest.Ready(t)
	m := moderate(t)
	anna, ben, carl := visit(t, m.Process), visit(t, m.Process), visit(t, m.Process)
	pair(anna, ben)
	ben.says("something bad")
	anna.sees(lastLine("stranger", "something bad"))
	carl.presses()
	carl.sees(state("looking"))
	anna.clicks("#next")
	anna.sees(state("chatting"))
	carl.sees(state("chatting"))
	carl.says("something good")
	anna.sees(lastLine("stranger", "something good"))

	anna.clicks("#report-open")
	anna.sees(reportOpen, `document.getElementById('report-who').options.length === 2`)
	anna.runs(`const who = document.getElementById('report-who');
		who.value = '1';
		who.dispatchEvent(new Event('change', { bubbles: true }))`)
	anna.sees(`document.getElementById('report-said').textContent === 'something bad'`, `document.getElementById('report-leaves').hidden`)
	anna.chooses("threat")
	// What is sent is changed on its way: the server finds out.
	anna.runs(`window.send = WebSocket.prototype.send;
		WebSocket.prototype.send = function (data) { send.call(this, typeof data === 'string' ? data.replace('something bad', 'something worse') : data); }`)
	anna.clicks("#report-send")
	anna.sees(outcome("Refused: the server did not relay these messages like this."))
	anna.runs(`WebSocket.prototype.send = window.send`)
	anna.clicks("#report-send")
	anna.sees(outcome("The moderators have your report. Thank you."), state("chatting")) // with somebody else
	if lines := m.waiting(t); len(lines) != 1 || !strings.Contains(lines[0], "threat, 1 messages") {
		t.Error(lines)
	}
	browsertest.Do(t, anna.tab, browsertest.Escape())

	// The connection is lost: what the last mark vouches for is left, and waits.
	var more []string
	for n := range 40 {
		more = append(more, fmt.Sprint("and more, ", n))
	}
	carl.saysAll(more)
	anna.sees(lastLine("stranger", more[len(more)-1]))
	anna.clicks("#report-open")
	anna.sees(reportOpen, `document.getElementById('report-said').textContent.endsWith('and more, 39')`)
	anna.chooses("other")
	m.Kill(t)
	anna.sees(state("reconnecting"), `document.getElementById('report-said').textContent.endsWith('and more, 30')`)
	anna.clicks("#report-send")
	anna.sees(outcome("Not sent: the connection was lost. Please try again."))
}

// reports reports the stranger v talks to, or has just talked to.
func (v visitor) reports(reason string) {
	v.t.Helper()
	v.runs(`document.getElementById('menu-report').click()`)
	v.sees(reportOpen)
	v.chooses(reason)
	v.clicks("#report-send")
	v.sees(outcome("The moderators have your report. Thank you."))
	browsertest.Do(v.t, v.tab, browsertest.Escape())
	v.sees(reportClosed)
}

// TestWarnedAndBanned: whom two people have reported is told so with their next stranger;
// whom a moderator bans reads at once, and after a reload, until when, and where they can
// write to.
func TestWarnedAndBanned(t *testing.T) {
	browsertest.Ready(t)
	m := moderate(t, "--appeal", "mailto:appeals@example.org")
	ben := visit(t, m.Process)
	const warned = `!document.getElementById('understood').hidden && document.getElementById('explanation').innerText.startsWith('People have reported')`
	for range 2 {
		other := visit(t, m.Process)
		pair(other, ben)
		ben.says("something bad")
		other.sees(lastLine("stranger", "something bad"))
		ben.sees("!(" + warned + ")")
		other.reports("threat")
		ben.sees(state("left"))
	}
	ben.presses()
	ben.sees(warned, state("looking"))
	ben.clicks("#understood")
	ben.sees("!(" + warned + ")")

	id, _, _ := strings.Cut(m.waiting(t)[0], " ")
	if _, errs, code := program.Output(t, "", "ban", "--admin", m.Admin, "--for", "24h", m.read(t, id).Reported.String()); code != 0 {
		t.Fatal(errs)
	}
	if free := m.Metric(t, "roulette_state_free_bytes"); free < 1<<20 {
		t.Errorf("%v bytes are free for the state", free)
	}
	banned := []string{state("ended"), `/^You can come in again from .*\d/.test(document.getElementById('explanation').innerText)`,
		`document.querySelector('#explanation a')?.href === 'mailto:appeals@example.org'`}
	ben.sees(banned...)
	browsertest.Do(t, ben.tab, chromedp.Reload())
	ben.sees(banned...)
}

// TestBlock: two of whom one has blocked the other are never paired again, also when
// the page was loaded again, though nobody else is there; with the next one it goes on.
func TestBlock(t *testing.T) {
	browsertest.Ready(t)
	m := moderate(t)
	anna, ben := visit(t, m.Process), visit(t, m.Process)
	pair(anna, ben)
	anna.clicks("#block-open")
	anna.sees(`document.getElementById('block').matches(':modal')`)
	anna.clicks("#block-send")
	anna.sees(state("idle"), lastNote("You will not meet this stranger again."))
	ben.sees(state("left"), lastNote("The stranger left.")) // and no more than that

	for _, again := range []func(){
		func() {},
		func() {
			for _, v := range []visitor{anna, ben} {
				browsertest.Do(t, v.tab, chromedp.Reload())
				v.sees(state("idle"))
			}
		},
	} {
		again()
		anna.presses()
		anna.sees(state("looking"))
		ben.presses()
		ben.sees(state("looking"))
		carl := visit(t, m.Process)
		carl.presses() // whoever of the two has waited longer; the other does not take the place
		carl.sees(state("chatting"))
		if met := m.Metric(t, "roulette_pairs"); met != 1 {
			t.Errorf("%v pairs", met)
		}
		browsertest.Do(t, carl.tab, chromedp.Navigate("about:blank"))
		for _, v := range []visitor{anna, ben} {
			v.rests()
		}
	}
}

// rests stops, whatever goes on: nothing does that has just changed, so it is tried again.
func (v visitor) rests() {
	v.t.Helper()
	v.sees(state("idle") + "||" + state("left") + "||(document.getElementById('stop').click(), false)")
}

// TestNoReports: a server that takes none says so, and the page offers none.
func TestNoReports(t *testing.T) {
	browsertest.Ready(t)
	p := program.Serve(t)
	anna, ben := visit(t, p), visit(t, p)
	pair(anna, ben)
	ben.says("anything")
	anna.sees(lastLine("stranger", "anything"), `document.getElementById('report-open').hidden`, `document.getElementById('block-open').hidden`,
		`document.getElementById('menu-report').hidden`)
}
