package main

import (
	"log/slog"
	"path/filepath"
	"regexp"
	"time"

	"github.com/alecthomas/kong"

	"roulette/cmd/roulette/internal/config"
	"roulette/cmd/roulette/internal/proxy"
	"roulette/cmd/roulette/internal/safety"
	"roulette/cmd/roulette/internal/server"
	"roulette/frame/handshake"
	"roulette/netpoll"
)

var flagGroups = []kong.Group{
	{Key: "file", Title: "Configuration"},
	{Key: "where", Title: "Where to listen"},
	{Key: "tls", Title: "TLS"},
	{Key: "cluster", Title: "Several nodes"},
	{Key: "safety", Title: "Safety of strangers"},
	{Key: "limits", Title: "Limits"},
	{Key: "time", Title: "Time"},
	{Key: "log", Title: "Logging"},
}

// serveFlags are the settings of roulette serve. Those with the tag live can
// change while it runs.
type serveFlags struct {
	Config string `group:"file" placeholder:"FILE" help:"TOML file of settings, whose keys are the names of these flags. Flags and the environment stand above it."`

	ResumeKey string `group:"file" placeholder:"FILE" help:"Keys that sign what a broken chat is resumed with, the same for all processes that people may come back to; made if it is not there. The default is a file in the state folder; without one, chats end with the process."`

	Listen     []string    `group:"where" placeholder:"ADDR" default:":8080" help:"Public address: the page, /ws and /echo; unix: and a path is a Unix socket, whose clients are trusted proxies. May be given several times (default ${default})."`
	SocketMode permissions `group:"where" placeholder:"MODE" default:"0660" help:"Permissions of Unix sockets, in octal: who may write may connect (default ${default})."`
	BasePath   string      `group:"where" placeholder:"PATH" default:"/" help:"Path that the page and its links, /ws, /echo and /healthz are below, such as /chat/ where a proxy has other sites beside it (default ${default})."`
	Admin      string      `group:"where" placeholder:"ADDR" default:"127.0.0.1:8081" help:"Address of /metrics, /healthz, /readyz, /statusz, /loglevel, /bans and /debug/pprof/; empty for none (default ${default})."`

	SecurityContact string `group:"where" placeholder:"URI" help:"Whom to tell of a hole, such as mailto:security@example.org: what /.well-known/security.txt says. Empty is no such page."`

	AdminHosts []string `group:"where" placeholder:"HOST" help:"Names under which browsers may ask the admin side, such as admin.example.org, besides addresses and names that are private anyway."`

	ListenTLS     []string      `group:"tls" placeholder:"ADDR" help:"Public address for clients that speak TLS 1.3: https:// and wss://. May be given several times."`
	TLSCert       []string      `group:"tls" placeholder:"FILE" help:"Certificate, with what it is signed by behind it, PEM. May be given several times, each with a --tls-key; the name that a client asks for chooses. Read again on SIGHUP and when it changes."`
	TLSKey        []string      `group:"tls" placeholder:"FILE" help:"The certificate's key, PEM."`
	TLSSelfSigned bool          `group:"tls" help:"Make a certificate that nobody trusts, for a look."`
	ACMEDomain    []string      `group:"tls" placeholder:"NAME" help:"Name for which a certificate is obtained and renewed (ACME), such as chat.example.org. May be given several times. Whoever does it accepts the CA's terms of service."`
	ACMEEmail     string        `group:"tls" placeholder:"ADDRESS" help:"Where the CA sends warnings."`
	ACMEDirectory string        `group:"tls" placeholder:"URL" help:"The CA's directory; the default is Let's Encrypt's."`
	StateDir      string        `group:"tls" placeholder:"DIR" help:"Folder for what has to outlive a restart: certificates obtained, the keys of session tickets and of broken chats, bans. Made if it is not there, for its owner only. The default is systemd's StateDirectory."`
	RedirectHTTP  bool          `group:"tls" help:"Send requests in the clear to https:// instead of answering them."`
	RedirectPort  int           `group:"tls" placeholder:"PORT" default:"0" help:"Port of https:// as clients see it; 0 is that of the first --listen-tls (default ${default})."`
	HSTS          time.Duration `group:"tls" placeholder:"TIME" default:"0s" help:"How long browsers are to come by TLS only, such as 8760h; 0 tells them nothing (default ${default})."`

	Cluster            []string `group:"cluster" placeholder:"URL" help:"NATS server over which several nodes are one world, such as nats://10.0.0.5:4222 or tls://nats.example.org. May be given several times: any of them will do. Without one the server is alone."`
	ClusterCredentials string   `group:"cluster" placeholder:"FILE" help:"Credentials of NATS, a .creds file."`
	ClusterTLSCA       string   `name:"cluster-tls-ca" group:"cluster" placeholder:"FILE" help:"Authorities that are believed for the NATS server, PEM; the default is the system's."`
	ClusterTLSCert     string   `name:"cluster-tls-cert" group:"cluster" placeholder:"FILE" help:"Certificate to show to the NATS server, PEM."`
	ClusterTLSKey      string   `name:"cluster-tls-key" group:"cluster" placeholder:"FILE" help:"The certificate's key, PEM."`
	ClusterWorld       string   `group:"cluster" placeholder:"NAME" default:"main" help:"Nodes of one name belong together; it is a part of the NATS subjects (default ${default})."`
	NodeName           string   `group:"cluster" placeholder:"NAME" help:"What operators see of this node; the default is the host's name."`

	Safety     safety.Mode      `group:"safety" placeholder:"MODE" default:"off" help:"off knows nobody and costs nothing. With on people can block and report each other: a browser keeps a cookie, so that nobody meets again whom they have blocked, and messages are stamped, so that no report can be forged. observe is on, but rules only log what they would do (default ${default})."`
	Plain      server.Plain     `group:"safety" placeholder:"WHOM" default:"allow" help:"Whom clients meet that speak no records, such as simple tools: allow is anybody, apart is each other, off refuses them (default ${default})."`
	Proof      server.ProofMode `group:"safety" placeholder:"WHEN" default:"auto" help:"When newcomers are asked for a proof of work, a fraction of a second of their computer: auto is under pressure, off never, always is also when all is calm. Not with --safety off (default ${default})."`
	PersonKey  string           `group:"safety" placeholder:"FILE" help:"Secret that signs cookies and stamps, the same for all nodes; made if it is not there. The default is a file in the state folder; without one, people are known until the process ends."`
	Moderators []string         `group:"safety" placeholder:"RECIPIENT" help:"Public key of a moderator, age1…, as age-keygen prints it: reports are kept in the state folder for thirty days, encrypted to all of them, and the server itself cannot read them. May be given several times. Without one nobody can report."`
	Appeal     string           `group:"safety" placeholder:"URI" help:"Where somebody who is banned can write to, such as mailto:appeals@example.org or https://example.org/appeals: the page that keeps them out says so. Empty is nowhere."`

	Entry    string `group:"safety" placeholder:"FILE" help:"Text that everybody reads, and agrees to, before the first chat: the rules of the place. Empty lines part paragraphs, '# ' begins a heading, '- ' an item of a list. rules.de.txt beside rules.txt is for who reads German. Without one there is no entry page."`
	EntryAge int    `group:"safety" placeholder:"YEARS" default:"18" help:"How old whoever enters says to be, at least; 0 does not ask. With --entry only (default ${default})."`
	Terms    string `group:"safety" placeholder:"FILE" help:"Text at the top of /terms, above what the server does by its settings; like --entry."`
	Privacy  string `group:"safety" placeholder:"FILE" help:"Text at the top of /privacy, such as who is responsible and how to reach them, above what the server knows and keeps by its settings; like --entry."`

	WordFilter []string `group:"safety" placeholder:"FILE" help:"Words that the page blurs in what strangers say until its reader asks for them, one a line, whole words in any case; a * at an end stands for more letters. May be given several times; 64 KiB together. Without one nothing is blurred."`

	Workers                  int      `group:"limits" placeholder:"N" default:"0" help:"Worker threads; 0 is one for each processor (default ${default})."`
	MaxConnections           int      `live:"" group:"limits" placeholder:"N" default:"0" help:"Chat connections at once; 0 is what the descriptor limit allows (default ${default})."`
	MaxConnectionsPerAddress int      `live:"" group:"limits" placeholder:"N" default:"256" help:"Connections at once from one IPv4 address or IPv6 /64, loopback and trusted proxies excepted; 0 is no limit (default ${default})."`
	HandshakesPerAddress     int      `live:"" group:"limits" placeholder:"N" default:"50" help:"Handshakes a second from one address, likewise (default ${default})."`
	MaxMessageSize           size     `live:"" group:"limits" placeholder:"SIZE" default:"64KiB" help:"Largest message (default ${default})."`
	MessageRate              int      `live:"" group:"limits" placeholder:"N" default:"20" help:"Messages a second from one connection; 0 is no limit (default ${default})."`
	MessageBurst             int      `live:"" group:"limits" placeholder:"N" default:"60" help:"Messages at once from one connection (default ${default})."`
	AllowedOrigins           []string `live:"" group:"limits" placeholder:"ORIGIN" help:"Pages that may open a chat, such as https://example.org, or https://*.example.org for all hosts below it; null is a page without a place, * is all. The default is the server's own host."`
	TrustedProxies           []string `live:"" group:"limits" placeholder:"CIDR" help:"Addresses and networks of the proxies in front, such as 10.0.0.0/8: the client's address is what they say in X-Forwarded-For."`
	ProxyProtocol            bool     `live:"" group:"limits" help:"Each connection begins with a PROXY protocol header, version 1 or 2, of a trusted proxy; others are refused."`
	MemoryShare              int      `live:"" group:"limits" placeholder:"PERCENT" default:"90" help:"With so much of GOMEMLIMIT in use new chats are refused; 0 is never (default ${default})."`

	MaxPages           int `group:"limits" placeholder:"N" default:"1024" help:"Connections that fetch pages, at once; they do not count as chats (default ${default})."`
	MaxPagesPerAddress int `group:"limits" placeholder:"N" default:"64" help:"The same from one IPv4 address or IPv6 /64, loopback excepted; of the clients of a trusted proxy, requests at once; 0 is no limit (default ${default})."`

	MaxAway int `live:"" group:"limits" placeholder:"N" default:"20000" help:"People whose connection was lost and whose seat is kept, at once; 0 is none, and then no chat is resumed (default ${default})."`

	HandshakeTimeout  time.Duration `live:"" group:"time" placeholder:"TIME" default:"5s" help:"How long a request may take to arrive (default ${default})."`
	PingInterval      time.Duration `live:"" group:"time" placeholder:"TIME" default:"25s" help:"Silence after which a client is pinged (default ${default})."`
	IdlePingInterval  time.Duration `live:"" group:"time" placeholder:"TIME" default:"55s" help:"Likewise of a client that is in no chat, which nobody waits for; never shorter than --ping-interval. A proxy that ends silent connections must wait for longer (default ${default})."`
	PongTimeout       time.Duration `live:"" group:"time" placeholder:"TIME" default:"10s" help:"How long after a ping something must be heard (default ${default})."`
	HiddenTimeout     time.Duration `live:"" group:"time" placeholder:"TIME" default:"5m" help:"How long a page in the background, which may be frozen, may say nothing (default ${default})."`
	ResumeGrace       time.Duration `live:"" group:"time" placeholder:"TIME" default:"45s" help:"How long the seat of a lost connection is kept (default ${default})."`
	ResumeHiddenGrace time.Duration `live:"" group:"time" placeholder:"TIME" default:"5m" help:"How long it is kept if the page was in the background (default ${default})."`
	StallTimeout      time.Duration `live:"" group:"time" placeholder:"TIME" default:"15s" help:"How long a client may take nothing of what waits for it (default ${default})."`
	KeepAlive         time.Duration `group:"time" placeholder:"TIME" default:"75s" help:"How long a connection may be idle between two pages; more than a balancer in front keeps it, which is often 60 s (default ${default})."`
	DrainTime         time.Duration `live:"" group:"time" placeholder:"TIME" default:"10s" help:"How long a shutdown may take (default ${default})."`
	DrainGrace        time.Duration `live:"" group:"time" placeholder:"TIME" default:"0s" help:"How long a shutdown goes on serving new clients before that, for load balancers to notice that it is not ready (default ${default})."`

	UpgradeFreeze time.Duration `group:"time" placeholder:"TIME" default:"2s" help:"How long a live upgrade may stop everybody before it is called off (default ${default})."`

	LogLevel  slog.Level `live:"" group:"log" placeholder:"LEVEL" default:"info" help:"debug, info, warn or error (default ${default})."`
	LogFormat string     `group:"log" placeholder:"FORMAT" enum:"text,json" default:"text" help:"text or json (default ${default})."`
}

// Bounds of what can be set.
const (
	maxWorkers     = 256
	maxConnections = 1 << 24
	maxPages       = 1 << 16        // each has a goroutine and buffers
	maxRate        = 16_000         // a second: the clock of the limits has no more
	maxTime        = 24 * time.Hour // the coarse clock wraps after a month
	minTime        = time.Millisecond
	minMessageSize = 125 // a control frame's
)

// check adds to values what is wrong with the flags and their type cannot say.
func (c *serveFlags) check(values *config.Values) {
	for _, n := range []struct {
		key         string
		value, most int
	}{
		{"workers", c.Workers, maxWorkers},
		{"max-connections", c.MaxConnections, maxConnections},
		{"max-connections-per-address", c.MaxConnectionsPerAddress, maxConnections},
		{"handshakes-per-address", c.HandshakesPerAddress, maxRate},
		{"message-rate", c.MessageRate, maxRate},
		{"message-burst", c.MessageBurst, 1 << 20},
		{"memory-share", c.MemoryShare, 100},
		{"max-away", c.MaxAway, server.MaxAway},
		{"max-pages", c.MaxPages, maxPages},
		{"max-pages-per-address", c.MaxPagesPerAddress, maxPages},
	} {
		switch {
		case n.value < 0:
			values.Reject(n.key, "%d is negative", n.value)
		case n.value > n.most:
			values.Reject(n.key, "%d is more than %d", n.value, n.most)
		}
	}
	for _, d := range []struct {
		key                string
		value, least, most time.Duration
	}{
		{"handshake-timeout", c.HandshakeTimeout, minTime, maxTime},
		{"ping-interval", c.PingInterval, minTime, maxTime},
		{"idle-ping-interval", c.IdlePingInterval, minTime, maxTime},
		{"pong-timeout", c.PongTimeout, minTime, maxTime},
		{"hidden-timeout", c.HiddenTimeout, minTime, maxTime},
		{"resume-grace", c.ResumeGrace, minTime, maxTime},
		{"resume-hidden-grace", c.ResumeHiddenGrace, minTime, maxTime},
		{"stall-timeout", c.StallTimeout, minTime, netpoll.MaxStallTimeout},
		{"keep-alive", c.KeepAlive, minTime, maxTime},
		{"upgrade-freeze", c.UpgradeFreeze, minTime, 10 * time.Minute},
		{"drain-time", c.DrainTime, minTime, maxTime},
		{"drain-grace", c.DrainGrace, 0, maxTime},
	} {
		switch {
		case d.value < d.least:
			values.Reject(d.key, "%v is not a time of %v at least", d.value, d.least)
		case d.value > d.most:
			values.Reject(d.key, "%v is more than %v", d.value, d.most)
		}
	}
	if c.MaxMessageSize < minMessageSize {
		values.Reject("max-message-size", "%d is less than %d bytes", c.MaxMessageSize, minMessageSize)
	}
	if c.MessageRate > 0 && c.MessageBurst == 0 {
		values.Reject("message-burst", "0 lets nobody say anything, for there is a message-rate")
	}
	for _, o := range c.AllowedOrigins {
		if _, err := handshake.New(handshake.Config{AllowedOrigins: []string{o}}); err != nil {
			values.Reject("allowed-origins", "%q is not an origin such as https://example.org", o)
		}
	}
	for _, p := range c.TrustedProxies {
		if _, err := proxy.ParseNetwork(p); err != nil {
			values.Reject("trusted-proxies", "%w", err)
		}
	}
	if c.ProxyProtocol && len(c.TrustedProxies) == 0 {
		values.Reject("proxy-protocol", "needs --trusted-proxies, for anybody can write such a header")
	}
	if !basePath.MatchString(c.BasePath) {
		values.Reject("base-path", "%q is not a path such as /chat/", c.BasePath)
	}
	c.checkAddresses(values)
	c.checkTLS(values)
	c.checkCluster(values)
	c.checkSafety(values)
}

// basePath is a path that begins and ends with a slash, of segments that need no
// escapes and are no dots.
var basePath = regexp.MustCompile(`^/(?:[\w~-][\w.~-]*/)*$`)

// checkAddresses sees whether the addresses are some, and whether one takes another's
// connections. What names stand for, and whether an address is free, is known when it
// is taken.
func (c *serveFlags) checkAddresses(values *config.Values) {
	if len(c.listen()) == 0 && len(c.ListenTLS) == 0 {
		values.Reject("listen", "no address")
	}
	type taken struct {
		key, text, host string
		port            uint16
	}
	var all []taken
	paths := make(map[string]bool)
	check := func(key, addr string) {
		if path, ok := unixPath(addr); ok && key == "listen" {
			if err := checkUnixPath(path); err != nil {
				values.Reject(key, "%w", err)
			} else if path = filepath.Clean(path); paths[path] {
				values.Reject(key, "%s is an address of %s already", addr, key)
			} else {
				paths[path] = true
			}
			return
		}
		host, port, err := splitAddress(addr)
		if err != nil {
			values.Reject(key, "%w", err)
			return
		}
		for _, other := range all {
			switch {
			case port == 0 || port != other.port || !overlap(host, other.host):
			case addr == other.text:
				values.Reject(key, "%s is an address of %s already", addr, other.key)
				return
			default:
				values.Reject(key, "%s and %s of %s take each other's connections", addr, other.text, other.key)
				return
			}
		}
		all = append(all, taken{key, addr, host, port})
	}
	for _, addr := range c.listen() {
		check("listen", addr)
	}
	for _, addr := range c.ListenTLS {
		check("listen-tls", addr)
	}
	if c.Admin != "" {
		check("admin", c.Admin)
	}
}

// settings are those of the flags that can change while the server runs.
func (c *serveFlags) settings() server.Settings {
	var trusted proxy.Trusted
	for _, p := range c.TrustedProxies {
		if network, err := proxy.ParseNetwork(p); err == nil { // or check has refused it
			trusted = append(trusted, network)
		}
	}
	return server.Settings{
		MaxConnections:           c.MaxConnections,
		MaxConnectionsPerAddress: c.MaxConnectionsPerAddress,
		HandshakesPerAddress:     c.HandshakesPerAddress,
		MaxMessageSize:           int(c.MaxMessageSize),
		MessageRate:              c.MessageRate,
		MessageBurst:             c.MessageBurst,
		HandshakeTimeout:         c.HandshakeTimeout,
		PingInterval:             c.PingInterval,
		IdlePingInterval:         c.IdlePingInterval,
		PongTimeout:              c.PongTimeout,
		HiddenTimeout:            c.HiddenTimeout,
		ResumeGrace:              c.ResumeGrace,
		ResumeHiddenGrace:        c.ResumeHiddenGrace,
		MaxAway:                  c.MaxAway,
		StallTimeout:             c.StallTimeout,
		AllowedOrigins:           c.AllowedOrigins,
		TrustedProxies:           trusted,
		ProxyProtocol:            c.ProxyProtocol,
		MemoryShare:              c.MemoryShare,
	}
}
