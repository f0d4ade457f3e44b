// Package program runs the real program, in a process of its own, for the tests
// beside it, which are in folders by topic:
//
//	serve     flags, environment, addresses, reload, a service manager, signals
//	browser   the page of the real server in a real browser
//	terminal  roulette chat
//	load      roulette bench
//	crowd     crowds of clients at random, and connections in great number
//	chaos     clients, machines and limits that treat the program badly
//	safety    people, whom they have blocked, and bots
//	drain     crowds that are sent away
//	monitor   metrics, and a real Prometheus
//	proxies   nginx, HAProxy and Caddy in front
//	deploy    units, manifests, images, packages, builds
//	long      what takes minutes: go test -tags long
//	readme    whether the documents say the truth
//
// Such a test knows the binary and not its packages. It is built once for all tests
// of a work tree ([Path]), with the race detector if the tests have it. A [Process]
// listens on ports that the kernel chooses and says which ([Process.Addr]); when its
// test ends it is killed, if it still runs, and the test must have left no goroutine
// and no descriptor of its own behind.
package program
