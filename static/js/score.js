// The score's quick marks: a press writes the mark into the field, and the field shows which mark it equals.

const field = () => document.querySelector("#review #score");

export function setScore(value) {
  const input = field();
  if (!input || input.disabled) return;
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

const unsure = () => document.querySelector("#review [name=unsure]");

function clear() {
  if (field()) field().value = "";
  else document.querySelector("#review [name=score][value='']").checked = true;
}

export function show() {
  const input = field();
  for (const mark of document.querySelectorAll("#review .preset")) {
    mark.setAttribute("aria-pressed", String(Boolean(input) && input.value.trim() === mark.dataset.score));
  }
}

export function follow() {
  document.addEventListener("click", (event) => {
    const mark = event.target.closest?.("#review .preset");
    if (mark) setScore(mark.dataset.score);
  });
  document.addEventListener("input", ({ target }) => {
    if (target.form?.id !== "review") return;
    // A score and "unsure" exclude each other: the later one holds.
    const isSet = target.type === "radio" ? target.checked : true;
    if (target.name === "score" && isSet && target.value.trim()) unsure().checked = false;
    if (target === unsure() && target.checked) clear();
    show();
  });
  document.addEventListener("htmx:afterSettle", show);
  show();
}
