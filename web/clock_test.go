package web_test

import "fmt"

// stoppedClock stops the clock of the page: the time, and every timer of a second or more,
// go on only as far as pass(milliseconds) says. So what the page does after a while is
// seen by a test that takes its time on a busy machine as by one that does not. Shorter
// timers, by which the page lets the browser draw, or a finger see, run as they are, and so
// do those that are older. What others say takes real time: let no ping go unanswered.
const stoppedClock = `if (!window.pass) {
	let now = Date.now(), timers = [], next = 1e9, passing = false;
	const { setTimeout: set, clearTimeout: clear, setInterval: every, clearInterval: cease } = window;
	const add = (f, ms, again, rest) => {
		timers.push({ id: next, at: now + ms, again, short: ms < 1000, f: () => f(...rest) });
		return next++;
	};
	const drop = (id) => { timers = timers.filter((timer) => timer.id !== id); };
	Date.now = () => now;
	window.setTimeout = (f, ms = 0, ...rest) => (ms < 1000 && !passing ? set(f, ms, ...rest) : add(f, ms, 0, rest));
	window.setInterval = (f, ms = 0, ...rest) => (ms < 1000 ? every(f, ms, ...rest) : add(f, ms, ms, rest));
	window.clearTimeout = (id) => { drop(id); clear(id); };
	window.clearInterval = (id) => { drop(id); cease(id); };
	const run = (timer) => {
		if (!timers.includes(timer)) return; // taken away
		now = Math.max(now, timer.at);
		if (timer.again > 0) timer.at += timer.again;
		else drop(timer.id);
		timer.f();
	};
	window.pass = (ms) => {
		passing = true;
		for (const until = now + ms; ;) {
			const due = timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at || a.id - b.id)[0];
			if (!due) {
				now = until;
				break;
			}
			run(due);
		}
		passing = false;
		// Short ones that were set meanwhile go on by themselves.
		for (const timer of timers.filter(({ short }) => short)) set(() => { const at = now; run(timer); now = at; }, timer.at - now);
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
