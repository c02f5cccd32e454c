// What the pages do beyond plain HTML. Everything here only makes faster, or safer, what works without it.
import { announce } from "./announce.js";
import * as drafts from "./drafts.js";
import { listen } from "./shortcuts.js";
import { arrange } from "./layout.js";
import * as lease from "./lease.js";
import * as prefetch from "./prefetch.js";
import { followReading } from "./reader.js";
import * as same from "./repeat-answers.js";
import * as score from "./score.js";
import * as stay from "./stay-after-submit.js";
import * as submit from "./submit.js";
import * as travel from "./navigation.js";
import * as undo from "./undo.js";

announce();
arrange();
listen();
for (const part of [score, same, drafts, prefetch, lease, stay, submit, travel, undo]) part.follow();
followReading();
