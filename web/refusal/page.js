// Asks again by itself whether there is a place, and loads the page at its own address
// when there is. It asks before it loads: while the server restarts, a page that loads
// itself again would be the browser's own of an error, and ask no more.

(function () {
  var LONGEST = 60; // seconds, unless the server asks for more

  var again = document.getElementById('again');
  var now = document.getElementById('now');
  var asked = Number(again.getAttribute('data-after')) || 5; // by the server: seconds at least
  var silent = 0; // times in a row that nobody answered
  var left = 0; // seconds to the next try; 0: trying

  /** Waits, spread over as long again: those who were refused together come back apart. */
  function wait(least) {
    left = Math.ceil(least * (1 + Math.random()));
    show();
  }

  function show() {
    now.hidden = left === 0;
    again.textContent = left === 0 ? again.getAttribute('data-trying') : again.getAttribute('data-words').replace('{n}', left);
  }

  function look() {
    left = 0;
    show();
    // What comes is kept, so that loading the page asks only whether it is still that.
    fetch(location.href, { cache: 'reload', headers: { Accept: 'text/html' } }).then(function (answer) {
      silent = 0;
      if (answer.ok) {
        location.reload();
        return;
      }
      asked = Number(answer.headers.get('Retry-After')) || asked;
      wait(asked);
    }).catch(function () {
      silent++;
      wait(Math.max(asked, Math.min(LONGEST, asked * Math.pow(2, silent - 1))));
    });
  }

  setInterval(function () {
    if (left === 0) return;
    left--;
    if (left === 0) look();
    else show();
  }, 1000);
  addEventListener('online', function () { if (left > 0) look(); });
  now.onclick = look;
  wait(asked);
}());
