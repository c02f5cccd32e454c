// Whether one stays at an item after its submit: this browser remembers it, since a page fetched ahead does not know.
import { onItem } from "./workbench.js";
import * as kept from "./user-storage.js";

const box = () => document.querySelector("#review [name=stay]");

export function follow() {
  document.addEventListener("change", ({ target }) => target === box() && kept.write("stays", Number(target.checked)));
  onItem(() => {
    const stays = kept.read("stays", null);
    if (box() && stays !== null) box().checked = Boolean(stays);
  });
}
