// Offers the answers of the previous item again. Remembered in the browser per queue, because a prefetched page is
// older than those answers.
import { closest, find } from "./dom.js";
import { answersOf, fillAnswers } from "./fields.js";
import { form, isReadOnly, onItem, queue } from "./workbench.js";

/** @typedef {import("./fields.js").Answers} Answers */

/** @param {string | undefined} name */
const storageKey = (name) => `same:${document.body.dataset.user}:${name}`;

/** @returns {Answers | null} */
const lastAnswers = () => JSON.parse(sessionStorage.getItem(storageKey(queue())) ?? "null");

/**
 * @param {string | undefined} name  the queue of the review
 * @param {[name: string, value: string][]} pairs  the fields of a form that the server has accepted
 */
export function remember(name, pairs) {
  sessionStorage.setItem(storageKey(name), JSON.stringify(answersOf(pairs)));
  updateButton();
}

// A correction and a marked place belong to their own trace, and a text already written is not overwritten.
/** @param {import("./fields.js").Field} field */
function isRepeatable(field) {
  if (field.closest("[data-kind=correction], [data-kind=first_error]")) return false;
  return field.tagName !== "TEXTAREA" || !field.value.trim();
}

function updateButton() {
  find("#same")?.toggleAttribute("disabled", !lastAnswers());
}

export function start() {
  document.addEventListener("click", (event) => {
    const [review, answers] = [form(), lastAnswers()];
    if (closest(event, "#same") && review && answers && !isReadOnly()) fillAnswers(review, answers, isRepeatable);
  });
  onItem(updateButton);
}
