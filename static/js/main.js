// Starts what the pages do beyond plain HTML. Every page works without it; this makes it faster, or safer.
import * as activeTime from "./active-time.js";
import * as announce from "./announce.js";
import * as answerRows from "./answer-rows.js";
import * as copy from "./copy.js";
import * as drafts from "./drafts.js";
import * as folds from "./folds.js";
import * as layout from "./layout.js";
import * as lease from "./lease.js";
import * as navigation from "./navigation.js";
import * as onDemand from "./on-demand.js";
import * as pageKeys from "./page-keys.js";
import * as prefetch from "./prefetch.js";
import * as reader from "./reader.js";
import * as refresh from "./refresh.js";
import * as repeatAnswers from "./repeat-answers.js";
import * as score from "./score.js";
import * as shortcuts from "./shortcuts.js";
import * as signOut from "./sign-out.js";
import * as stayAfterSubmit from "./stay-after-submit.js";
import * as steps from "./steps.js";
import * as submit from "./submit.js";
import * as timeZone from "./time-zone.js";
import * as undo from "./undo.js";

timeZone.start();
signOut.start();
announce.start();
layout.start();
shortcuts.start();
for (const module of [
  activeTime,
  answerRows,
  score,
  repeatAnswers,
  drafts,
  prefetch,
  lease,
  stayAfterSubmit,
  submit,
  navigation,
  undo,
]) {
  module.start();
}
reader.start();
folds.start();
steps.start();
copy.start();
onDemand.start();
pageKeys.start();
refresh.start();
