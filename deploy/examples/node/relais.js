// What send.js and receive.js have in common: the settings and the outbox.
//
// The outbox is a list of events that only grows. An event stands there before it is
// sent, and is sent until the broker has acknowledged it. After a crash the last one is
// sent again, with the same id: the hub knows it and does nothing twice.

import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import https from "node:https";
import path from "node:path";
import registryClient from "@kafkajs/confluent-schema-registry";
import kafkajs from "kafkajs";

const env = (name, otherwise) => process.env[`RELAIS_${name}`] || otherwise;

export const participant = env("PARTICIPANT", "cnaf");
export const group = env("GROUP", `${participant}.node`);
const password = env("PASSWORD"); // on Kafka
const key = env("KEY"); // on HTTP, and so at the registry
const ca = env("CA") && readFileSync(env("CA")); // PEM file of who signs the hub's certificates
const state = env("STATE", "state");
mkdirSync(state, { recursive: true });

export const kafka = new kafkajs.Kafka({
  clientId: `${participant}-example`,
  brokers: env("BROKERS", "127.0.0.1:9092").split(","),
  ssl: ca && { ca: [ca] },
  sasl: password && { mechanism: "scram-sha-512", username: participant, password },
  logLevel: kafkajs.logLevel.ERROR,
});

const host = env("REGISTRY_URL", "http://127.0.0.1:8081");
export const registry = new registryClient.SchemaRegistry({
  host,
  auth: key && { username: participant, password: key },
  agent: ca && new https.Agent({ ca }),
});

export const file = (name) => path.join(state, name);

// lines are a file's lines; append adds one that is on disk when it returns.
export const lines = (name) => (existsSync(name) ? readFileSync(name, "utf8").split("\n").filter(Boolean) : []);
export function append(name, line) {
  const to = openSync(name, "a");
  writeFileSync(to, line + "\n");
  fsyncSync(to);
  closeSync(to);
}

// Outbox is the events to send, and how many have been. In your system: a table.
export class Outbox {
  #events = file("outbox.ndjson");
  #sent = file("sent");
  #schemas = new Map();
  #sending = Promise.resolve();
  // kafkajs places keys by murmur2, as the hub expects.
  #producer = kafka.producer({
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    idempotent: true,
    maxInFlightRequests: 1,
  });

  connect = () => this.#producer.connect();
  disconnect = () => this.#producer.disconnect();

  add(event) {
    append(this.#events, JSON.stringify(event));
  }

  find(id) {
    return lines(this.#events).map((line) => JSON.parse(line)).find((event) => event.id === id);
  }

  // send sends what the broker has not acknowledged, one at a time: whatever fails, a
  // case's events keep their order.
  send() {
    this.#sending = this.#sending.then(async () => {
      const sent = existsSync(this.#sent) ? Number(readFileSync(this.#sent, "utf8")) : 0;
      for (const [number, line] of lines(this.#events).entries()) {
        if (number < sent) continue;
        await this.#publish(JSON.parse(line));
        writeFileSync(this.#sent + ".new", String(number + 1));
        renameSync(this.#sent + ".new", this.#sent);
      }
    });
    return this.#sending;
  }

  // publish writes a CloudEvent in Kafka's binary mode: attributes as headers, data as Avro.
  async #publish({ data, datacontenttype, ...attributes }) {
    const headers = { "content-type": "application/vnd.confluent.avro" };
    for (const [name, value] of Object.entries(attributes)) headers[`ce_${name}`] = value;
    const { id, type, subject } = attributes;
    await this.#producer.send({
      topic: `relais.from.${participant}`,
      acks: -1,
      messages: [{ key: subject.split("~")[0], value: await registry.encode(await this.#schema(type), data), headers }],
    });
    console.log("sent", id, type, subject);
  }

  // The schemas are the hub's: they are looked up, and never registered.
  async #schema(type) {
    if (!this.#schemas.has(type)) this.#schemas.set(type, await registry.getLatestSchemaId(type));
    return this.#schemas.get(type);
  }
}
