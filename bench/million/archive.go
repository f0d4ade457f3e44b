//go:build linux

package main

import (
	"fmt"
	"io"
)

// archive writes a cpio archive of the "newc" format, which is what the kernel takes
// for an initial file system.
type archive struct {
	w     io.Writer
	inode int
	err   error
}

const (
	directory  = 0o040755
	executable = 0o100755
)

// add writes one entry, whose folder is there already.
func (a *archive) add(name string, mode int, body []byte) {
	a.inode++
	// Magic; then, eight hexadecimal digits each: inode, mode, owner, group, links,
	// time, size, device and special device as major and minor, length of the name,
	// checksum.
	a.write(fmt.Appendf(nil, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name)+1, 0, name), len(name)+1+110)
	a.write(body, len(body))
}

// write pads what it wrote to whole words.
func (a *archive) write(b []byte, n int) {
	if a.err == nil {
		_, a.err = a.w.Write(append(b[:n:n], make([]byte, -n&3)...))
	}
}

func (a *archive) close() error {
	a.add("TRAILER!!!", 0, nil)
	return a.err
}
