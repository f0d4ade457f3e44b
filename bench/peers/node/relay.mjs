// The relay on github.com/websockets/ws, for Node.
//
//	npm install ws && node relay.mjs PORT [CERTIFICATE KEY]
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { WebSocketServer } from "ws";

const [port, certificate, key] = process.argv.slice(2);
const server = certificate
  ? https.createServer({ cert: readFileSync(certificate), key: readFileSync(key), minVersion: "TLSv1.3" })
  : http.createServer();
const wss = new WebSocketServer({ server, maxPayload: 64 << 10, perMessageDeflate: false });
let waiting = null;

function seek(socket) {
  if (waiting && waiting !== socket) {
    [socket.partner, waiting.partner] = [waiting, socket];
    waiting = null;
  } else waiting = socket;
}

wss.on("connection", (socket) => {
  seek(socket);
  socket.on("message", (data, binary) => socket.partner?.send(data, { binary }));
  socket.on("error", () => {});
  socket.on("close", () => {
    if (waiting === socket) waiting = null;
    const left = socket.partner;
    if (left) {
      left.partner = null;
      seek(left);
    }
  });
});
server.listen(Number(port), "127.0.0.1", () => console.log(`listening on http${certificate ? "s" : ""}://127.0.0.1:${port}`));
