package serve

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"roulette/cmd/roulette/internal/endtoend/program"
	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/servertest"
)

// TestModerate: reports are listed for who has the key, and for nobody else; what is
// decided about people outlives a server that is killed; a key that is none is one line.
func TestModerate(t *testing.T) {
	servertest.Parallel(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	keyFile := func(name string) (path, recipient string) {
		key, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		path = filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(key.String()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path, key.Recipient().String()
	}
	mine, recipient := keyFile("moderator.key")
	theirs, _ := keyFile("stranger.key")
	recipients, err := safety.ParseRecipients([]string{recipient})
	if err != nil {
		t.Fatal(err)
	}
	// As a server before has left it.
	inbox, err := safety.OpenInbox(filepath.Join(dir, "reports"), recipients)
	if err != nil {
		t.Fatal(err)
	}
	reported := safety.NewPerson()
	const said = "a canary that only moderators read"
	if err := inbox.Take(safety.Report{
		At: time.Now(), Reporter: safety.NewPerson(), Reported: reported, Reason: "threat", Text: said,
		Lines: []safety.Line{{From: safety.FromReported, Op: 1, Payload: []byte(said)}},
	}); err != nil {
		t.Fatal(err)
	}
	id := inbox.All()[0].ID
	serve := func() *program.Process {
		return program.Serve(t, "--state-dir", dir, "--safety", "on", "--moderators", recipient)
	}
	p := serve()
	order := func(args ...string) string {
		t.Helper()
		out, errs, code := program.Output(t, "", append(args, "--admin", p.Admin)...)
		if code != 0 {
			t.Fatalf("%q: %d %s", args, code, errs)
		}
		return out
	}
	if out := order("moderate", "--list", "--identity", mine); !strings.HasPrefix(out, id) || !strings.Contains(out, "threat, 1 messages, reported "+reported.String()) {
		t.Error(out)
	}
	if out := order("moderate", "--list", "--identity", theirs); !strings.Contains(out, "cannot be read with this key") || strings.Contains(out, "threat") {
		t.Error(out)
	}
	answer, err := http.Post("http://"+p.Admin+"/decide?do=ban&for=2h&report="+id, "text/plain", strings.NewReader(reported.String()))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status)
	}
	p.Kill(t)
	p = serve()
	if out := order("bans"); !strings.Contains(out, reported.String()) || !strings.Contains(out, "ban") {
		t.Error(out)
	}
	if out := order("moderate", "--list", "--identity", mine); out != "" {
		t.Errorf("what is decided waits: %s", out)
	}
	if out := order("unban", reported.String()); out != "1 lifted\n" {
		t.Error(out)
	}
	order("ban", reported.String(), "--for", "1h")
	for _, wrong := range [][]string{
		{"moderate", "--identity", filepath.Join(dir, "nothing")}, {"moderate", "--identity", filepath.Join(dir, "decisions.log")}, {"moderate"},
		{"ban", reported.String()[1:]}, {"ban", "80" + reported.String()[2:]},
	} {
		_, errs, code := program.Output(t, "", append(wrong, "--admin", p.Admin)...)
		if program.OneLine(t, errs, ""); code == 0 {
			t.Errorf("%q is obeyed", wrong)
		}
	}
	p.Stop(t)
	err = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), "canary") {
			t.Errorf("%s has the text of a report", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
