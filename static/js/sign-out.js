// Clears this browser's storage when the person signs out, and first warns of what the server does not have yet.
import { matches } from "./dom.js";
import { showNotice } from "./notices.js";
import * as outbox from "./outbox.js";

// Set while signing out, and read by the next page: a session that merely ended keeps what is stored.
const FLAG = "signing-out";

let isWarned = false;

/** @param {SubmitEvent} event */
function onSubmit(event) {
  if (!matches(event, "#sign-out")) return;
  const count = outbox.entries().length;
  if (count && !isWarned) {
    event.preventDefault();
    isWarned = true;
    const reviews = count === 1 ? "1 review or skip is" : `${count} reviews or skips are`;
    showNotice("sign-out", `${reviews} not sent yet. Signing out deletes them: press Sign out again to do so.`);
    return;
  }
  setFlag();
}

function setFlag() {
  try {
    sessionStorage.setItem(FLAG, "1");
  } catch {
    // Storage is forbidden, so nothing was stored.
  }
}

function clearAfterSignOut() {
  try {
    const isSignedOut = sessionStorage.getItem(FLAG) && !document.body.dataset.user;
    sessionStorage.removeItem(FLAG);
    if (!isSignedOut) return;
    localStorage.clear();
    sessionStorage.clear();
  } catch {
    // As above.
  }
}

export function start() {
  clearAfterSignOut();
  document.addEventListener("submit", onSubmit);
}
