// Undoes the last submit or skip. One listener on the document, because the undo form is replaced every second.
import { find } from "./dom.js";
import { formPairs } from "./fields.js";
import { clearNotice, showNotice } from "./notices.js";
import * as outbox from "./outbox.js";
import * as prefetch from "./prefetch.js";
import { form, isBusy, item, onItem, setWaiting, showItem } from "./workbench.js";

const TIMEOUT = 20_000;
const OFFLINE = "Not undone: you are offline.";
const SERVER_ERROR = "Not undone: the server returned an error. Reload the page to see what is saved.";

/** @param {SubmitEvent} event */
async function onSubmit(event) {
  const undoForm = event.target;
  if (!(undoForm instanceof HTMLFormElement) || undoForm.id !== "undo-form") return;
  event.preventDefault();
  if (isBusy()) return;
  const itemUrl = undoForm.dataset.item ?? "";
  const body = new URLSearchParams(formPairs(undoForm));
  const headers = { "HX-Request": "true" };
  setWaiting(true);
  try {
    const signal = AbortSignal.timeout(TIMEOUT);
    const response = await fetch(undoForm.action, { method: "POST", headers, body, signal });
    const text = await response.text();
    if (!response.ok) {
      showNotice("undo", response.headers.get("Content-Type")?.startsWith("text/plain") ? text : SERVER_ERROR);
    } else if (form()) {
      prefetch.putBack(item());
      showItem(text, itemUrl);
    } else {
      location.assign(itemUrl);
    }
  } catch {
    showNotice("undo", OFFLINE);
  } finally {
    setWaiting(false);
  }
}

/** Show why nothing can be undone. */
export function showWhyNot() {
  const lateLink = find("#left[data-late] a");
  if (outbox.entries().length) {
    showNotice("undo", "Your last answer has not been sent yet. You can undo it once it is saved.");
  } else if (lateLink instanceof HTMLAnchorElement) {
    const text = "Too late to undo: your last answer was already pushed.";
    showNotice("undo", text, [["Open item", lateLink.href]]);
  } else {
    showNotice("undo", "Nothing to undo.");
  }
}

export function start() {
  document.addEventListener("submit", onSubmit);
  onItem(() => clearNotice("undo"));
}
