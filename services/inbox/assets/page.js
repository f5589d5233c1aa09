// What a page does beyond HTML: it listens for what arrives, finds offices while
// somebody types, and does not send a form twice. Everything works without it.
"use strict";

(function () {
  const live = document.getElementById("live");
  const news = document.getElementById("news");
  let title = document.title;

  // load fetches a page and returns its document.
  async function load(url) {
    const answer = await fetch(url, { credentials: "same-origin" });
    if (!answer.ok) throw new Error("status " + answer.status);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  function say(text, off) {
    if (!live || live.textContent === text) return;
    live.textContent = text;
    live.classList.toggle("off", Boolean(off));
  }

  // replace puts the part with that id of a fresh page in the place of ours.
  function replace(fresh, id) {
    const ours = document.getElementById(id);
    const theirs = fresh.getElementById(id);
    if (ours && theirs) ours.replaceWith(document.adoptNode(theirs));
  }

  // busy says whether somebody is filling in a form that a new page would empty.
  function busy() {
    const acts = document.getElementById("acts");
    return Boolean(acts && (acts.contains(document.activeElement) || acts.querySelector("details[open]")));
  }

  // show brings what is read up to date; who stands on a link still does.
  function show(fresh) {
    const focused = document.activeElement.closest("#fresh a");
    replace(fresh, "fresh");
    replace(fresh, "banner");
    title = fresh.title;
    count();
    if (!focused) return;
    for (const a of document.querySelectorAll("#fresh a")) if (a.getAttribute("href") === focused.getAttribute("href")) a.focus();
  }

  let again = false;
  let running = false;

  async function refresh() {
    if (running) { again = true; return; }
    running = true;
    try {
      const fresh = await load(location.pathname + location.search);
      // A case that was just handed in had no page yet.
      if (!document.getElementById("fresh") && fresh.getElementById("fresh")) location.reload();
      const typing = document.activeElement.closest("#fresh form");
      if (!typing) show(fresh);
      if (typing || busy()) {
        offer();
      } else {
        replace(fresh, "acts");
        once(document);
      }
      say(live.dataset.up);
    } catch {
      // The next notice, or the stream's own return, tries again.
      say(live.dataset.down, true);
    }
    // What comes in a burst is shown together, not one by one.
    setTimeout(() => {
      running = false;
      if (again) { again = false; refresh(); }
    }, 100);
  }

  // offer leaves it to the counsellor when to take the new state in.
  function offer() {
    news.textContent = live.dataset.fresh + " ";
    const link = document.createElement("a");
    link.href = location.pathname;
    link.textContent = live.dataset.reload;
    news.append(link);
  }

  // tell says what has arrived, for eyes and ears, and counts it in the title of a
  // page that nobody looks at.
  let unseen = 0;
  function count() { document.title = unseen ? "(" + unseen + ") " + title : title; }
  function tell(notice) {
    // Words that are there already are not read out again; an offer is left alone.
    news.textContent = "";
    setTimeout(() => {
      if (!news.firstChild) news.textContent = live.dataset.news + " " + notice[document.documentElement.lang];
    }, 50);
    if (document.hidden) unseen++;
    count();
  }

  // listen follows the office's notices. A browser opens six connections to one
  // host and no more: of all its pages of an office one has the stream, and tells
  // the others. Whoever holds the lock is the one.
  function listen() {
    const address = document.body.dataset.stream;
    if (!address || !live || !window.EventSource) return;
    const url = new URL(address, location.href);
    const dossier = document.body.dataset.dossier;
    const name = "relais " + url.pathname;
    const shared = navigator.locks && window.BroadcastChannel ? new BroadcastChannel(name) : null;
    // The number of an office's last notice is -1 before its first: 3--1.
    const place = (id) => Number(id.slice(id.indexOf("-") + 1));
    let at = url.searchParams.get("after");
    let source = null;
    let patience = 0;

    function take(m) {
      if (m.what === "notice") {
        if (place(m.id) <= place(at)) return;
        at = m.id;
        if (dossier && m.notice.case.split("~")[0] !== dossier) return;
        tell(m.notice);
        refresh();
      } else if (m.what === "reset") {
        at = m.id;
        refresh();
      } else if (m.what === "here" && place(m.id) > place(at)) {
        at = m.id;
        refresh();
      }
      say(m.up ? live.dataset.up : live.dataset.down, !m.up);
    }

    function pass(m) {
      take(m);
      if (shared) shared.postMessage(m);
    }

    function open() {
      clearTimeout(patience);
      if (source) return;
      url.searchParams.set("after", at);
      source = new EventSource(url);
      const state = (up) => pass({ what: "state", up });
      source.addEventListener("open", () => state(true));
      source.addEventListener("error", () => {
        state(false);
        // A browser gives up for good when the answer was no stream.
        if (source.readyState === EventSource.CLOSED) { source = null; setTimeout(open, 2000); }
      });
      source.addEventListener("notice", (e) => pass({ what: "notice", id: e.lastEventId, notice: JSON.parse(e.data), up: true }));
      source.addEventListener("reset", (e) => pass({ what: "reset", id: e.lastEventId, up: true }));
    }

    // ask finds out what came between this page and now. A page that has the
    // stream but was put to sleep does not answer: then this one opens its own.
    function ask() {
      if (source) return;
      clearTimeout(patience);
      patience = setTimeout(open, 3000);
      shared.postMessage({ what: "ask" });
    }

    window.addEventListener("pagehide", () => { if (source) source.close(); });
    if (!shared) { open(); return; }
    shared.addEventListener("message", (e) => {
      if (e.data.what === "ask") {
        if (source) shared.postMessage({ what: "here", id: at, up: source.readyState === EventSource.OPEN });
        return;
      }
      clearTimeout(patience);
      take(e.data);
    });
    navigator.locks.request(name, () => new Promise(open));
    ask();
    document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    unseen = 0;
    count();
  });

  function find() {
    const form = document.querySelector("form[data-find]");
    if (!form) return;
    const found = document.getElementById("found");
    let wait = 0;
    let asked = 0;
    form.q.addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(async () => {
        const mine = ++asked;
        const url = "/?q=" + encodeURIComponent(form.q.value);
        try {
          const fresh = await load(url);
          if (mine !== asked) return;
          replace(fresh, "results");
          found.textContent = fresh.getElementById("found").textContent;
          // Who comes back finds what was found.
          history.replaceState(null, "", url);
        } catch {
          // The button still works.
        }
      }, 120);
    });
  }

  // once keeps a second click from sending a form again while the first is under
  // way. The hub counts one event in any case; who stops the page, or loses the
  // network, may press again.
  function once(root) {
    for (const form of root.querySelectorAll("form[data-once]")) {
      if (form.dataset.bound) continue;
      form.dataset.bound = "yes";
      form.addEventListener("submit", (e) => {
        if (form.dataset.sent) { e.preventDefault(); return; }
        const button = form.querySelector("button");
        form.dataset.sent = "yes";
        button.disabled = true;
        setTimeout(() => { delete form.dataset.sent; button.disabled = false; }, 15000);
      });
    }
  }

  window.addEventListener("pageshow", (e) => {
    // A page that comes back from the browser's memory shows what was then.
    if (e.persisted) location.reload();
  });

  const print = document.querySelector("[data-print]");
  if (print) {
    print.hidden = false;
    print.addEventListener("click", () => window.print());
  }
  if (document.querySelector("[data-wait]")) setTimeout(() => location.reload(), 2000);

  // What became of a form is where reading begins.
  const banner = document.querySelector(".banner");
  if (banner) banner.focus();

  once(document);
  find();
  listen();
})();
