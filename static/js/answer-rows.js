// Answers by key: a digit acts in one row, which is marked; a letter acts wherever its option is. After a digit the
// focus goes on to the next row that has no answer yet.
import { closest, findAll } from "./dom.js";
import { isReadOnly, onItem } from "./workbench.js";

const ROWS = "#review .score, #review .criterion";
const TEXTS = "textarea, input[data-number], input:not([type])";

/** @param {HTMLElement} row */
export function isAnswered(row) {
  /** @type {NodeListOf<HTMLInputElement | HTMLTextAreaElement>} */
  const fields = row.querySelectorAll("input, textarea");
  return [...fields].some((field) =>
    "checked" in field && (field.type === "radio" || field.type === "checkbox")
      ? field.checked && Boolean(field.value)
      : Boolean(field.value.trim()),
  );
}

const digitRows = () => findAll("#review [data-digits]");

/** The row in which a digit acts: the focused one, else the first without an answer, else the score. */
function activeRow() {
  const rows = digitRows();
  const focused = document.activeElement?.closest("#review :is([data-digits], .snippets, div[data-criterion])");
  if (focused?.querySelector("[data-key]")) return /** @type {HTMLElement} */ (focused);
  return rows.find((row) => !isAnswered(row)) ?? rows[0];
}

function markActiveRow() {
  const active = isReadOnly() ? undefined : activeRow();
  for (const row of digitRows()) row.classList.toggle("is-active", row === active);
}

/** @param {HTMLElement} row */
function focusRow(row) {
  const text = row.matches("[data-digits]") ? null : /** @type {HTMLElement | null} */ (row.querySelector(TEXTS));
  (text ?? row).focus();
}

// Rows of options, and texts that are required: whoever answers by digits is not led into a field they can leave out.
/** @param {HTMLElement} row */
const isNext = (row) => !isAnswered(row) && (row.matches("[data-digits]") || isRequiredText(row));
/** @param {HTMLElement} row */
const isRequiredText = (row) => row.matches("[data-required]") && Boolean(row.querySelector(TEXTS));

/** @param {HTMLElement} row */
function goOn(row) {
  const rows = findAll(ROWS);
  const next = rows.slice(rows.indexOf(row) + 1).find(isNext);
  if (next) focusRow(next);
}

/** Go back to the row before, to answer it again. */
export function goBack() {
  const rows = digitRows();
  const row = activeRow();
  const previous = row && rows[rows.indexOf(row) - 1];
  if (previous) focusRow(previous);
}

/** @param {KeyboardEvent} event */
export function pressDigit(event) {
  const row = activeRow();
  if (isReadOnly() || !row) return;
  /** @type {HTMLElement | null} */
  const option = row.querySelector(`[data-key="${event.key}"]`);
  if (!option) return;
  option.click();
  if (row.matches("[data-digits]")) goOn(row);
}

/**
 * The option of a row of several choices that has this letter.
 *
 * @param {string} key
 */
export const optionOf = (key) =>
  /^[a-z]$/.test(key) && !isReadOnly()
    ? /** @type {HTMLElement | null} */ (
        document.querySelector(`#review fieldset:not([data-digits]) [data-key="${key}"]`)
      )
    : null;

/** Go to the reason that is shown last. */
export function focusReason() {
  const active = document.activeElement?.closest(".criterion")?.nextElementSibling;
  const shown = findAll("#review .reason textarea").filter((field) => field.offsetParent);
  (active?.matches(".reason") ? active.querySelector("textarea") : shown.at(-1))?.focus();
}

export function start() {
  document.addEventListener("focusin", markActiveRow);
  document.addEventListener("focusout", () => setTimeout(markActiveRow));
  document.addEventListener("input", (event) => {
    if (closest(event, "#review")) markActiveRow();
  });
  onItem(markActiveRow);
}
