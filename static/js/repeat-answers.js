// Offers the answers of the previous item again. Remembered in the browser per queue, because a prefetched page is
// older than those answers.
import { closest, find } from "./dom.js";
import { answersOf, fillAnswers } from "./fields.js";
import { bench, form, isReadOnly, onItem } from "./workbench.js";

/** @typedef {import("./fields.js").Answers} Answers */

const storageKey = () => `same:${bench()?.dataset.upcoming?.split("?")[0]}`;

/** @returns {Answers | null} */
const lastAnswers = () => JSON.parse(sessionStorage.getItem(storageKey()) ?? "null");

/**
 * @param {[name: string, value: string][]} pairs  the fields of a submitted form
 */
export function remember(pairs) {
  sessionStorage.setItem(storageKey(), JSON.stringify(answersOf(pairs)));
}

// A correction belongs to its own trace, and a text already written is not overwritten.
/** @param {import("./fields.js").Field} field */
function isRepeatable(field) {
  if (field.closest("[data-kind=correction]")) return false;
  return field.tagName !== "TEXTAREA" || !field.value.trim();
}

function updateButton() {
  const button = find("#same");
  if (button) button.hidden = !lastAnswers();
}

export function start() {
  document.addEventListener("click", (event) => {
    const [review, answers] = [form(), lastAnswers()];
    if (closest(event, "#same") && review && answers && !isReadOnly()) fillAnswers(review, answers, isRepeatable);
  });
  onItem(updateButton);
}
