package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// unixPrefix is what the path of a Unix socket has before it, as an address.
const unixPrefix = "unix:"

// unixPath is the path of an address that is a Unix socket's.
func unixPath(addr string) (path string, ok bool) { return strings.CutPrefix(addr, unixPrefix) }

// maxUnixPath is what fits into an address of the kernel (unix(7)).
const maxUnixPath = 107

// checkUnixPath says what is wrong with a path.
func checkUnixPath(path string) error {
	switch {
	case !filepath.IsAbs(path):
		return fmt.Errorf("%s%s is no path that begins with /", unixPrefix, path)
	case len(path) > maxUnixPath:
		return fmt.Errorf("%s%s is longer than %d bytes", unixPrefix, path, maxUnixPath)
	case strings.HasSuffix(path, "/"):
		return fmt.Errorf("%s%s is a directory", unixPrefix, path)
	}
	return nil
}

// unixSocket is a listening socket in the file system.
type unixSocket struct {
	path string
	fd   int
	file os.FileInfo // what is at path while it is ours
}

// listenUnix makes a socket at path, which only those may open whom mode lets write,
// from its first moment on. A socket that is there and that nobody listens on any more
// is replaced; one that is listened on, and anything else, is not touched.
func listenUnix(path string, mode fs.FileMode) (s unixSocket, err error) {
	wrap := func(what string, err error) error {
		return fmt.Errorf("listen on %s%s: %s: %w", unixPrefix, path, what, err)
	}
	// Two that start at once must not replace each other's.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return s, fmt.Errorf("listen on %s%s: %w", unixPrefix, path, err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return s, wrap("lock", err)
	}
	if err := removeStale(path); err != nil {
		return s, fmt.Errorf("listen on %s%s: %w", unixPrefix, path, err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return s, wrap("socket", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return s, wrap("bind", err)
	}
	// Nobody can connect before it listens.
	if err := os.Chmod(path, mode); err != nil {
		os.Remove(path)
		return s, fmt.Errorf("listen on %s%s: %w", unixPrefix, path, err)
	}
	file, err := os.Lstat(path)
	if err != nil {
		return s, fmt.Errorf("listen on %s%s: %w", unixPrefix, path, err)
	}
	if err := unix.Listen(fd, 4096); err != nil {
		os.Remove(path)
		return s, wrap("listen", err)
	}
	return unixSocket{path, fd, file}, nil
}

// removeStale removes a socket that nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return errors.New("there is a file that is no socket")
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return errors.New("address already in use")
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return err // it may have a full queue, or be another's
	}
	return os.Remove(path)
}

// remove takes the socket out of the file system, unless another has taken its place.
func (s unixSocket) remove() {
	dir, err := os.Open(filepath.Dir(s.path))
	if err != nil {
		return
	}
	defer dir.Close()
	if unix.Flock(int(dir.Fd()), unix.LOCK_EX) != nil {
		return
	}
	// The number of a file that is gone may be another's; the time is not.
	now, err := os.Lstat(s.path)
	if err == nil && os.SameFile(now, s.file) && now.ModTime().Equal(s.file.ModTime()) {
		os.Remove(s.path)
	}
}
