// What a page does beyond HTML: it listens for what arrives, finds offices while
// somebody types, and does not send a form twice. Everything works without it.
"use strict";

(function () {
  const live = document.getElementById("live");

  // load fetches a page and returns its document.
  async function load(url) {
    const answer = await fetch(url, { credentials: "same-origin" });
    if (!answer.ok) throw new Error("status " + answer.status);
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  }

  function say(text, off) {
    if (!live) return;
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

  let again = false;
  let running = false;

  async function refresh() {
    if (running) { again = true; return; }
    running = true;
    try {
      const fresh = await load(location.pathname + location.search);
      const focused = document.activeElement && document.activeElement.closest("#fresh a");
      const href = focused ? focused.getAttribute("href") : null;
      replace(fresh, "fresh");
      replace(fresh, "banner");
      if (href) {
        for (const a of document.querySelectorAll("#fresh a")) if (a.getAttribute("href") === href) a.focus();
      }
      if (busy()) {
        offer();
      } else {
        replace(fresh, "acts");
        once(document);
        say(live.dataset.up);
      }
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
    say(live.dataset.fresh + " ");
    const link = document.createElement("a");
    link.href = location.pathname;
    link.textContent = live.dataset.reload;
    live.append(link);
  }

  function listen() {
    const stream = document.body.dataset.stream;
    if (!stream || !live || !window.EventSource) return;
    const source = new EventSource(stream);
    source.addEventListener("open", () => say(live.dataset.up));
    source.addEventListener("error", () => say(live.dataset.down, true));
    source.addEventListener("notice", refresh);
    source.addEventListener("reset", refresh);
    window.addEventListener("pagehide", () => source.close());
  }

  function find() {
    const form = document.querySelector("form[data-find]");
    if (!form) return;
    let wait = 0;
    let asked = 0;
    form.q.addEventListener("input", () => {
      clearTimeout(wait);
      wait = setTimeout(async () => {
        const mine = ++asked;
        const url = "/?q=" + encodeURIComponent(form.q.value);
        try {
          const fresh = await load(url);
          if (mine === asked) replace(fresh, "results");
        } catch {
          // The button still works.
        }
      }, 120);
    });
  }

  // once keeps a second click from sending a form again while the first is under
  // way. The hub counts one event in any case.
  function once(root) {
    for (const form of root.querySelectorAll("form[data-once]")) {
      if (form.dataset.bound) continue;
      form.dataset.bound = "yes";
      form.addEventListener("submit", (e) => {
        if (form.dataset.sent) { e.preventDefault(); return; }
        form.dataset.sent = "yes";
        form.querySelector("button").disabled = true;
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

  once(document);
  find();
  listen();
})();
