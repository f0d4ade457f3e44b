// Asks again by itself whether there is a place, and loads the page at its own address
// when there is. It asks before it loads: while the server restarts, a page that loads
// itself again would be the browser's own of an error, and ask no more. Whoever is
// banned reads until when, and need not watch the seconds.

(function () {
  var LONGEST = 60; // seconds, unless the server asks for more
  var HOUR = 3600; // after which a ban may have been lifted

  var again = document.getElementById('again');
  var now = document.getElementById('now');
  var asked = Number(again.getAttribute('data-after')) || 5; // by the server: seconds at least
  var silent = 0; // times in a row that nobody answered
  var left = 0; // seconds to the next try; 0: trying
  var words = again.getAttribute('data-words');
  var ends = ''; // when, as it stands there
  var banned = words.indexOf('{time}') >= 0;

  /** Waits, spread over as long again: those who were refused together come back apart. */
  function wait(least) {
    left = banned ? Math.min(least, HOUR) : Math.ceil(least * (1 + Math.random()));
    show();
  }

  /** When the ban ends, as the reader's language writes it. */
  function end() {
    var date = new Date(Date.now() + asked * 1000);
    return date.toLocaleString(document.documentElement.lang, { dateStyle: 'medium', timeStyle: 'short' });
  }

  function show() {
    now.hidden = left === 0 || banned;
    if (left === 0) again.textContent = again.getAttribute('data-trying');
    else if (!banned) again.textContent = words.replace('{n}', left);
    else if (!ends) again.textContent = words.replace('{time}', ends = end());
  }

  function look() {
    left = 0;
    ends = '';
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
