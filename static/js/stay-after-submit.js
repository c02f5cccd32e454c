// Remembers "Stay here" in this browser, because a prefetched page does not know it.
import * as storage from "./user-storage.js";
import { onItem } from "./workbench.js";

/** @type {() => HTMLInputElement | null} */
const stayBox = () => document.querySelector("#review [name=stay]");

export function start() {
  document.addEventListener("change", ({ target }) => {
    const box = stayBox();
    if (box && target === box) storage.write("stays", Number(box.checked));
  });
  onItem(() => {
    const box = stayBox();
    const stays = storage.read("stays", /** @type {number | null} */ (null));
    if (box && stays !== null) box.checked = Boolean(stays);
  });
}
