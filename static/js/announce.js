// What a screen reader is told when an item comes: which it is, or that the last one was refused. What is not saved yet
// stands in the banner, which speaks for itself.

const line = () => document.querySelector("#announcement");
const text = (selector) => document.querySelector(selector)?.textContent.replace(/\s+/g, " ").trim() ?? "";
// The heading's own words, without the trace's id behind them.
const title = () => document.querySelector(".trace-head h1")?.firstChild?.textContent.trim() ?? "";
function say(words) {
  if (line()) line().textContent = words;
}

function outcome() {
  if (!document.querySelector("#review")) return text("#workbench h1");
  // The refusal itself is an alert, which speaks on its own.
  if (document.querySelector("#review [role=alert]")) return "Not saved.";
  const [place = ""] = text(".rail p > :first-child").match(/[\d,]+ of [\d,]+/) ?? [];
  return `Next, ${place}: ${title()}`;
}

export function announce() {
  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id === "workbench") say(outcome());
    if (event.target.matches(".panel")) say("The item is yours now: the form is open.");
  });
}
