// Submits and skips: a prefetched next item is shown at once, and the server's answer is handled when it comes.
import { closest, create, find } from "./dom.js";
import * as drafts from "./drafts.js";
import * as fields from "./fields.js";
import { clearNotice, showNotice } from "./notices.js";
import * as outbox from "./outbox.js";
import * as prefetch from "./prefetch.js";
import * as repeatAnswers from "./repeat-answers.js";
import { bench, form, isBusy, item, onItem, refreshParts, setWaiting, showItem } from "./workbench.js";

/** @typedef {outbox.Entry} Entry */
/** @typedef {outbox.Answer} Answer */

export function start() {
  document.addEventListener("submit", onSubmit, true);
  // The second click of a double click lands on the next item's button.
  document.addEventListener(
    "click",
    (event) => {
      if (event.detail > 1 && closest(event, "#submit")) cancel(event);
    },
    true,
  );
  onItem(() => prefetch.refill());
  onItem(lockSentForm);
  outbox.start({ nextItem, onAnswer });
}

/** @param {Event} event */
function cancel(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
}

/** @param {SubmitEvent} event */
function onSubmit(event) {
  const sent = event.target;
  const number = item();
  if (!(sent instanceof HTMLFormElement) || !number) return;
  if (!["skip", "review"].includes(sent.id) || event.submitter?.hasAttribute("formaction")) return;
  cancel(event);
  if (isBusy()) return;
  const entry = entryOf(sent, event.submitter, number);
  if (!entry.isSkip) {
    repeatAnswers.remember(entry.fields);
    drafts.onSubmitted(number);
  }
  clearNotice("answer");
  const stays = !entry.isSkip && (find("input[name=stay]:checked") || fields.isBlank(sent));
  const page = stays ? null : prefetch.takeNext();
  if (page) {
    entry.next = page.item;
    showItem(page.html, `${page.url}?after=${number}`);
  } else {
    setWaiting(true);
  }
  outbox.add(entry);
}

/**
 * @param {HTMLFormElement} sent
 * @param {HTMLElement | null} submitter
 * @param {string} number
 * @returns {Entry}
 */
function entryOf(sent, submitter, number) {
  const isSkip = sent.id === "skip";
  const pairs = fields.formPairs(sent, submitter).filter(([name]) => name !== "csrfmiddlewaretoken");
  const clientId = pairs.find(([name]) => name === "client_id")?.[1] ?? "";
  const client = isSkip ? `skip:${number}` : clientId;
  return { client, item: number, url: sent.action, fields: pairs, at: Date.now(), isSkip };
}

/** @param {Entry} entry */
function nextItem(entry) {
  if (entry.item === item()) return null;
  return entry.next && entry.next === item() ? entry.next : "0";
}

/**
 * @param {Entry} entry
 * @param {Answer | null} answer
 */
function onAnswer(entry, answer) {
  const isCurrent = entry.item === item();
  // Sending is suspended: no submit keeps the screen waiting.
  if (!answer) {
    setWaiting(false);
    return lockSentForm();
  }
  if (answer.status >= 300) return onRefused(entry, answer, isCurrent);
  if (!entry.isSkip) drafts.removeCopy(entry.item, entry.at);
  if (isCurrent) return followAnswer(answer);
  if (entry.next === item()) updateNextItem(answer);
  prefetch.refill();
}

// The item shown in advance was claimed, or a colleague had it already and the server chose another.
/** @param {Answer} answer */
function updateNextItem(answer) {
  const review = form();
  if (answer.headers.has("Desk-Claimed")) refreshParts(answer.html);
  else if (answer.status === 200 && !(review && fields.isChanged(review))) {
    followAnswer(answer);
    showNotice("answer", "A colleague has taken the item that was shown here. This is the next item.");
  }
}

// A form whose answers are in the outbox cannot be submitted a second time.
function lockSentForm() {
  const review = form();
  if (!review || !outbox.has(item())) return;
  review.querySelector(".fields")?.toggleAttribute("inert", true);
  review.querySelector("#submit")?.toggleAttribute("disabled", true);
  if (outbox.isOffline() && !find("#offline-notice")) showOfflineNotice(review);
}

/** @param {HTMLFormElement} review */
function showOfflineNotice(review) {
  const count = outbox.entries().length;
  const answers = count === 1 ? "Your answer is" : `Your ${count} answers are`;
  const notice = create("p", { id: "offline-notice", className: "notice", tabIndex: -1 });
  notice.setAttribute("role", "status");
  review.querySelector(".foot")?.prepend(notice);
  // After it is in the page, so that a screen reader reads it out.
  notice.textContent = `You are offline and no more items are loaded. ${answers} stored in this browser and sent when you are back online.`;
  notice.focus();
}

/** @param {Answer} answer */
function followAnswer(answer) {
  const redirect = answer.headers.get("HX-Location");
  if (redirect) return location.assign(JSON.parse(redirect).path);
  // The answer belongs to an item the reviewer has since returned from: reload to show it as it is now.
  if (answer.status === 204 || answer.headers.has("Desk-Claimed")) return location.reload();
  showItem(answer.html, answer.headers.get("HX-Push-Url"));
}

/**
 * @param {Entry} entry
 * @param {Answer} answer
 * @param {boolean} isCurrent
 */
function onRefused(entry, answer, isCurrent) {
  const target = answer.headers.get("HX-Retarget");
  const returns = !target && Boolean(bench()) && (isCurrent || entry.next === item());
  if (target) {
    setWaiting(false);
    htmx.swap(target, answer.html, { swapStyle: "innerHTML", swapDelay: 0, settleDelay: 0 });
  }
  if (returns) showItem(answer.html, isCurrent ? null : entry.url);
  if (!entry.isSkip) drafts.storeCopy(entry.item, fields.answersOf(entry.fields));
  if (returns) drafts.scheduleSave();
  if (returns && isCurrent) return;
  if (returns) prefetch.putBack(entry.next);
  showRefusal(entry, returns);
}

/**
 * @param {Entry} entry
 * @param {boolean} returned  the screen shows the refused item again
 */
function showRefusal(entry, returned) {
  if (entry.isSkip) {
    showNotice("answer", "An item was not skipped. It is still in the queue.", [
      ["Open item", entry.url.replace("skip/", "")],
    ]);
  } else if (returned) {
    showNotice("answer", "Not saved. You are back at your last item, and what you typed is in the form.");
  } else {
    const text = "An earlier review was not saved. What you typed is stored in this browser.";
    showNotice("answer", text, [["Open item", entry.url]]);
  }
}
