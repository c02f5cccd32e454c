// Keeps what is typed and not submitted: in this browser on every input, on the server after a pause in typing.
import { closest } from "./dom.js";
import * as fields from "./fields.js";
import { clearNotice, showNotice } from "./notices.js";
import * as outbox from "./outbox.js";
import * as storage from "./user-storage.js";
import { form, item, onItem, setWaiting, showItem } from "./workbench.js";

/** @typedef {{answers: fields.Answers, at: number}} Copy  what was typed, and when */

const SAVE_DELAY = 600; // milliseconds after the last input
const TIMEOUT = 10_000;
const TAKE_OVER_PAUSE = 1500;

/** @type {number | undefined} */
let timer;
/** @type {AbortController | null} */
let request = null;

/** @param {string | undefined} number */
const copyKey = (number) => `copy:${number}`;

/**
 * @param {string | undefined} number
 * @returns {Copy | null}
 */
const readCopy = (number) => storage.read(copyKey(number), null);

export function start() {
  // Not "change": a field also fires it while it is removed from the page, when the next item is already there.
  document.addEventListener("input", onInput);
  onItem(restoreCopy);
  window.addEventListener("online", scheduleSave);
}

/** @param {Event} event */
function onInput(event) {
  const field = /** @type {fields.Field | null} */ (closest(event, "input, textarea, select"));
  const number = item();
  if (!number || !field?.form || field.form.id !== "review" || !fields.isAnswer(field)) return;
  storeCopy(number, fields.readAnswers(field.form));
  scheduleSave();
}

/**
 * Store answers in this browser, as typed now.
 *
 * @param {string} number
 * @param {fields.Answers} answers
 */
export function storeCopy(number, answers) {
  storage.write(copyKey(number), { answers, at: Date.now() });
}

export function scheduleSave() {
  clearTimeout(timer);
  timer = setTimeout(save, SAVE_DELAY);
}

/** Save now, before another item replaces the form. */
export function saveNow() {
  if (!readCopy(item())) return;
  clearTimeout(timer);
  save();
}

async function save() {
  const number = item();
  const copy = readCopy(number);
  const review = form();
  if (!number || !copy || !review) return clearNotice("draft");
  request?.abort();
  request = new AbortController();
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(TIMEOUT)]);
  const body = new URLSearchParams(fields.formPairs(review));
  try {
    const headers = { "HX-Request": "true" };
    const response = await fetch(`${review.action}draft/`, { method: "POST", headers, body, signal });
    await onSaved(number, copy, response);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") return;
    showNotice("draft", "You are offline. 1 draft is not saved yet. A copy is stored in this browser.");
    timer = setTimeout(save, TIMEOUT);
  }
}

/**
 * @param {string} number
 * @param {Copy} copy
 * @param {Response} response
 */
async function onSaved(number, copy, response) {
  if (response.status === 204) {
    removeCopy(number, copy.at);
    return clearNotice("draft");
  }
  if (response.status === 401) {
    return showNotice(
      "draft",
      "Your session has expired. What you type is stored in this browser. Sign in to save it.",
      [["Sign in again", `/accounts/login/?next=${encodeURIComponent(location.pathname)}`]],
    );
  }
  const text = await response.text();
  const isMessage = response.headers.get("Content-Type")?.startsWith("text/plain");
  if (response.status === 409 && !isMessage && item() === number) return onTakenOver(number, copy.at, text);
  showNotice("draft", isMessage ? text : "Draft not saved: the server refused it. A copy is stored in this browser.");
}

/**
 * Show the read-only form of an item that a colleague has taken over; the server has saved the draft all the same.
 *
 * @param {string} number
 * @param {number} at
 * @param {string} html
 */
function onTakenOver(number, at, html) {
  removeCopy(number, at);
  showItem(html);
  // Ignore keys for a moment: whoever is in the middle of a word does not mean a shortcut.
  setWaiting(true);
  setTimeout(() => setWaiting(false), TAKE_OVER_PAUSE);
  showNotice(
    "draft",
    "A colleague has taken this item over. What you typed is saved as your draft and is in the form.",
  );
}

/**
 * Drop the copy of an item whose answers are now in the outbox.
 *
 * @param {string} number
 */
export function onSubmitted(number) {
  clearTimeout(timer);
  request?.abort();
  storage.remove(copyKey(number));
  clearNotice("draft");
}

/**
 * Remove what was typed until a moment; a later copy stays.
 *
 * @param {string} number
 * @param {number} until  milliseconds since the epoch
 */
export function removeCopy(number, until) {
  const copy = readCopy(number);
  if (copy && copy.at <= until) storage.remove(copyKey(number));
}

// A copy in this browser never reached the server, so it is newer than the server's draft.
function restoreCopy() {
  clearNotice("draft");
  clearNotice("restored");
  const number = item();
  const copy = readCopy(number);
  const review = form();
  if (!number || !copy || !review || outbox.has(number)) return;
  fields.fillAnswers(review, copy.answers);
  // UTC and 24 hours, like every time on the pages.
  const time = new Date(copy.at).toISOString().slice(11, 19);
  showNotice("restored", `What you typed at ${time} is back in the form. It is not submitted.`);
  scheduleSave();
}
