// Puts the events on standard input, one a line, into the outbox and sends it.

import { readFileSync } from "node:fs";
import { Outbox } from "./relais.js";

const outbox = new Outbox();
if (!process.stdin.isTTY) {
  for (const line of readFileSync(0, "utf8").split("\n").filter(Boolean)) outbox.add(JSON.parse(line));
}
await outbox.connect();
await outbox.send();
await outbox.disconnect();
