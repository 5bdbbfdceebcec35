// The page of all models of a server: each with its state and its figures, and the way to its own.
"use strict";

const POLL_MS = 2000;
const $ = (id) => document.getElementById(id);

let token = ""; // where the server asks for one: kept by this page, as long as it is open
let before = new Map(); // what was counted at the last look, by model
let next;

function make(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function say(text, good) {
  if ($("state").textContent === text) return; // else it is read aloud at every look
  $("state").textContent = text;
  $("state").className = `state ${good ? "good" : "bad"}`;
}

async function look() {
  clearTimeout(next);
  if (!document.hidden) {
    try {
      const headers = token ? { authorization: `Bearer ${token}` } : {};
      const reply = await fetch("v1/models", { cache: "no-store", headers });
      if (reply.status === 401 || reply.status === 403) {
        say((await reply.json()).error, false);
        $("who").hidden = false;
        $("models").hidden = true;
        $("token").focus();
        return;
      }
      if (!reply.ok) throw new Error(`status ${reply.status}`);
      show((await reply.json()).models);
    } catch (error) {
      say("the server does not answer", false);
    }
  }
  next = setTimeout(look, POLL_MS);
}

function show(models) {
  const answering = models.filter((one) => one.digest).length;
  say(`${answering} of ${models.length} answer`, answering === models.length);
  const now = performance.now() / 1000, seen = new Map();
  const rows = models.map((one) => {
    const total = Object.values(one.stats.requests).reduce((sum, count) => sum + count, 0);
    seen.set(one.name, { at: now, total, ok: one.stats.requests.ok, seconds: one.stats.seconds.sum });
    return row(one, before.get(one.name), seen.get(one.name));
  });
  before = seen;
  $("rows").replaceChildren(...rows);
}

function row(one, then, now) {
  const found = make("tr"), name = make("th", undefined, { scope: "row" });
  name.append(make("a", one.name, { href: `models/${encodeURIComponent(one.name)}/` }));
  name.append(make("br"), make("small", one.digest ? one.digest.slice(7, 19) : "no version answers"));
  if (one.digest !== one.wanted) {
    name.append(make("br"), make("small", `${one.reason}: ${one.message}`, { class: "refusal" }));
  }
  found.append(name);
  const more = then && now.total >= then.total;
  const answered = more ? now.ok - then.ok : 0;
  found.append(make("td", more ? short((now.total - then.total) / (now.at - then.at)) : "–"));
  const mean = answered > 0 ? `${short((1000 * (now.seconds - then.seconds)) / answered)} ms` : "–";
  found.append(make("td", mean));
  return found;
}

function short(number) {
  return String(Number(number.toPrecision(3)));
}

$("who").addEventListener("submit", (event) => {
  event.preventDefault();
  const typed = $("token").value.trim();
  if (!/^[\x21-\x7e]+$/.test(typed)) {
    say("a token has letters, digits and signs of ASCII only", false);
    return;
  }
  token = typed;
  $("who").hidden = true;
  $("models").hidden = false;
  look();
});
look();
