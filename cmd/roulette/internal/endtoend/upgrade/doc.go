// Package upgrade tests live upgrades of the real program: crowds in full flow, and
// what becomes of them when a successor takes over, fails, or is killed. With the tag
// long it takes minutes more.
package upgrade
