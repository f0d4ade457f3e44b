// Every sentence that the scripts say. (What stands in index.html is there so that
// it can be read before they run.)

export const words = {
  you: 'You',
  stranger: 'Stranger',

  state: {
    idle: 'Not connected',
    connecting: 'Connecting…',
    connected: 'Connected',
    reconnecting: 'Reconnecting…',
    ended: 'Disconnected',
  },

  lost: 'The connection was lost.',
  lostAndWaiting: 'The connection is lost. Trying to get it back…',
  lostAndOffline: 'This device is offline. The chat returns with the network.',
  held: (seconds) => `That was too many messages at once. The chat returns in about ${seconds} seconds.`,
  restarting: 'The server is restarting. You will be back in a moment.',
  back: 'Connected again. Whoever answers now may be someone new.',
  ended: 'The server ended this connection.',
  endedTooBig: 'That message was too big for the server, which ended the connection.',
  tryNow: 'Try now',
  connectAgain: 'Connect again',

  notSent: 'Not sent: there is no connection yet. Your text is kept.',
  tooBig: 'Not sent: this is longer than one message may be. Please shorten it.',
  binary: (bytes) => `Stranger sent a file of ${bytes.toLocaleString()} bytes, which this page cannot show yet.`,
};
