// Preset buttons of the score field: a click sets the score, and the button equal to the field's value looks pressed.
import { closest, findAll } from "./dom.js";

/** @type {() => HTMLInputElement | null} */
const scoreField = () => document.querySelector("#review #score");
/** @type {() => HTMLInputElement | null} */
const unsureBox = () => document.querySelector("#review [name=unsure]");
/** @type {() => HTMLInputElement | null} */
const noScoreRadio = () => document.querySelector("#review [name=score][value='']");

/** @param {string | undefined} value */
export function setScore(value) {
  const input = scoreField();
  if (!input || input.disabled || value === undefined) return;
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

function clearScore() {
  const [input, radio] = [scoreField(), noScoreRadio()];
  if (input) input.value = "";
  else if (radio) radio.checked = true;
}

function updatePresets() {
  const score = scoreField()?.value.trim();
  for (const preset of findAll("#review .preset")) {
    preset.setAttribute("aria-pressed", String(score !== undefined && score === preset.dataset.score));
  }
}

// A score and "unsure" exclude each other: the later one wins.
/** @param {Event} event */
function onInput(event) {
  const input = /** @type {HTMLInputElement | null} */ (closest(event, "input, textarea, select"));
  if (input?.form?.id !== "review") return;
  const unsure = unsureBox();
  const isSet = input.type === "radio" ? input.checked : true;
  if (unsure && input.name === "score" && isSet && input.value.trim()) unsure.checked = false;
  if (input === unsure && input.checked) clearScore();
  updatePresets();
}

export function start() {
  document.addEventListener("click", (event) => {
    const preset = closest(event, "#review .preset");
    if (preset) setScore(preset.dataset.score);
  });
  document.addEventListener("input", onInput);
  document.addEventListener("htmx:afterSettle", updatePresets);
  updatePresets();
}
