// Whether somebody can see the page, and when the network may have changed. Browsers
// say it in many ways, and some of them only in one: what is told here is told once.

/**
 * Calls, until signal aborts:
 *   hiding()  nobody sees the page now, and the browser may freeze it without a word
 *   shown()   somebody sees it again
 *   gone()    somebody has gone elsewhere: the page ends, or may come back by the Back button
 *   hint()    the way to the server may be another one, or none
 */
export function watchPage({ hiding, shown, gone, hint }, signal) {
  let hidden = document.visibilityState === 'hidden';
  if (hidden) hiding();
  const set = (now) => {
    if (now === hidden) return;
    hidden = now;
    if (hidden) hiding();
    else shown();
  };
  const look = () => {
    set(document.visibilityState === 'hidden');
    hint();
  };
  // Capturing: what the page itself does about an event comes after this.
  const options = { signal, capture: true };
  document.addEventListener('visibilitychange', look, options);
  document.addEventListener('freeze', () => set(true), options);
  document.addEventListener('resume', look, options);
  addEventListener('pageshow', ({ persisted }) => { if (persisted) look(); }, options);
  addEventListener('pagehide', () => {
    hidden = true; // gone says more than hiding
    gone();
  }, options);
  addEventListener('online', hint, options);
  addEventListener('offline', hint, options);
}
