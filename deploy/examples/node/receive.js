// Follows the participant's own topic: keeps what comes, once, and answers it.

import { append, file, group, kafka, lines, Outbox, participant, registry } from "./relais.js";

// A code that our own software still writes, and what the hub calls it.
const renamed = { "aide-au-logement": "logement/demande-d-une-allocation-logement-apl-als-alf" };

// Received is what came, one event a line. In your system: the tables that an event
// changes.
//
// The hub may write an event again after a crash of its own, and so may a reader who
// commits too late. Where an event stood when it was handed in, its place, tells: the
// offsets of each submitted partition ascend. The number is kept with the effect (here
// it is the same line), so that no crash comes between.
class Received {
  #file = file("received.ndjson");
  #numbers = new Map();
  #places = new Set();

  constructor() {
    for (const line of lines(this.#file)) this.#count(JSON.parse(line).place);
  }

  #count([partition, offset]) {
    this.#numbers.set(partition, Math.max(offset, this.#numbers.get(partition) ?? -1));
    this.#places.add(`${partition}-${offset}`);
  }

  // What was written again on purpose (a replay) comes out of order.
  has([partition, offset], again) {
    return again ? this.#places.has(`${partition}-${offset}`) : offset <= (this.#numbers.get(partition) ?? -1);
  }

  keep(event) {
    append(this.#file, JSON.stringify(event));
    this.#count(event.place);
  }
}

// answer is what we have to say to an event. Its id is made of the event's, so that the
// same answer after a crash is the same event.
function answer({ type, subject, place, data }, outbox) {
  if (type === "fr.relais.hub.v1.SubmissionRefused") {
    console.log("REFUSED", data.submission_id, data.reason, data.detail, "-", data.remedy_en);
    const refused = outbox.find(data.submission_id);
    if (refused && data.reason === "unknown_service" && renamed[refused.data.service]) {
      // The refused id is spent: what is corrected is a new event.
      return { ...refused, id: `${refused.id}.corrected`, data: { ...refused.data, service: renamed[refused.data.service] } };
    }
  }
  if (type === "fr.relais.referral.v1.ReferralMade" && data.to === participant) {
    return {
      specversion: "1.0",
      id: `received-${place[0]}-${place[1]}`,
      source: `/participants/${participant}/node`,
      type: "fr.relais.referral.v1.ReferralReceived",
      subject,
      data: { own_reference: `our-${data.reference}` },
    };
  }
}

const received = new Received();
const outbox = new Outbox();
await outbox.connect();
await outbox.send();
// After a kill -9 the group waits for us as long as a session lasts.
const consumer = kafka.consumer({ groupId: group, sessionTimeout: 10_000 });
consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || process.exit(1));
await consumer.connect();
await consumer.subscribe({ topic: `relais.to.${participant}`, fromBeginning: true });
await consumer.run({
  // An offset is committed once its message is dealt with: it follows the effect.
  eachMessage: async ({ message }) => {
    const header = (name) => message.headers[`ce_${name}`]?.toString();
    const place = [Number(header("submittedpartition")), Number(header("submittedoffset"))];
    if (received.has(place, header("replay") !== undefined)) return;
    const data = await registry.decode(message.value);
    const event = { place, id: header("id"), type: header("type"), subject: header("subject"), data };
    const reply = answer(event, outbox);
    if (reply) outbox.add(reply);
    received.keep(event);
    console.log("received", event.id, event.type, event.subject);
    await outbox.send();
  },
});
