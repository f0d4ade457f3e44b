// Package web is the browser client: the page that people chat on, embedded in
// the binary, and the handler that serves it.
//
//	static/index.html      the document: header, log, bottom bar
//	static/style.css       its looks, light and dark, phone and desk;
//	static/log.css         of the log,
//	static/bar.css         and of the bottom bar
//	static/app.js          the user interface: wires the parts below together
//	static/transcript.js   the log of the chat: appended to, never rewritten
//	static/composer.js     the text field: what Enter does, growing, pictures
//	static/interests.js    interests as tags
//	static/picture.js      pictures made small, and recognised by their bytes
//	static/links.js        web addresses in a text, made clickable
//	static/attention.js    title and sound while the page is in the background
//	static/hide.js         the empty page, and the key that leads to it
//	static/memory.js       settings that the browser remembers
//	static/words.js        every sentence the page says, in seven languages
//	static/roulette.js     the client library: one connection that comes back
//	static/favicon.svg     the mark
//	static/404.html        for every path that is none of the above
//
// # What the page does with what strangers send
//
// Text becomes text nodes, and http and https addresses links that say nothing of
// where they were found. Binary messages are shown only if they begin as PNG, JPEG,
// WebP or GIF of a bearable size, and only after a click. The policy of every
// response (see security.go) would stop a script that got in all the same. The page
// keeps nothing: interests and two settings stay in the browser's localStorage, and a
// chat is gone with its tab.
//
// A chat message goes out only while the client library knows of a partner; what was
// written for one stranger is never sent to another. On a server without the
// subprotocol roulette.v1 the page is a plain chat.
//
// # Tests
//
// They drive Chromium (see package browsertest) against a small server that follows
// the protocol. The pictures of every state are made by TestScreenshots, for somebody
// to look at; TestAccessibility says how to install axe-core, which it needs.
//
// # No build step
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
