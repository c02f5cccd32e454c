// The answers in a form: field name to text, or to a list of texts where a field comes several times.
const NO_ANSWERS = new Set(["csrfmiddlewaretoken", "version", "client_id", "rubric", "stay", "personal_data"]);

export const isAnswer = (input) => Boolean(input.name) && input.type !== "submit" && !NO_ANSWERS.has(input.name);

const isTick = (input) => input.type === "radio" || input.type === "checkbox";

const inputs = (form) => [...form.elements].filter((input) => isAnswer(input) && input.type !== "button");

export const read = (form) => ofPairs(new FormData(form));

export function ofPairs(pairs) {
  const found = {};
  for (const [name, value] of pairs) {
    if (NO_ANSWERS.has(name)) continue;
    found[name] = name in found ? [found[name], value].flat() : value;
  }
  return found;
}

// What the answers do not name is unticked; a text they do not name stays, and so does what `takes` refuses.
export function fill(form, answers, takes = () => true) {
  for (const input of inputs(form).filter(takes)) {
    const values = [answers[input.name] ?? []].flat().map(String);
    if (isTick(input)) input.checked = values.includes(input.value);
    else if (input.tagName === "SELECT") for (const option of input.options) option.selected = values.includes(option.value);
    else if (values.length) input.value = values[0];
    else continue;
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

export const isBlank = (form) =>
  inputs(form).every((input) => (isTick(input) ? !input.checked || !input.value : !input.value.trim()));

// Whether anything differs from the form as it came.
export const isTyped = (form) =>
  inputs(form).some((input) =>
    isTick(input)
      ? input.checked !== input.defaultChecked
      : "defaultValue" in input && input.value !== input.defaultValue,
  );
