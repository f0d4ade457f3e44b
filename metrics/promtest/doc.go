// Package promtest is what tests of rules and dashboards have in common: where
// Prometheus's programs are, and what the dashboard asks for. Nothing but tests
// imports it.
package promtest
