//go:build linux

// Million holds a million connections to one process, on any machine with some 12 GiB
// to spare.
//
//	go run ./bench/million                       a million; the better part of an hour
//	go run ./bench/million -connections 50000    the short form, two minutes
//	go run ./bench/million -upgrade              the server is upgraded meanwhile
//
// A process may hold only as many descriptors as its machine allows, often a few
// tens of thousands. So this starts a machine of its own, which allows more: Linux
// as an ordinary process (user-mode Linux, Debian's package user-mode-linux). It is
// no emulation, starts in a second and needs no privileges.
//
//	host    builds the server and this program, static, packs both into an
//	        initial file system, starts linux.uml on it and shows what it prints
//	guest   this program again, as process 1: sets limits, starts the server,
//	        opens the connections (package bench), takes the figures, powers off
//
// Once all have come, a sample of them talks, and every message is checked (see
// package bench); then the server is told to go, and everybody has to get its 1001
// and an orderly end. Anything else ends the program with an error.
//
// Memory and counts mean in the guest what they mean elsewhere. Times do not: it has
// one processor, and a system call in it costs some ten times what it does outside.
// Clients say nothing while they are idle and are not asked either: the pings of a
// million at the default interval would be all that such a guest does.
package main
