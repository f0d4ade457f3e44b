package upgrade

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"roulette/cmd/roulette/internal/handover"
)

// meddling is what somebody in the middle of the conversation of two real processes
// does at one of its words, before it is passed on.
type meddling struct {
	From string // who says the word: predecessor or successor
	Word string // its type
	Do   string // what; and to whom, if it is somebody
}

const (
	predecessor = "predecessor"
	successor   = "successor"

	kill  = "kill "  // and then who
	stop  = "stop "  // SIGTERM
	hang  = "hang"   // nothing is passed on any more
	delay = "delay"  // it is passed on when any other step would have been given up
	spoil = "spoil"  // the word is passed on as garbage
	alien = "alien"  // the states of a hello are those of the far future
	empty = "empty"  // a word of the type, and nothing in it
	twice = "twice"  // the word is passed on two times
	other = "other " // and then the type that the word has instead
)

// words are the conversation's, in their order, but those that need not be said.
var words = []meddling{
	{From: predecessor, Word: "hello"}, {From: successor, Word: "hello"},
	{From: predecessor, Word: "listeners"}, {From: successor, Word: "received"},
	{From: predecessor, Word: "connections"},
	{From: predecessor, Word: "state"}, {From: successor, Word: "ready"},
	{From: predecessor, Word: "commit"}, {From: successor, Word: "serving"},
}

func (m meddling) String() string {
	return strings.ReplaceAll(m.Do, " ", "-") + "/" + m.From + "-says-" + m.Word
}

// committed tells whether the word is commit or comes behind it.
func (m meddling) committed() bool { return m.Word == "commit" || m.Word == "serving" }

// middleVariable tells a process of the test's program that it stands between, and
// selfVariable which program is to take over.
const (
	middleVariable = "UPGRADE_TEST_MIDDLE"
	selfVariable   = "UPGRADE_TEST_SELF"
)

// binary is a program that meddles so and has the real one take over, which is self.
func (m meddling) binary(t *testing.T, self string) string {
	t.Helper()
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	middle, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return script(t, fmt.Sprintf("%s='%s' %s='%s' exec '%s' \"$@\"", middleVariable, b, selfVariable, self, middle))
}

// script is a program of the shell's.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "successor")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// middle passes words on between the two.
type middle struct {
	meddling
	ends [2]int // of the conversations with predecessor and successor
	pids [2]int
	once sync.Once
}

// sides are the indices of middle's arrays.
var sides = []string{predecessor, successor}

// beMiddle starts the real successor, and is in the middle until both have ended the
// conversation.
func beMiddle() (code int) {
	m := middle{ends: [2]int{3}, pids: [2]int{os.Getppid()}}
	err := json.Unmarshal([]byte(os.Getenv(middleVariable)), &m.meddling)
	pair, pairErr := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err := errors.Join(err, pairErr); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	unix.CloseOnExec(3)
	_ = unix.SetNonblock(3, false)
	theirs := os.NewFile(uintptr(pair[1]), "handover")
	cmd := exec.Command(os.Getenv(selfVariable), os.Args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdout, os.Stderr, []*os.File{theirs}
	os.Unsetenv(middleVariable)
	os.Unsetenv(selfVariable)
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	theirs.Close()
	go cmd.Wait()
	m.ends[1], m.pids[1] = pair[0], cmd.Process.Pid
	var both sync.WaitGroup
	both.Go(func() { m.pass(0, 1) })
	both.Go(func() { m.pass(1, 0) })
	both.Wait()
	return 0
}

// pass passes on what one says to the other.
func (m *middle) pass(from, to int) {
	defer unix.Shutdown(m.ends[to], unix.SHUT_WR)
	b, oob := make([]byte, 1<<17), make([]byte, 1<<13)
	for {
		n, oobn, _, _, err := unix.Recvmsg(m.ends[from], b, oob, unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return
		}
		word, rights, fds := b[:n], []byte(nil), descriptors(oob[:oobn])
		if len(fds) > 0 {
			rights = unix.UnixRights(fds...)
		}
		times := 1
		var w struct{ Type string }
		if json.Unmarshal(word, &w) == nil && sides[from] == m.From && w.Type == m.Word {
			m.once.Do(func() { word, times = m.meddle(word) })
		}
		for range times {
			err = unix.Sendmsg(m.ends[to], word, rights, nil, unix.MSG_NOSIGNAL)
		}
		for _, fd := range fds {
			unix.Close(fd)
		}
		if err != nil {
			return
		}
	}
}

// meddle does what is to be done, and returns what is to be passed on how often.
func (m *middle) meddle(word []byte) ([]byte, int) {
	switch what, whom, _ := strings.Cut(m.Do, " "); what + " " {
	case kill:
		m.signal(whom, syscall.SIGKILL)
		// The other hears what was said, and cannot answer any more.
		if whom == successor {
			_ = unix.Shutdown(m.ends[0], unix.SHUT_RD)
		}
	case stop:
		m.signal(whom, syscall.SIGTERM)
	case hang + " ":
		return nil, 0
	case delay + " ":
		time.Sleep(handover.StepTimeout + 2*time.Second)
	case spoil + " ":
		return []byte("}{"), 1
	case twice + " ":
		return word, 2
	case empty + " ":
		return fmt.Appendf(nil, `{"type":%q}`, m.Word), 1
	case other:
		return fmt.Appendf(nil, `{"type":%q}`, whom), 1
	case alien + " ":
		var w map[string]any
		_ = json.Unmarshal(word, &w) // pass has done it
		hello, _ := w["hello"].(map[string]any)
		hello["oldest_state"], hello["newest_state"] = 98, 99
		word, _ = json.Marshal(w)
	}
	return word, 1
}

// signal sends a signal to one of the two, and returns when a killed one is dead.
func (m *middle) signal(whom string, sig syscall.Signal) {
	pid := m.pids[0]
	if whom == successor {
		pid = m.pids[1]
	}
	process, err := unix.PidfdOpen(pid, 0) // readable when it has ended, pidfd_open(2)
	_ = syscall.Kill(pid, sig)
	if err != nil { // it has ended, and nobody waits for it
		return
	}
	defer unix.Close(process)
	if sig != syscall.SIGKILL {
		return
	}
	for {
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}, -1); err != unix.EINTR {
			return
		}
	}
}

// lives tells whether a process has not ended, whoever is to wait for it.
func lives(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(b), ") ")
	return err == nil && !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

func descriptors(oob []byte) (fds []int) {
	messages, _ := unix.ParseSocketControlMessage(oob)
	for i := range messages {
		if list, err := unix.ParseUnixRights(&messages[i]); err == nil {
			fds = append(fds, list...)
		}
	}
	return fds
}
