// What the pages do beyond plain HTML. Everything here only makes faster what works without it.
import { listen } from "./keys.js";
import { followReading } from "./reading.js";
import { follow } from "./score.js";

listen();
follow();
followReading();
