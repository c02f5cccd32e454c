// Checks a review by the rules that the server renders into the form, so that a review it would refuse is not sent.
// The server checks again, and refuses what only it can know.
import { announce } from "./announce.js";
import { isAnswered } from "./answer-rows.js";
import { create } from "./dom.js";

const NUMBER = /^-?\d{1,8}(?:[.,]\d{1,4})?$/;
// Numbers have at most four decimal places: as whole ten-thousandths they are exact.
const PLACES = 10_000;

/** @typedef {HTMLInputElement | HTMLTextAreaElement} Field */

/**
 * Whether the review can be sent. Shows what is wrong beside each field, and focuses the first of them.
 *
 * @param {HTMLFormElement} review
 */
export function check(review) {
  for (const fault of review.querySelectorAll(".fault")) fault.remove();
  for (const field of review.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  const faults = [...numberFaults(review), ...requiredFaults(review)];
  for (const [field, text] of faults) showFault(field, text);
  /** @type {HTMLInputElement | null} */
  const sheet = review.querySelector("#sheet");
  if (sheet && faults.length) sheet.checked = true;
  // The reason is an alert of its own.
  if (faults.length) announce("Not saved.");
  faults[0]?.[0].focus({ preventScroll: true });
  faults[0]?.[0].scrollIntoView({ block: "center" });
  return !faults.length;
}

/**
 * @param {HTMLFormElement} review
 * @returns {[field: Field, text: string][]}
 */
function numberFaults(review) {
  /** @type {NodeListOf<HTMLInputElement>} */
  const inputs = review.querySelectorAll("input[data-number]");
  return [...inputs].flatMap((input) => {
    const text = numberFault(input.value.trim(), input.dataset);
    return text ? [[input, `${text} ${input.dataset.hint ?? ""}`.trim()]] : [];
  });
}

/**
 * @param {string} value
 * @param {DOMStringMap} rule  low, high and step: decimal numbers, or empty
 */
function numberFault(value, { low, high, step }) {
  if (!value) return "";
  if (!NUMBER.test(value)) return `“${value.slice(0, 80)}” is not a number.`;
  const [number, lowest, highest, stride] = [value, low, high, step].map(toUnits);
  if (number === undefined) return "";
  const isOutside = (lowest !== undefined && number < lowest) || (highest !== undefined && number > highest);
  if (isOutside) return `${value} is out of range.`;
  return stride && (number - (lowest ?? 0)) % stride ? `${value} is between two steps.` : "";
}

/** @param {string | undefined} decimal */
const toUnits = (decimal) => (decimal ? Math.round(Number(decimal.replace(",", ".")) * PLACES) : undefined);

/**
 * @param {HTMLFormElement} review
 * @returns {[field: Field, text: string][]}
 */
function requiredFaults(review) {
  /** @type {HTMLInputElement | null} */
  const unsure = review.querySelector("[name=unsure]");
  if (unsure?.checked) return [];
  /** @type {NodeListOf<HTMLElement>} */
  const criteria = review.querySelectorAll("[data-required]");
  return [...criteria].flatMap((criterion) => {
    /** @type {Field | null} */
    const first = criterion.querySelector("input, textarea");
    return first && !isAnswered(criterion) ? [[first, "An answer is required."]] : [];
  });
}

/**
 * @param {Field} field
 * @param {string} text
 */
function showFault(field, text) {
  field.setAttribute("aria-invalid", "true");
  const fault = create("p", { className: "fault", textContent: text });
  fault.setAttribute("role", "alert");
  field.closest("fieldset, .field")?.append(fault);
}
