// Package web is the browser client: the page that people chat on, embedded in
// the binary, and the handler that serves it.
//
//	static/index.html      the document: header, log, bottom bar
//	static/style.css       its looks, light and dark, phone and desk;
//	static/header.css      of the header and the menu,
//	static/middle.css      of what scrolls, and of both on small screens,
//	static/log.css         of the log,
//	static/bar.css         of the bottom bar,
//	static/small.css       of that on small screens,
//	static/lobby.css       of the room and the lobby, and
//	static/dialog.css      of the dialogs
//	static/app.js          the user interface: wires the parts below together
//	static/transcript.js   the log of the chat: appended to, never rewritten
//	static/dialogs.js      reporting and blocking a stranger, and
//	static/complaints.js   what the server has sealed for that
//	static/filter.js       words that an operator has blurred
//	static/pieces.js       how much of a stranger's text is laid out at once
//	static/saved.js        what was said, as plain text
//	static/composer.js     the text field: what Enter does, growing, pictures
//	static/interests.js    interests as tags
//	static/picture.js      pictures made small, and recognised by their bytes
//	static/links.js        web addresses in a text, made clickable
//	static/attention.js    title and sound while the page is in the background
//	static/hide.js         the empty page, and the key that leads to it
//	static/popover.js      the menu where browsers know no popover
//	static/memory.js       settings that the browser remembers
//	static/words.js        the language of the page, and
//	static/words/*.json    every sentence it says, one file for each language
//	static/resume.js       a chat that outlives its connections; ledger.js counts,
//	                       reload.js keeps it over a reload of the page
//	static/roulette.js     the client library: one connection that comes back,
//	static/retry.js        when it is tried again,
//	static/heartbeat.js    how it knows that it is one,
//	static/wire.js         what goes over it, made small and plain,
//	static/typing.js       what the stranger is told of our typing,
//	static/presence.js     whether anybody looks,
//	static/proof.js        and what is worked for when a server has too much to do
//	static/controls.js     which press counts, swiping, Esc
//	static/notice.js       the line above the field, and the way back
//	static/lobby.js        waiting, and tables;
//	static/qr.js           the code of an invite link
//	static/spoken.js       the languages that somebody speaks
//	static/former.js       strangers of before, folded away
//	static/large.js        a picture as large as the window
//	static/favicon.svg     the mark, and in other forms *.png, favicon.ico;
//	static/manifest.webmanifest, robots.txt: for those who install, or search
//	static/old.js          what a browser shows that is too old for all of this
//	static/404.html        for every path that is none of the above
//	refusal                the page for those who are refused: full, draining, too many
//	house                  what is read before the chat and beside it: rules, terms, and
//	                       what is true of the server (see [House])
//
// # What the page does with what strangers send
//
// Text becomes text nodes, and http and https addresses links that say nothing of
// where they were found. Binary messages are shown only if they begin as PNG, JPEG,
// WebP or GIF of a bearable size, and only after a click. Of a long text, or one that is
// hard on a browser, only a first piece is laid out until more is asked for, and only so
// much before the page has answered to its user (see pieces.js and transcript.js).
// The policy of every
// response (see security.go) would stop a script that got in all the same. The page
// keeps nothing: interests and two settings stay in the browser's localStorage, and a
// chat is gone with its tab.
//
// A chat message goes out only while the client library knows of a partner; what was
// written for one stranger is never sent to another. It speaks the subprotocol
// roulette.v1 and is never a plain client.
//
// # Tests
//
// They drive Chromium (see package browsertest) against a small server that follows
// the protocol. The pictures of every state are made by TestScreenshots, for somebody
// to look at; TestAccessibility says how to install axe-core, which it needs.
//
// # No build step
//
// The page is plain JavaScript modules, without dependencies: what is in static is
// what is served under its name. The documents come with their styles and modules
// inside (see bundle.go), so that a page is there as a whole or not at all:
//
//	index.html ◄── style.css and the other styles; old.js; app.js ◄── its imports, each
//	               a function that runs once
//
// They need nothing from any other host, and the Content-Security-Policy of every
// response, which allows each inline script and style by its hash, keeps it that way.
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
