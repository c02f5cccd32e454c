// Undo: the words around its button are fetched anew each second, so that one listener on the page hears every press.
import { tell } from "./banner.js";
import { form, isBusy, item, onItem, show, wait } from "./workbench.js";
import * as outbox from "./outbox.js";
import * as prefetch from "./prefetch.js";

const PATIENCE = 20_000;
const AWAY = "The network is away: nothing is undone.";
const OTHER = "It is not undone: the server does not answer as it should. Reload the page and look.";

async function onSubmit(event) {
  if (event.target.id !== "undo-form") return;
  event.preventDefault();
  if (isBusy()) return;
  const { action, dataset } = event.target;
  const body = new URLSearchParams(new FormData(event.target));
  wait(true);
  try {
    const headers = { "HX-Request": "true" };
    const answer = await fetch(action, { method: "POST", headers, body, signal: AbortSignal.timeout(PATIENCE) });
    const text = await answer.text();
    if (!answer.ok) tell("undo", answer.headers.get("Content-Type")?.startsWith("text/plain") ? text : OTHER);
    else if (form()) {
      prefetch.giveBack(item());
      show(text, dataset.item);
    } else location.assign(dataset.item);
  } catch {
    tell("undo", AWAY);
  } finally {
    wait(false);
  }
}

// What there is to say where nothing can be undone.
export function refuse() {
  const late = document.querySelector("#left[data-late] a");
  if (outbox.entries().length) tell("undo", "Your last answer is not sent yet. It can be undone when it is.");
  else if (!late) tell("undo", "There is nothing to undo now.");
  else tell("undo", "It is too late to undo: your last answer was pushed.", [["Open it to change it", late.href]]);
}

export function follow() {
  document.addEventListener("submit", onSubmit);
  onItem(() => tell("undo"));
}
