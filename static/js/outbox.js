// Submits on their way: each is kept in this browser until the server has answered it, and they are sent in order.
import { tell } from "./banner.js";
import * as kept from "./user-storage.js";

const PATIENCE = 20_000;
const AGAIN = 4_000;

const AWAY = "They wait in this browser and are sent by themselves.";
const WHY = {
  0: ["The network is away.", AWAY],
  401: ["Your sign-in has ended.", "They wait in this browser and are sent when you have signed in again:"],
  403: ["The server does not take them from this page.", "They wait in this browser. Reload the page to send them."],
};
const OTHER = ["The server does not answer as it should.", AWAY];

let isDraining = false;
let timer = 0;
let held = null;
let given = { next: () => "0", settle: () => {} };

export const entries = () => kept.read("outbox", []);
export const has = (item) => entries().some((entry) => entry.item === item);
export const isAway = () => held?.status === 0 || !navigator.onLine;

const keep = (list) => kept.write("outbox", list);

// The same form submitted again takes its first submit's place.
export function add(entry) {
  keep([...entries().filter((other) => other.client !== entry.client), entry]);
  drain();
}

// `next(entry)` names the item that is read instead, "0" for none, null to be given one; `settle` gets each answer.
export function open(next, settle) {
  given = { next, settle };
  for (const event of ["online", "focus"]) window.addEventListener(event, drain);
  drain();
}

export async function drain() {
  if (isDraining || !entries().length) return count();
  isDraining = true;
  clearTimeout(timer);
  held = null;
  try {
    await alone(sendAll);
  } finally {
    isDraining = false;
    count();
  }
  if (held && held.status !== 401) timer = setTimeout(drain, AGAIN);
  else if (!held && entries().length) drain();
}

async function sendAll() {
  for (let entry = entries()[0]; entry; entry = entries()[0]) {
    const answer = await send(entry);
    if (isHeld(answer.status)) {
      held = answer;
      given.settle(entry, null);
      return;
    }
    keep(entries().filter((other) => other.client !== entry.client));
    given.settle(entry, answer);
  }
}

async function send(entry) {
  const next = given.next(entry);
  const headers = {
    "HX-Request": "true",
    "HX-Current-URL": location.href,
    "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "",
    ...(next === null ? {} : { "Desk-Next": next }),
  };
  const body = new URLSearchParams(entry.fields);
  try {
    const answer = await fetch(entry.url, { method: "POST", headers, body, signal: AbortSignal.timeout(PATIENCE) });
    return { status: answer.status, headers: answer.headers, html: await answer.text() };
  } catch {
    return { status: 0 };
  }
}

// 507 is an answer to this submit: the database does not take it. The others say nothing of it.
const isHeld = (status) => [0, 401, 403, 429].includes(status) || (status >= 500 && status !== 507);

// Two tabs do not send the same at once; where the browser cannot tell, the server knows a submit again.
const alone = (act) => (navigator.locks ? navigator.locks.request("desk-outbox", act) : act());

// Say how much is not yet saved, when something keeps it from being so.
export function count() {
  const waiting = entries();
  if (!waiting.length || (!held && navigator.onLine)) return tell("outbox");
  const [why, then] = WHY[held?.status ?? 0] ?? OTHER;
  const skips = waiting.filter((entry) => entry.isSkip).length;
  const sums = [sumOf(waiting.length - skips, "review"), sumOf(skips, "skip")].filter(Boolean).join(" and ");
  const sum = `${sums} ${waiting.length === 1 ? "is" : "are"} not yet saved.`;
  tell("outbox", `${why} ${sum} ${then}`, held?.status === 401 ? [["Sign in again", signIn(held.html)]] : []);
}

const sumOf = (count, word) => (count ? `${count} ${word}${count === 1 ? "" : "s"}` : "");

function signIn(html) {
  const link = new DOMParser().parseFromString(html, "text/html").querySelector("a[href]");
  return link?.getAttribute("href") ?? location.href;
}
