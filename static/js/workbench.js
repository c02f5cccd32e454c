// The reviewer's screen: which item it shows, whether it accepts input, and how the next item replaces it.
import { find, matches } from "./dom.js";

const REQUESTS = ["#workbench", "#review", "#skip", "#undo"].map((id) => `${id}.htmx-request`).join();

let isUnpainted = false;
let isWaiting = false;
/** @type {Element | null} */
let focusBefore = null;

export const bench = () => find("#workbench");

/** @type {() => HTMLFormElement | null} */
export const form = () => document.querySelector("#review");

/** The number of the item on the screen, as text. */
export const item = () => bench()?.dataset.item;

/** What tells the queue of the item on the screen from others. */
export const queue = () => bench()?.dataset.upcoming?.split("?")[0];

/** Whether the form can only be read. */
export const isReadOnly = () => Boolean(find("#review .fields[inert]"));

/** Whether keys and buttons must do nothing; nobody can have read an item that is not painted yet. */
export const isBusy = () => isUnpainted || isWaiting || Boolean(find(REQUESTS));

/**
 * Accept no input while the screen waits for a response, and go on where the focus was.
 *
 * @param {boolean} on
 */
export function setWaiting(on) {
  isWaiting = on;
  bench()?.setAttribute("aria-busy", String(on));
  const panel = find("#workbench > .panel");
  if (on && panel?.contains(document.activeElement)) focusBefore = document.activeElement;
  panel?.toggleAttribute("inert", on);
  if (on) return;
  if (focusBefore instanceof HTMLElement && focusBefore.isConnected) focusBefore.focus({ preventScroll: true });
  focusBefore = null;
}

/**
 * Replace the item on the screen by the fragment of another, and the page's address if one is passed.
 *
 * @param {string} html
 * @param {string | null} [url]
 */
export function showItem(html, url) {
  setWaiting(false);
  isUnpainted = true;
  htmx.swap("#workbench", html, { swapStyle: "outerHTML", swapDelay: 0, settleDelay: 0 });
  if (url) pushUrl(url);
  moveFocus();
  requestAnimationFrame(() =>
    requestAnimationFrame(() => {
      isUnpainted = false;
    }),
  );
}

/**
 * Replace the form by the one in an item's fragment; the trace stays as it is being read.
 *
 * @param {string} html
 */
export function showForm(html) {
  /** @type {HtmxSwap} */
  const swap = { swapStyle: "outerHTML", swapDelay: 0, settleDelay: 0 };
  htmx.swap("#workbench > .panel", html, swap, { select: ".panel", selectOOB: "#rail" });
}

// Focus a question, else the first invalid field, else the trace.
function moveFocus() {
  const error = find("#review .fault");
  /** @type {HTMLElement | null | undefined} */
  const field = error?.closest("fieldset, .field")?.querySelector("input:not([type=hidden]), textarea, select");
  const target = find("#review .foot [role=alert]") ?? field ?? find("#review [role=alert]");
  if (!target) return find("#workbench > .trace")?.focus({ preventScroll: true });
  target.focus({ preventScroll: true });
  target.scrollIntoView({ block: "center" });
}

// Both history entries carry htmx's own state, so that htmx restores either page on back and forward.
/** @param {string} url */
function pushUrl(url) {
  history.replaceState({ htmx: true }, "");
  history.pushState({ htmx: true }, "", url);
}

/**
 * Update the parts of the page that a response contains out of band, by their ids.
 *
 * @param {string} html
 */
export function refreshParts(html) {
  htmx.swap("body", html, { swapStyle: "none", swapDelay: 0, settleDelay: 0 });
}

/**
 * Call back whenever an item or its form has been placed on the screen, and now if one is there.
 *
 * @param {() => void} callback
 */
export function onItem(callback) {
  document.addEventListener("htmx:afterSettle", (event) => {
    if (matches(event, "#workbench, .panel")) callback();
  });
  document.addEventListener("htmx:historyRestore", () => {
    if (bench()) callback();
  });
  if (bench()) callback();
}

// Only a page that has just loaded has no focus of its own.
onItem(() => {
  if (document.activeElement === document.body && form()) moveFocus();
});

window.addEventListener("pageshow", (event) => {
  if (event.persisted) setWaiting(false);
});
