// What is typed and not submitted: in this browser at each key, on the server when the keys rest.
import { tell } from "./banner.js";
import { form, item, onItem, show, wait } from "./workbench.js";
import * as fields from "./fields.js";
import * as kept from "./user-storage.js";
import * as outbox from "./outbox.js";

const REST = 600;
const PATIENCE = 10_000;
const PAUSE = 1500;

let timer = 0;
let sending = null;

const copyOf = (number) => `copy:${number}`;

export function follow() {
  // Not "change", which a field also tells while it is taken off the page, when another item is there already.
  document.addEventListener("input", typed);
  onItem(restore);
  window.addEventListener("online", saveSoon);
}

function typed(event) {
  const input = event.target;
  if (input.form?.id !== "review" || !fields.isAnswer(input)) return;
  keep(item(), fields.read(input.form));
  saveSoon();
}

// Keep answers in this browser, as typed now.
export function keep(number, answers) {
  kept.write(copyOf(number), { answers, at: Date.now() });
}

export function saveSoon() {
  clearTimeout(timer);
  timer = setTimeout(save, REST);
}

// Save what is typed now, before another item takes its place.
export function flush() {
  if (!kept.read(copyOf(item()))) return;
  clearTimeout(timer);
  save();
}

async function save() {
  const number = item();
  const copy = number && kept.read(copyOf(number));
  if (!copy || !form()) return tell("draft");
  sending?.abort();
  sending = new AbortController();
  const signal = AbortSignal.any([sending.signal, AbortSignal.timeout(PATIENCE)]);
  try {
    const body = new URLSearchParams(new FormData(form()));
    const answer = await fetch(`${form().action}draft/`, { method: "POST", headers: { "HX-Request": "true" }, body, signal });
    if (answer.status === 204) {
      forget(number, copy.at);
      tell("draft");
    } else if (answer.status === 401) {
      tell("draft", "Your sign-in has ended. What you type is kept in this browser; sign in again to save it.", [
        ["Sign in again", `/accounts/login/?next=${encodeURIComponent(location.pathname)}`],
      ]);
    } else {
      const text = await answer.text();
      const isWords = answer.headers.get("Content-Type")?.startsWith("text/plain");
      if (answer.status === 409 && !isWords && item() === number) return taken(number, copy.at, text);
      tell("draft", isWords ? text : "Your draft is not yet saved: the server does not take it. It is kept in this browser.");
    }
  } catch (error) {
    if (error.name === "AbortError") return;
    tell("draft", "1 draft is not yet saved: the network is away. It is kept in this browser.");
    timer = setTimeout(save, PATIENCE);
  }
}

// A colleague has the item now: the draft was kept all the same, and stands in the closed form.
function taken(number, at, html) {
  forget(number, at);
  show(html);
  // Who is in the midst of a word means no key by what they type on.
  wait(true);
  setTimeout(() => wait(false), PAUSE);
  tell("draft", "A colleague has taken this item over. What you typed is kept as your draft and stands in the form.");
}

// The item's text goes on with its submit.
export function handOver(number) {
  clearTimeout(timer);
  sending?.abort();
  kept.drop(copyOf(number));
  tell("draft");
}

// Forget what was typed until `at`; what was typed later stays.
export function forget(number, at) {
  const copy = kept.read(copyOf(number));
  if (copy && copy.at <= at) kept.drop(copyOf(number));
}

// A copy in this browser is younger than the server's draft: it is what did not get there.
function restore() {
  tell("draft");
  tell("restored");
  const copy = kept.read(copyOf(item()));
  if (!copy || !form() || outbox.has(item())) return;
  fields.fill(form(), copy.answers);
  // As all times of the pages: UTC, of 24 hours.
  const at = new Date(copy.at).toISOString().slice(11, 19);
  tell("restored", `What you typed here at ${at} is back in the form. It is not submitted.`);
  saveSoon();
}
