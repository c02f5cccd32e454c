// Moves from item to item without loading a page; when offline, the reviewer stays at the item and sees a notice.
import { closest } from "./dom.js";
import * as drafts from "./drafts.js";
import * as lease from "./lease.js";
import { clearNotice, showNotice } from "./notices.js";
import * as prefetch from "./prefetch.js";
import { isBusy, onItem, setWaiting, showItem } from "./workbench.js";

const TIMEOUT = 10_000;

/**
 * Show the item at this address.
 *
 * @param {string} url
 * @returns {Promise<void>}
 */
export async function goToItem(url) {
  drafts.saveNow();
  const page = prefetch.takeItem(prefetch.numberOf(url));
  if (page) {
    showItem(page.html, page.url);
    // A prefetch claims the item for nobody.
    return lease.renew();
  }
  setWaiting(true);
  try {
    const response = await fetch(url, { headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(TIMEOUT) });
    if (!response.ok) return location.assign(url);
    const redirect = response.headers.get("HX-Location");
    if (redirect) return goToItem(JSON.parse(redirect).path);
    showItem(await response.text(), url);
  } catch {
    setWaiting(false);
    showNotice(
      "offline",
      "You are offline. Could not open the other item. What you type here is stored in this browser.",
    );
  }
}

// A click on the map of the queue goes to the item at that place.
/** @param {MouseEvent} event */
function travelUrl(event) {
  const map = closest(event, "#rail .travel");
  if (!map) return undefined;
  const { left, width } = map.getBoundingClientRect();
  const position = Math.ceil(((event.clientX - left) / width) * Number(map.dataset.total));
  return `${map.dataset.url}?position=${Math.max(1, position)}`;
}

/** @param {MouseEvent} event */
function onClick(event) {
  const url = closest(event, "#rail :is(li a, .step)")?.getAttribute("href") ?? travelUrl(event);
  if (!url || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (!isBusy()) goToItem(url);
}

export function start() {
  document.addEventListener("click", onClick);
  // Only for what a person did: what the page polls for is polled for again.
  document.addEventListener("htmx:sendError", ({ detail }) => {
    if (!["click", "submit"].includes(detail.requestConfig.triggeringEvent?.type ?? "")) return;
    showNotice("offline", "You are offline. Could not load this. What you type is stored in this browser.");
  });
  const clear = () => clearNotice("offline");
  document.addEventListener("htmx:afterSwap", clear);
  window.addEventListener("online", clear);
  onItem(clear);
}
