package safety

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
)

const canary = "a canary that is in no file"

func moderator(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func report(n int) Report {
	return Report{
		At: start.Add(time.Duration(n) * time.Second), Pair: [16]byte{byte(n), byte(n >> 8)},
		Reporter: Person{1, byte(n)}, Reported: Person{2, byte(n)}, Network: netip.MustParsePrefix("192.0.2.0/24"),
		Reason: "threat", Text: canary + "\x1b]0;title\a",
		Lines: []Line{{FromReported, 1, []byte(canary)}, {FromReporter, 2, []byte{0, 1, 2}}},
	}
}

// TestInbox: what is taken is there for moderators, also for the next process, and can be
// read by them alone.
func TestInbox(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "reports")
	one, two, stranger := moderator(t), moderator(t), moderator(t)
	recipients, err := ParseRecipients([]string{one.Recipient().String(), two.Recipient().String()})
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenInbox(dir, recipients)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if err := b.Take(report(n)); err != nil {
			t.Fatal(err)
		}
	}
	again, err := OpenInbox(dir, recipients)
	if err != nil {
		t.Fatal(err)
	}
	all := again.All()
	if !reflect.DeepEqual(all, b.All()) || len(all) != 3 || !all[1].At.Equal(report(1).At) {
		t.Fatalf("%v, before %v", all, b.All())
	}
	for n, filed := range all {
		f, err := again.Open(filed.ID)
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := io.ReadAll(f)
		f.Close()
		if err != nil || int64(len(sealed)) != filed.Size || bytes.Contains(sealed, []byte("canary")) {
			t.Errorf("%d bytes of %d, %v", len(sealed), filed.Size, err)
		}
		for _, who := range []age.Identity{one, two} {
			got, err := Unseal(bytes.NewReader(sealed), []age.Identity{who})
			if want := report(n); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %v, want %+v", got, err, want)
			}
		}
		if _, err := Unseal(bytes.NewReader(sealed), []age.Identity{stranger}); err == nil {
			t.Error("a stranger can read it")
		}
		for _, cut := range []int{0, 10, len(sealed) / 2, len(sealed) - 1} {
			if _, err := Unseal(bytes.NewReader(sealed[:cut]), []age.Identity{one}); err == nil {
				t.Errorf("the first %d bytes can be read", cut)
			}
		}
	}
	for _, id := range []string{"", "..", "../decisions.log", all[0].ID + "x", strings.ToUpper(all[0].ID), "0000000000-0000000000000000"} {
		if f, err := again.Open(id); !errors.Is(err, os.ErrNotExist) {
			f.Close()
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestRecipients(t *testing.T) {
	good := moderator(t).Recipient().String()
	for _, wrong := range []string{"", "age1", good[:len(good)-1], good + "x", "# " + good, good + "\n" + good, moderator(t).String(), strings.Repeat("age1", 1e5)} {
		if _, err := ParseRecipients([]string{good, wrong}); err == nil || strings.Contains(err.Error(), "\n") || len(err.Error()) > 500 {
			t.Errorf("%.40q: %.80v", wrong, err)
		}
	}
}

// TestInboxCutAnywhere: a process that is killed while it writes a report leaves nothing
// behind that looks like one.
func TestInboxCutAnywhere(t *testing.T) {
	dir := t.TempDir()
	b, err := OpenInbox(dir, []age.Recipient{moderator(t).Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Take(report(1)); err != nil {
		t.Fatal(err)
	}
	filed := b.All()[0]
	whole, err := os.ReadFile(filepath.Join(dir, filed.ID+sealedSuffix))
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(whole) + 1 {
		if err := os.WriteFile(filepath.Join(dir, newPrefix+fmt.Sprint(cut)), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again, err := OpenInbox(dir, b.recipients)
	if err != nil || !reflect.DeepEqual(again.All(), b.All()) {
		t.Fatal(again.All(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

// fullFile is a file on a disk that has room for so many bytes.
type fullFile struct {
	*os.File
	room *int
	sick error
}

func (f fullFile) Write(b []byte) (int, error) {
	n := min(len(b), *f.room)
	*f.room -= n
	n, err := f.File.Write(b[:n])
	if err == nil && n < len(b) {
		err = syscall.ENOSPC
	}
	return n, err
}

func (f fullFile) Sync() error { return errors.Join(f.sick, f.File.Sync()) }

// TestInboxOnAFullDisk: a report that does not fit, wherever the disk is full, or cannot
// be made to last, is refused, and nothing is left of it.
func TestInboxOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	b, err := OpenInbox(dir, []age.Recipient{moderator(t).Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Take(report(0)); err != nil {
		t.Fatal(err)
	}
	size := int(b.All()[0].Size)
	var room int
	var sick, none error
	b.create = func(name string) (file, error) {
		if none != nil {
			return nil, none
		}
		f, err := os.Create(name)
		return fullFile{f, &room, sick}, err
	}
	refused := func(want error) {
		t.Helper()
		if err := b.Take(report(1)); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || len(b.All()) != 1 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
	for n := 0; n < size; n += 7 {
		room = n
		refused(syscall.ENOSPC)
	}
	failed := b.Failed()
	room, sick = 1<<20, syscall.EIO
	refused(syscall.EIO)
	sick, none = nil, syscall.EROFS
	refused(syscall.EROFS)
	if b.Failed() != failed+2 {
		t.Errorf("%d counted", b.Failed())
	}
	none = nil
	if err := b.Take(report(1)); err != nil {
		t.Error(err)
	}
	if _, err := OpenInbox(filepath.Join(dir, b.All()[0].ID+sealedSuffix, "reports"), b.recipients); err == nil {
		t.Error("a folder below a file can be opened")
	}
}

// TestInboxIsBounded: it is not what fills the disk.
func TestInboxIsBounded(t *testing.T) {
	b, err := OpenInbox(t.TempDir(), []age.Recipient{moderator(t).Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	for n := range MaxFiled {
		b.filed[fmt.Sprint(n)] = Filed{}
	}
	if err := b.Take(report(1)); !errors.Is(err, ErrInboxFull) {
		t.Error(err)
	}
}

// TestReportsGo after thirty days, and not for a clock that jumps.
func TestReportsGo(t *testing.T) {
	dir := t.TempDir()
	b, err := OpenInbox(dir, []age.Recipient{moderator(t).Recipient()})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Take(report(0)); err != nil {
		t.Fatal(err)
	}
	old := b.All()[0]
	future := start.Add(Keep + time.Hour)
	for n, step := range []struct {
		now     time.Time
		running time.Duration
		left    int
	}{
		{start, 0, 1},
		{start.Add(-100 * time.Hour), time.Minute, 1},
		{start.AddDate(50, 0, 0), 10 * time.Minute, 1}, // wrong
		{start, 20 * time.Minute, 1},                   // and right again
		{start.AddDate(50, 0, 0), 80 * time.Minute, 1}, // once more
		{start, 90 * time.Minute, 1},
		{start.Add(Keep), 100 * time.Hour, 1},
		{future, 101 * time.Hour, 1},
		{future.Add(59 * time.Minute), 101*time.Hour + 59*time.Minute, 1},
		{future.Add(time.Hour), 102 * time.Hour, 0},
	} {
		if _, err := b.Sweep(step.now, step.running); err != nil || len(b.All()) != step.left {
			t.Fatalf("step %d: %v, %v", n, b.All(), err)
		}
	}
	if _, err := b.Open(old.ID); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
