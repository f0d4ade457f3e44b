//go:build !linux

package onlylinux

// The compiler's message is the sentence.
const _ int = "Roulette runs on Linux only, by epoll"
