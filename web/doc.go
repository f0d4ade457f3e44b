// Package web is the browser client: the page that people chat on, embedded in
// the binary, and the handler that serves it.
//
//	static/index.html      the document: header, log, bottom bar
//	static/style.css       its looks, light and dark, phone and desk
//	static/app.js          the user interface: wires the parts below together
//	static/transcript.js   the log of the chat: appended to, never rewritten
//	static/composer.js     the text field: what Enter does, growing, drafts
//	static/words.js        every sentence the page says
//	static/roulette.js     the client library: one connection that comes back
//	static/favicon.svg     the mark
//	static/404.html        for every path that is none of the above
//
// The page is plain JavaScript modules without a build step: what is in static
// is what the browser gets. It needs nothing from any other host, and the
// Content-Security-Policy of every response keeps it that way.
//
// # Serving
//
// All files are read, compressed and hashed once. A request costs a map lookup,
// one choice between two byte slices, and a write:
//
//	path ──► asset ──► Accept-Encoding ──► plain │ gzip ──► ETag matches? 304 : body
//
// Every file is served with "Cache-Control: no-cache": a browser keeps it but
// asks each time, and is answered with 304 until the binary changes. So a page
// and its modules are always from the same build.
//
// The chat itself is a WebSocket on the same host and port under /ws, which is
// not served here.
//
// # Concurrency
//
// An [http.Handler] from [Handler] is immutable and may be used by any number of
// goroutines. It starts none.
package web
