// Queue of submits and skips, stored in this browser until the server has answered each, and sent in order.
import { clearNotice, showNotice } from "./notices.js";
import * as storage from "./user-storage.js";

/**
 * @typedef {object} Entry
 * @property {string} client  the submit's own id; the same form submitted again replaces its entry
 * @property {string} item
 * @property {string} [name]  what the notices call the item
 * @property {string} [queue]
 * @property {string} url
 * @property {[name: string, value: string][]} fields
 * @property {number} at  milliseconds since the epoch
 * @property {boolean} isSkip
 * @property {string} [next]  the item that was shown in its place
 */

/** @typedef {{status: number, headers: Headers, html: string}} Answer  status 0: the server was not reached */

/**
 * @typedef {object} Handlers
 * @property {(entry: Entry) => string | null} nextItem  the item being read instead, "0" for none; null asks the server
 *     to choose one
 * @property {(entry: Entry, answer: Answer | null) => void} onAnswer  null: sending is suspended for now
 */

const TIMEOUT = 20_000;
const RETRY_DELAY = 4_000;

const RETRIED = "Stored in this browser and sent automatically.";
/** @type {Record<number, [cause: string, help: string]>} */
const CAUSES = {
  0: ["You are offline.", "Stored in this browser and sent when you are back online."],
  401: ["Your session has expired.", "Stored in this browser. Sign in to send."],
  403: ["The server refused requests from this page.", "Stored in this browser. Reload the page to send."],
};

let isDraining = false;
/** @type {number | undefined} */
let timer;
/** The answer that suspends sending. @type {Answer | null} */
let blocker = null;
/** @type {Handlers} */
let handlers = { nextItem: () => "0", onAnswer: () => {} };

/** @returns {Entry[]} */
export const entries = () => storage.read("outbox", []);

/** @param {string | undefined} item */
export const has = (item) => entries().some((entry) => entry.item === item);

export const isOffline = () => blocker?.status === 0 || !navigator.onLine;

/** @param {Entry} entry */
const otherEntries = (entry) => entries().filter((other) => other.client !== entry.client);

/**
 * Store an entry and start sending.
 *
 * @param {Entry} entry
 */
export function add(entry) {
  storage.write("outbox", [...otherEntries(entry), entry]);
  drain();
}

/**
 * Send what an earlier page left, now and whenever the browser is back.
 *
 * @param {Handlers} callbacks
 */
export function start(callbacks) {
  handlers = callbacks;
  for (const event of ["online", "focus"]) window.addEventListener(event, drain);
  drain();
}

async function drain() {
  if (isDraining || !entries().length) return updateNotice();
  isDraining = true;
  clearTimeout(timer);
  blocker = null;
  try {
    await withLock(sendAll);
  } finally {
    isDraining = false;
    updateNotice();
  }
  retry();
}

function retry() {
  if (!blocker && entries().length) drain();
  else if (blocker && blocker.status !== 401) timer = setTimeout(drain, RETRY_DELAY);
}

async function sendAll() {
  for (let entry = entries()[0]; entry; entry = entries()[0]) {
    const answer = await send(entry);
    if (isBlocking(answer.status)) {
      blocker = answer;
      return handlers.onAnswer(entry, null);
    }
    storage.write("outbox", otherEntries(entry));
    handlers.onAnswer(entry, answer);
  }
}

/**
 * @param {Entry} entry
 * @returns {Promise<Answer>}
 */
async function send(entry) {
  const next = handlers.nextItem(entry);
  /** @type {HTMLInputElement | null} */
  const token = document.querySelector("[name=csrfmiddlewaretoken]");
  const headers = {
    "HX-Request": "true",
    "HX-Current-URL": location.href,
    "X-CSRFToken": token?.value ?? "",
    ...(next === null ? {} : { "Desk-Next": next }),
  };
  const body = new URLSearchParams(entry.fields);
  try {
    const response = await fetch(entry.url, { method: "POST", headers, body, signal: AbortSignal.timeout(TIMEOUT) });
    return { status: response.status, headers: response.headers, html: await response.text() };
  } catch {
    return { status: 0, headers: new Headers(), html: "" };
  }
}

// 507 answers this very submit: the database cannot take it. Every other such status says nothing about the submit.
/** @param {number} status */
const isBlocking = (status) => [0, 401, 403, 429].includes(status) || (status >= 500 && status !== 507);

// Two tabs must not send the same entry at once. Without locks the server recognises the repeated submit.
/** @param {() => Promise<void>} action */
const withLock = (action) => (navigator.locks ? navigator.locks.request("desk-outbox", action) : action());

/** Show how much is not saved yet, if sending is suspended. */
function updateNotice() {
  const waiting = entries();
  if (!waiting.length || (!blocker && navigator.onLine)) return clearNotice("outbox");
  const [cause, help] = CAUSES[blocker?.status ?? 0] ?? ["The server returned an error.", RETRIED];
  const skips = waiting.filter((entry) => entry.isSkip).length;
  const counts = [countOf(waiting.length - skips, "review"), countOf(skips, "skip")].filter(Boolean).join(" and ");
  const text = `${cause} ${counts} ${waiting.length === 1 ? "is" : "are"} not saved yet. ${help}`;
  showNotice("outbox", text, blocker?.status === 401 ? [["Sign in again", signInUrl(blocker.html)]] : []);
}

/**
 * @param {number} count
 * @param {string} noun
 */
const countOf = (count, noun) => (count ? `${count} ${noun}${count === 1 ? "" : "s"}` : "");

/** @param {string} html */
function signInUrl(html) {
  const link = new DOMParser().parseFromString(html, "text/html").querySelector("a[href]");
  return link?.getAttribute("href") ?? location.href;
}
