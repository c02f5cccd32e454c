// Submits and skips: a prefetched next item is shown at once, and the server's answer is handled when it comes.
import { check } from "./checks.js";
import { closest, create, find } from "./dom.js";
import * as drafts from "./drafts.js";
import * as fields from "./fields.js";
import * as lease from "./lease.js";
import { clearNotice, showNotice } from "./notices.js";
import * as outbox from "./outbox.js";
import * as prefetch from "./prefetch.js";
import * as repeatAnswers from "./repeat-answers.js";
import { bench, form, isBusy, item, onItem, queue, refreshParts, setWaiting, showItem } from "./workbench.js";

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
  document.addEventListener("click", onGoBack);
  onItem(() => prefetch.refill());
  onItem(lockSentForm);
  onItem(() => clearNotice(refusalTopic(item())));
  outbox.start({ nextItem, onAnswer });
}

/** Refused submits whose reviewer was elsewhere by then: the item's page with the reason, by its path. */
/** @type {Map<string, string>} */
const refusals = new Map();

/** @param {string | undefined} number */
const refusalTopic = (number) => `refused ${number}`;

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
  if (isBusy() || (sent.id === "review" && !check(sent))) return;
  const entry = entryOf(sent, event.submitter, number);
  if (!entry.isSkip) {
    drafts.onSubmitted(number);
  }
  clearNotice("answer");
  const stays = !entry.isSkip && (find("input[name=stay]:checked") || fields.isBlank(sent));
  // A review that was refused once is worth waiting for: its reviewer should not have to come back a second time.
  const page = stays || refusals.delete(entry.url) ? null : prefetch.takeNext();
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
  const position = find("#rail p")?.dataset.position;
  const name = position && `item ${position}`;
  return { client, item: number, name, queue: queue(), url: sent.action, fields: pairs, at: Date.now(), isSkip };
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
  if (!entry.isSkip) {
    drafts.removeCopy(entry.item, entry.at);
    repeatAnswers.remember(entry.queue, entry.fields);
  }
  if (isCurrent) return followAnswer(answer);
  if (entry.next === item()) updateNextItem(answer);
  prefetch.refill();
}

// The item shown in advance was claimed, or it was no longer free and the server chose another.
/** @param {Answer} answer */
function updateNextItem(answer) {
  const review = form();
  if (answer.headers.has("Desk-Claimed")) refreshParts(answer.html);
  else if (answer.status === 200 && !(review && fields.isChanged(review))) {
    followAnswer(answer);
    const reason = answer.headers.has("Desk-Taken")
      ? "A colleague has taken the item that was shown here."
      : "The item that was shown here is no longer waiting for a review.";
    showNotice("answer", `${reason} This is the next item.`);
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
 * Show a refused item again if the reviewer waits at it. Whoever is at another item by now stays there: what they type
 * is meant for what they see.
 *
 * @param {Entry} entry
 * @param {Answer} answer
 * @param {boolean} isCurrent
 */
function onRefused(entry, answer, isCurrent) {
  const target = answer.headers.get("HX-Retarget");
  if (!entry.isSkip) drafts.storeCopy(entry.item, fields.answersOf(entry.fields));
  if (isCurrent && bench()) {
    if (target) htmx.swap(target, answer.html, { swapStyle: "innerHTML", swapDelay: 0, settleDelay: 0 });
    else showItem(answer.html);
    setWaiting(false);
    return drafts.scheduleSave();
  }
  if (!entry.isSkip) refusals.set(entry.url, answer.html);
  // The refused request claimed nothing: the item on the screen is the reviewer's only with a claim of its own.
  if (entry.next === item()) lease.renew();
  showRefusal(entry, answer);
}

// Back at a refused item, the reviewer sees what the server said about it.
/** @param {MouseEvent} event */
function onGoBack(event) {
  const link = closest(event, "#banner a");
  const html = link instanceof HTMLAnchorElement ? refusals.get(link.href) : undefined;
  if (!(link instanceof HTMLAnchorElement) || !html || !bench()) return;
  cancel(event);
  if (isBusy()) return;
  drafts.saveNow();
  showItem(html, link.href);
  drafts.scheduleSave();
  lease.renew();
}

/**
 * @param {Entry} entry
 * @param {Answer} answer
 */
function showRefusal(entry, answer) {
  const name = entry.name ?? "an earlier item";
  if (entry.isSkip) {
    const url = entry.url.replace("skip/", "");
    return showNotice(refusalTopic(entry.item), `Not skipped: ${name}. It is still in the queue.`, [
      [`Go back to ${name}`, url],
    ]);
  }
  const text = `Not saved: ${name}. ${reasonOf(answer.html)} What you typed is kept with that item.`;
  showNotice(refusalTopic(entry.item), text, [[`Go back to ${name}`, entry.url]]);
}

/**
 * The server's reason for a refusal, from the page that it answered with.
 *
 * @param {string} html
 */
function reasonOf(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const reason = page.querySelector(".fields .fault, .notice[role=alert] b, .problem");
  return (
    reason?.textContent
      ?.replace(/^\s*Not saved\./, "")
      .replace(/\s+/g, " ")
      .trim() ?? "The server refused it."
  );
}
