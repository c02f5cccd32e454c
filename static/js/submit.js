// A submit or a skip: the next item is shown at once where it was fetched ahead, and the answer is awaited afterwards.
import { tell } from "./banner.js";
import { bench, form, isBusy, item, onItem, refresh, show, wait } from "./workbench.js";
import * as drafts from "./drafts.js";
import * as fields from "./fields.js";
import * as outbox from "./outbox.js";
import * as prefetch from "./prefetch.js";
import * as same from "./repeat-answers.js";

export function follow() {
  document.addEventListener("submit", onSubmit, true);
  // The second click of a double click falls on the next item's button.
  document.addEventListener("click", (event) => event.detail > 1 && event.target.closest("#submit") && stop(event), true);
  onItem(() => prefetch.fill());
  onItem(hold);
  outbox.open(nextOf, settle);
}

function stop(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

function onSubmit(event) {
  const sent = event.target;
  const isSkip = sent.id === "skip";
  if ((!isSkip && sent.id !== "review") || event.submitter?.hasAttribute("formaction")) return;
  stop(event);
  if (isBusy()) return;
  const typed = [...new FormData(sent, event.submitter)].filter(([name]) => name !== "csrfmiddlewaretoken");
  const client = isSkip ? `skip:${item()}` : sent.elements.client_id.value;
  const entry = { client, item: item(), url: sent.action, fields: typed, at: Date.now(), isSkip };
  if (!isSkip) {
    same.remember(typed);
    drafts.handOver(entry.item);
  }
  tell("back");
  const stays = !isSkip && (document.querySelector("input[name=stay]")?.checked || fields.isBlank(sent));
  const next = stays ? null : prefetch.take();
  if (next) {
    entry.next = next.item;
    show(next.html, `${next.address}?after=${entry.item}`);
  } else {
    wait(true);
  }
  outbox.add(entry);
}

function nextOf(entry) {
  if (entry.item === item()) return null;
  return entry.next && entry.next === item() ? entry.next : "0";
}

// `answer` is null where nothing is answered for now: then no submit keeps the screen waiting.
function settle(entry, answer) {
  const isHere = entry.item === item();
  if (!answer) {
    wait(false);
    return hold();
  }
  if (answer.status >= 300) return refused(entry, answer, isHere);
  if (!entry.isSkip) drafts.forget(entry.item, entry.at);
  if (isHere) return turn(answer);
  if (entry.next === item()) {
    if (answer.headers.has("Desk-Claimed")) refresh(answer.html);
    else if (answer.status === 200 && !fields.isTyped(form())) {
      turn(answer);
      tell("back", "A colleague has taken the item that stood here. This is the next one after it.");
    }
  }
  prefetch.fill();
}

// The form of an answer that is on its way is closed: it is no new one.
function hold() {
  if (!form() || !outbox.has(item())) return;
  form().querySelector(".fields").inert = true;
  form().querySelector("#submit").disabled = true;
  const count = outbox.entries().length;
  const words = count === 1 ? "Your answer is kept and sent" : `Your ${count} answers are kept and sent`;
  if (outbox.isAway() && !form().querySelector("#held")) {
    const said = Object.assign(document.createElement("p"), { id: "held", className: "notice", tabIndex: -1 });
    said.setAttribute("role", "status");
    form().querySelector(".foot").prepend(said);
    said.textContent = `No further item is here while the network is away. ${words} when it is back.`;
    said.focus();
  }
}

function turn(answer) {
  const where = answer.headers.get("HX-Location");
  if (where) return location.assign(JSON.parse(where).path);
  // It was answered for another item, which one has come back from since: then this one is shown as it is now.
  if (answer.status === 204 || answer.headers.has("Desk-Claimed")) return location.reload();
  show(answer.html, answer.headers.get("HX-Push-Url"));
}

function refused(entry, answer, isHere) {
  const beside = answer.headers.get("HX-Retarget");
  const comesBack = !beside && Boolean(bench()) && (isHere || entry.next === item());
  if (beside) {
    wait(false);
    htmx.swap(beside, answer.html, { swapStyle: "innerHTML", swapDelay: 0, settleDelay: 0 });
  }
  if (comesBack) {
    show(answer.html, isHere ? null : entry.url);
  }
  if (!entry.isSkip) drafts.keep(entry.item, fields.ofPairs(entry.fields));
  if (comesBack) drafts.saveSoon();
  if (comesBack && !isHere) prefetch.giveBack(entry.next);
  if (comesBack && isHere) return;
  if (entry.isSkip) tell("back", "An item was not skipped: it is where it was.", [["Open it", entry.url.replace("skip/", "")]]);
  else if (comesBack) tell("back", "You are back at your last item: it was not saved. What you typed is in the form.");
  else tell("back", "An earlier review was not saved. What you typed is kept in this browser.", [["Open it", entry.url]]);
}
