// Package admin is what an operator sees of a server: probes, a page, metrics,
// profiles, the log level.
//
//	/healthz       does the process do what it is there for?
//	/readyz        are new clients welcome?
//	/statusz       a page about now; /statusz.json the same for scripts
//	/metrics       Prometheus
//	/loglevel      GET and PUT
//	/bans          those in force; POST /ban?for=24h&reason=… and POST /unban, networks
//	               or people in the body, one a line
//	/people        those about whom something is decided
//	/reports       what waits for moderators; /reports/ID one of them, encrypted
//	/decide        POST /decide?do=ban&for=24h&report=ID, people in the body
//	/notice        POST /notice?code=restart&in=5m: what people are told
//	/debug/pprof/  profiles
//
// It knows no server: whoever has one fills in a [Config] with functions that
// say how it is, the largest of which returns a [Report].
//
// # Concurrency
//
// Each request has a goroutine of net/http, so the functions of a Config are
// called from any. A [BusyMinute] belongs to its worker.
package admin
