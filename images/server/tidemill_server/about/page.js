// The page of one model: its form, its answers, its figures. Everything is asked of this server,
// by addresses relative to the page, so that it also works behind a proxy's path.
"use strict";

const MOST_FIELDS = 60; // beyond, a row is edited as JSON
const POLL_MS = 2000;
const WINDOW = 30; // polls: a minute
const $ = (id) => document.getElementById(id);

function make(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// ---- who asks --------------------------------------------------------------------------------

let token = ""; // where the model asks for one: kept by this page, as long as it is open

function ask(path, options = {}) {
  const bearer = token ? { authorization: `Bearer ${token}` } : {};
  return fetch(path, { ...options, headers: { ...options.headers, ...bearer } });
}

// Whether the reply says that who asks must bear another token, which is then asked for.
async function refused(reply) {
  if (reply.status !== 401 && reply.status !== 403) return false;
  showState(words(await reply.text(), reply.status), false);
  $("who").hidden = false;
  $("try").hidden = true;
  $("token").focus();
  return true;
}

function takeToken(event) {
  event.preventDefault();
  const typed = $("token").value.trim();
  if (!/^[\x21-\x7e]+$/.test(typed)) {
    showState("a token has letters, digits and signs of ASCII only", false);
    return;
  }
  token = typed;
  $("who").hidden = true;
  $("try").hidden = false;
  model ? poll() : start();
}

// ---- the form -------------------------------------------------------------------------------

let model = null;
// By column: a field's name would be a property of its form, whatever the column is called.
const inputs = new Map();
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const WORDS = { FP64: "number", INT64: "whole number", BOOL: "yes or no", BYTES: "text" };

function field(column) {
  const label = make("label", column.name + " ");
  label.append(make("small", WORDS[column.datatype] + (column.optional ? ", may be left out" : "")));
  let input;
  if (column.datatype === "BOOL") {
    input = make("select");
    for (const value of ["true", "false", ...(column.nullable ? [""] : [])])
      input.append(make("option", value || "missing", { value }));
  } else {
    const type = column.datatype === "BYTES" ? "text" : "decimal";
    input = make("input", undefined, { type: "text", inputmode: type, autocomplete: "off" });
    if (column.nullable) input.placeholder = "missing";
  }
  input.dataset.column = column.name;
  inputs.set(column.name, input);
  label.append(input);
  return label;
}

function buildForm() {
  const fields = $("fields");
  if (model.columns.length > MOST_FIELDS) {
    fields.className = "wide";
    const label = make("label", `One row, ${model.columns.length} columns, as JSON`);
    label.append(make("textarea", "", { spellcheck: "false" }));
    fields.append(label);
  } else {
    fields.append(...model.columns.map(field));
  }
  const buttons = model.examples.map((row, at) => {
    const button = make("button", `example ${at + 1}`, { type: "button" });
    button.addEventListener("click", () => fill(row));
    return button;
  });
  for (const button of buttons) $("example-buttons").append(button, " ");
  $("examples").hidden = buttons.length < 2;
  fill(model.examples[0]);
}

function fill(row) {
  const whole = $("fields").querySelector("textarea");
  if (whole) {
    whole.value = JSON.stringify(row, null, 1);
  } else {
    for (const column of model.columns) {
      const value = row[column.name];
      inputs.get(column.name).value = value === null || value === undefined ? "" : String(value);
    }
  }
  $("result").replaceChildren();
  showCurl();
}

// A row is written by hand, so that a whole number beyond 2^53 stays what was typed.
function rowText() {
  const whole = $("fields").querySelector("textarea");
  if (whole) return whole.value;
  const parts = [];
  for (const column of model.columns) {
    const typed = inputs.get(column.name).value;
    const text = column.datatype === "BYTES" ? typed : typed.trim();
    if (column.optional && text === "") continue;
    parts.push(JSON.stringify(column.name) + ": " + valueText(column, text));
  }
  return "{" + parts.join(", ") + "}";
}

function valueText(column, text) {
  if (text === "" && (column.nullable || column.datatype !== "BYTES")) return "null";
  if (column.datatype === "BOOL") return text;
  const number = column.datatype !== "BYTES" && NUMBER.test(text);
  // What is no number is sent as it is: the server says what is wrong with it.
  return number ? text.replace(/^\+/, "").replace(/^(-?)\./, "$10.").replace(/\.(?=$|[eE])/, ".0").replace(/^(-?)0+(?=\d)/, "$1") : JSON.stringify(text);
}

function showCurl() {
  const address = new URL("v1/predict", document.baseURI).href;
  const row = rowText().replaceAll("'", "'\\''");
  const bearer = token ? "  -H 'authorization: Bearer '\"$TOKEN\" \\\n" : "";
  $("curl").textContent = `curl ${address} \\\n${bearer}  -H 'content-type: application/json' \\\n  -d '[${row}]'`;
}

async function predict(event) {
  event.preventDefault();
  const began = performance.now();
  $("go").disabled = true;
  try {
    const headers = { "content-type": "application/json" };
    const body = `[${rowText()}]`;
    const reply = await ask("v1/predict", { method: "POST", headers, body });
    if (await refused(reply)) return;
    const text = await reply.text();
    $("took").textContent = `${(performance.now() - began).toFixed(1)} ms, there and back`;
    reply.ok ? showAnswer(JSON.parse(text)) : showRefusal(words(text, reply.status));
  } catch (error) {
    showRefusal(`The server cannot be reached: ${error.message}`);
  } finally {
    $("go").disabled = false;
  }
}

function words(text, status) {
  try {
    return JSON.parse(text).error || `status ${status}`;
  } catch {
    return `status ${status}`;
  }
}

function showRefusal(text) {
  for (const [name, input] of inputs)
    input.setAttribute("aria-invalid", String(text.includes(`column '${name}'`)));
  $("result").replaceChildren(make("p", text, { class: "refusal" }));
}

function showAnswer(answer) {
  for (const input of inputs.values()) input.removeAttribute("aria-invalid");
  const one = answer.predictions[0];
  const said = "label" in one ? String(one.label) : short(one.value);
  const shown = [make("p", said, { class: "answer" })];
  if (one.probabilities) shown.push(shares(one.probabilities));
  shown.push(make("p", `prediction ${answer.prediction_id}`, { class: "note" }));
  $("result").replaceChildren(...shown);
}

function shares(probabilities) {
  const list = make("ul", undefined, { class: "shares" });
  const sorted = Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, 20);
  for (const [name, share] of sorted) {
    const item = make("li");
    const bar = make("i", undefined, { "aria-hidden": "true" });
    bar.style.width = `${100 * share}%`;
    item.append(bar, make("span", name), make("span", `${(100 * share).toFixed(1)} %`));
    list.append(item);
  }
  return list;
}

// ---- what the model is ------------------------------------------------------------------------

const short = (value) => (typeof value === "number" ? String(Number(value.toPrecision(5))) : "–");

function showModel() {
  document.title = `${model.name} – model`;
  $("name").textContent = model.name;
  $("task").textContent = model.task + (model.target ? ` of ${model.target}` : "");
  $("oip").href = `v2/models/${encodeURIComponent(model.name)}`;
  const facts = {
    version: model.version,
    estimator: model.estimator,
    labels: model.labels.slice(0, 20).join(", "),
    columns: model.columns.length,
    "data set": model.dataset && `${model.dataset}, ${String(model.datasetVersion || "").slice(0, 19)}`,
    "rows held out": model.rowsHeldOut,
    digest: model.digest.slice(0, 19),
  };
  for (const [name, value] of Object.entries(facts))
    if (value !== undefined && value !== "") $("facts").append(make("dt", name), make("dd", String(value)));
  if (model.metrics) $("metrics").append(metricsTable(model.metrics));
}

function metricsTable(metrics) {
  const table = make("table");
  table.append(make("caption", "On rows held out"));
  const heads = make("tr");
  for (const name of ["metric", "value", "95 % from", "to"]) heads.append(make("th", name, { scope: "col" }));
  table.append(make("thead"), make("tbody"));
  table.tHead.append(heads);
  for (const one of metrics) {
    const row = make("tr");
    row.append(make("th", one.name, { scope: "row" }));
    for (const end of ["value", "low", "high"]) row.append(make("td", short(one[end])));
    table.tBodies[0].append(row);
  }
  return table;
}

// ---- live figures -----------------------------------------------------------------------------

const polls = [];
let next; // there is one at a time, whoever has begun it

async function poll() {
  clearTimeout(next);
  if (!document.hidden) {
    try {
      const reply = await ask("v1/stats", { cache: "no-store" });
      if (await refused(reply)) return;
      if (!reply.ok) throw new Error(`status ${reply.status}`);
      polls.push({ at: performance.now() / 1000, ...(await reply.json()) });
      if (polls.length > WINDOW) polls.shift();
      showState(polls.at(-1).ready ? "ready" : "not ready", polls.at(-1).ready);
      showFigures();
    } catch (error) {
      showState("the server does not answer", false);
    }
  }
  next = setTimeout(poll, POLL_MS);
}

function showState(text, good) {
  if ($("state").textContent === text) return; // else it is read aloud at every poll
  $("state").textContent = text;
  $("state").className = `state ${good ? "good" : "bad"}`;
}

function showFigures() {
  const first = polls[0], last = polls.at(-1);
  if (last.at === first.at) return;
  const total = (one) => Object.values(one.requests).reduce((sum, count) => sum + count, 0);
  const rates = polls.slice(1).map((one, at) => Math.max(0, total(one) - total(polls[at])) / (one.at - polls[at].at));
  $("rate").textContent = String(Number(rates.at(-1).toPrecision(3)));
  const bad = total(last) - last.requests.ok - (total(first) - first.requests.ok);
  $("bad").textContent = String(Math.max(0, bad));
  $("p50").textContent = milliseconds(quantile(first, last, 0.5));
  $("p99").textContent = milliseconds(quantile(first, last, 0.99));
  const most = Math.max(...rates, 1);
  const points = rates.map((rate, at) => `${(300 * (at + WINDOW - 1 - rates.length)) / (WINDOW - 2)},${57 - (54 * rate) / most}`);
  $("line").setAttribute("d", points.length > 1 ? `M${points.join("L")}` : "");
}

function quantile(first, last, share) {
  const counts = last.seconds.buckets.map((one, at) => one.count - first.seconds.buckets[at].count);
  const all = counts.at(-1);
  if (all <= 0) return null;
  const at = counts.findIndex((count) => count >= share * all);
  const upper = Number(last.seconds.buckets[at].le.replace("+Inf", "Infinity"));
  const lower = at ? Number(last.seconds.buckets[at - 1].le) : 0;
  if (!Number.isFinite(upper)) return lower;
  const below = at ? counts[at - 1] : 0;
  return lower + ((upper - lower) * (share * all - below)) / (counts[at] - below);
}

function milliseconds(seconds) {
  return seconds === null ? "–" : `${short(Number((1000 * seconds).toPrecision(2)))} ms`;
}

// ---- start ------------------------------------------------------------------------------------

async function start() {
  try {
    const reply = await ask("v1/model");
    if (await refused(reply)) return;
    if (!reply.ok) throw new Error(words(await reply.text(), reply.status));
    model = await reply.json();
  } catch (error) {
    showState(error.message, false);
    setTimeout(start, POLL_MS);
    return;
  }
  showModel();
  buildForm();
  $("form").addEventListener("submit", predict);
  $("form").addEventListener("input", showCurl);
  poll();
}

$("who").addEventListener("submit", takeToken);
start();
