package web_test

import "fmt"

// stoppedClock stops the clock of the page: the time, and every timer of a second or more,
// go on only as far as pass(milliseconds) says. So what the page does after a while is
// seen by a test that takes its time on a busy machine as by one that does not. Shorter
// timers, by which the page lets the browser draw, or a finger see, run as they are, and so
// do those that are older. What others say takes real time: let no ping go unanswered.
const stoppedClock = `if (!window.pass) {
	let now = Date.now(), timers = [], next = 1e9;
	const { setTimeout: set, clearTimeout: clear, setInterval: every, clearInterval: cease } = window;
	const add = (f, ms, again, rest) => {
		timers.push({ id: next, at: now + ms, again, f: () => f(...rest) });
		return next++;
	};
	const drop = (id) => { timers = timers.filter((timer) => timer.id !== id); };
	Date.now = () => now;
	window.setTimeout = (f, ms = 0, ...rest) => (ms < 1000 ? set(f, ms, ...rest) : add(f, ms, 0, rest));
	window.setInterval = (f, ms = 0, ...rest) => (ms < 1000 ? every(f, ms, ...rest) : add(f, ms, ms, rest));
	window.clearTimeout = (id) => { drop(id); clear(id); };
	window.clearInterval = (id) => { drop(id); cease(id); };
	window.pass = (ms) => {
		for (const until = now + ms; ;) {
			const due = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at || a.id - b.id)[0];
			if (!due) {
				now = until;
				return;
			}
			now = Math.max(now, due.at);
			if (due.again > 0) due.at += due.again;
			else drop(due.id);
			due.f();
		}
	};
}`

// stopClock stops the clock of the present page.
func (p person) stopClock() {
	p.t.Helper()
	p.run(stoppedClock)
}

// pass lets so many seconds pass in a page whose clock is stopped.
func (p person) pass(seconds float64) {
	p.t.Helper()
	p.run(fmt.Sprintf(`pass(%v)`, seconds*1000))
}
