// Keeps the status page as it is now: asks for it again as long as somebody
// looks, and replaces the sections that have changed.

const every = 2000; // milliseconds
const stale = document.getElementById("stale");
let last = Date.now();

async function refresh() {
  if (document.hidden || !getSelection().isCollapsed) return; // nobody looks, or somebody copies
  try {
    const response = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!response.ok) throw new Error(response.statusText);
    const now = new DOMParser().parseFromString(await response.text(), "text/html");
    document.title = now.title;
    for (const section of document.querySelectorAll("main > section")) {
      const next = now.getElementById(section.id);
      if (next && next.innerHTML !== section.innerHTML) section.replaceChildren(...next.childNodes);
    }
    last = Date.now();
    stale.hidden = true;
  } catch {
    stale.textContent = `No answer: this is how it was ${Math.round((Date.now() - last) / 1000)} seconds ago.`;
    stale.hidden = false;
  }
}

async function goOn() {
  await refresh();
  setTimeout(goOn, every);
}

setTimeout(goOn, every);
document.addEventListener("visibilitychange", refresh);
