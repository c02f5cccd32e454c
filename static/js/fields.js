// Reads and fills the answers of a form.

/** @typedef {HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement} Field */

/**
 * Field name to value, or to a list of values for a name that occurs several times.
 *
 * @typedef {Record<string, string | string[]>} Answers
 */

const NOT_ANSWERS = new Set([
  "csrfmiddlewaretoken",
  "version",
  "trace",
  "client_id",
  "rubric",
  "stay",
  "personal_data",
  "active_seconds",
]);

/** @param {Field | HTMLButtonElement} field */
export const isAnswer = (field) => Boolean(field.name) && field.type !== "submit" && !NOT_ANSWERS.has(field.name);

/**
 * @param {Field} field
 * @returns {field is HTMLInputElement}
 */
const isCheckable = (field) => field.type === "radio" || field.type === "checkbox";

/** @param {HTMLFormElement} form */
const answerFields = (form) =>
  /** @type {Field[]} */ ([...form.elements]).filter((field) => isAnswer(field) && field.type !== "button");

/**
 * The name and value pairs that submitting the form would send.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLElement | null} [submitter]
 * @returns {[name: string, value: string][]}
 */
export const formPairs = (form, submitter) =>
  [...new FormData(form, submitter)].map(([name, value]) => [name, String(value)]);

/** @param {HTMLFormElement} form */
export const readAnswers = (form) => answersOf(formPairs(form));

/**
 * @param {[name: string, value: string][]} pairs
 * @returns {Answers}
 */
export function answersOf(pairs) {
  /** @type {Answers} */
  const answers = {};
  for (const [name, value] of pairs) {
    if (NOT_ANSWERS.has(name)) continue;
    const earlier = answers[name];
    answers[name] = earlier === undefined ? value : [earlier, value].flat();
  }
  return answers;
}

/**
 * Set the form's fields to the answers. Boxes and options without an answer are cleared; texts without one stay, and
 * so does every field that `accepts` rejects.
 *
 * @param {HTMLFormElement} form
 * @param {Answers} answers
 * @param {(field: Field) => boolean} accepts
 */
export function fillAnswers(form, answers, accepts = () => true) {
  for (const field of answerFields(form).filter(accepts)) {
    const values = [answers[field.name] ?? []].flat();
    if (isCheckable(field)) field.checked = values.includes(field.value);
    else if (field instanceof HTMLSelectElement) {
      for (const option of field.options) option.selected = values.includes(option.value);
    } else if (values[0] !== undefined) field.value = values[0];
    else continue;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/** @param {HTMLFormElement} form */
export const isBlank = (form) =>
  answerFields(form).every((field) => (isCheckable(field) ? !field.checked || !field.value : !field.value.trim()));

/**
 * Whether any answer differs from the form as the server sent it.
 *
 * @param {HTMLFormElement} form
 */
export const isChanged = (form) =>
  answerFields(form).some((field) =>
    isCheckable(field)
      ? field.checked !== field.defaultChecked
      : "defaultValue" in field && field.value !== field.defaultValue,
  );
