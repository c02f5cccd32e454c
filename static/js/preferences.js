// What a person has set for themselves: text snippets, tool calls opened, and going on by itself.
import { isAnswered } from "./answer-rows.js";
import { closest, find, findAll } from "./dom.js";
import * as prefetch from "./prefetch.js";
import { isBusy, item, onItem } from "./workbench.js";

const PAUSE = 200; // milliseconds in which the chosen answer is seen

const { dataset } = document.body;

let wasComplete = false;

/** Whether the score, unless the reviewer is unsure, and every required answer are given. */
function isComplete() {
  if (find("#review [name=unsure]:checked")) return false;
  return findAll("#review .score, #review [data-required]").every(isAnswered);
}

// Only an answer that the person has just chosen goes on by itself: no text under way, nothing that is filled in.
/** @param {Event} event */
function onChoice(event) {
  if (dataset.advances === undefined || !closest(event, "#review :is([type=radio], .preset)")) return;
  const isNewlyComplete = isComplete() && !wasComplete;
  wasComplete = isComplete();
  const number = item();
  if (!isNewlyComplete) return;
  setTimeout(() => {
    if (item() === number && isComplete() && !isBusy()) find("#submit")?.click();
  }, PAUSE);
}

/** @param {Event} event */
function insertSnippet(event) {
  const snippet = closest(event, ".snippets button")?.dataset.snippet;
  const notes = find("#notes");
  if (!snippet || !(notes instanceof HTMLTextAreaElement)) return;
  const before = notes.value.slice(0, notes.selectionStart);
  const gap = before && !/\s$/.test(before) ? " " : "";
  notes.focus();
  notes.setRangeText(gap + snippet, notes.selectionStart, notes.selectionEnd, "end");
  notes.dispatchEvent(new Event("input", { bubbles: true }));
}

function onNewItem() {
  wasComplete = isComplete();
  if (dataset.opensTools === undefined) return;
  for (const fold of findAll("#trace .tool > details, #trace .group:has(.tool)")) fold.setAttribute("open", "");
}

export function start() {
  document.addEventListener("click", (event) => {
    insertSnippet(event);
    // After the other listeners have set what the click chooses.
    setTimeout(() => onChoice(event));
  });
  onItem(onNewItem);
  // What was prefetched has the tab of before.
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (dataset.keepsTab !== undefined && detail.requestConfig.path.includes("tab=")) prefetch.forget();
  });
}
