package safety

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// journal is the file of decisions. Guarded by the lock of who has it; nil: there is
// none.
type journal struct {
	file io.WriteCloser
	sync func() error
	torn bool // what was written last may be the beginning of a line
}

// openJournal reads the decisions of the file at path, which need not be there, and
// opens it for more. broken is how many lines could not be read; tidy: those that are
// over may be left out of it.
func openJournal(path string, tidy bool, take func(*decision)) (j *journal, broken int, err error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	var all []*decision
	whole := true
	for len(text) > 0 {
		var line []byte
		line, text, whole = bytes.Cut(text, []byte("\n"))
		if len(line) == 0 {
			continue
		}
		if d, ok := parseLine(line); ok {
			all = append(all, d)
		} else {
			broken++
		}
	}
	kept, shorter := retain(all)
	if shorter && tidy {
		if err := rewrite(path, kept); err != nil {
			return nil, broken, err
		}
		whole = true
	}
	for _, d := range kept {
		take(d)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, broken, err
	}
	if err := syncFolder(path); err != nil {
		f.Close()
		return nil, broken, err
	}
	return &journal{file: f, sync: f.Sync, torn: !whole}, broken, nil
}

// append writes decisions down. After an error they may be there all the same, or
// some of them.
func (j *journal) append(all []*decision) error {
	if j == nil {
		return nil
	}
	var text []byte
	if j.torn {
		text = append(text, '\n') // what is cut ends here
	}
	for _, d := range all {
		text = appendLine(text, d)
	}
	if n, err := j.file.Write(text); err != nil {
		j.torn = j.torn || n > 0
		return fmt.Errorf("decision not written: %w", err)
	}
	j.torn = false
	if err := j.sync(); err != nil {
		return fmt.Errorf("decision perhaps not on the disk: %w", err)
	}
	return nil
}

// retain leaves out what is older than Keep, counted from the newest decision, but
// for the bans of it that are in force at that time. Whoever reads what is left knows
// the same bans as who reads all.
func retain(all []*decision) (kept []*decision, shorter bool) {
	var newest time.Time
	for _, d := range all {
		if d.At.After(newest) {
			newest = d.At
		}
	}
	cut := newest.Add(-Keep)
	first := 0 // of those that stay as they are
	for first < len(all) && all[first].At.Before(cut) {
		first++
	}
	if first == 0 {
		return all, false
	}
	var old Bans
	for _, d := range all[:first] {
		old.enter(d)
	}
	kept = old.decisions(newest)
	return append(kept, all[first:]...), true
}

// rewrite puts a file with these decisions in the place of the one at path, or leaves
// that as it is.
func rewrite(path string, all []*decision) error {
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // which it has no more if all went well
	j := journal{file: f, sync: f.Sync}
	if err := errors.Join(j.append(all), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(path)
}

// syncFolder makes sure that the name of a file outlives a crash.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.Sync()
}
