// Package upgrade tests live upgrades of the real program: chats in full flow, and
// what becomes of them when a successor takes over, fails, or is killed.
package upgrade
