// Does with the schema registry what kafkajs's client can, then hands an event in as
// Avro and reads it back. Says what went well, a line each; ends with 1 otherwise.
const { randomUUID } = require('node:crypto');
const { Kafka, logLevel } = require('kafkajs');
const { SchemaRegistry, SchemaType } = require('@kafkajs/confluent-schema-registry');

const [brokers, host, participant] = process.argv.slice(2);

function check(what, good) {
  if (!good) throw new Error(`${what}: no`);
  console.log(what);
}

function record(...fields) {
  return { type: SchemaType.AVRO, schema: JSON.stringify({ type: 'record', name: 'Order', namespace: 'e2e.node', fields }) };
}

async function compatible(subject, schema) {
  const answer = await fetch(`${host}/compatibility/subjects/${encodeURIComponent(subject)}/versions/latest`, {
    method: 'POST', headers: { 'Content-Type': 'application/vnd.schemaregistry.v1+json' }, body: JSON.stringify({ schema: schema.schema }),
  });
  return (await answer.json()).is_compatible;
}

async function main() {
  const registry = new SchemaRegistry({ host, retry: { retries: 0 } });
  const subject = `e2e-node-${randomUUID()}-value`;
  const number = { name: 'number', type: 'int' };
  const note = { name: 'note', type: 'string' };
  const first = record(number), longer = record(number, { ...note, default: '' }), broken = record(number, note);
  const { id } = await registry.register(first, { subject });
  check('registers', id > 0 && (await registry.register(first, { subject })).id === id);
  check('finds it again', (await registry.getRegistryIdBySchema(subject, first)) === id);
  check('checks what fits', await compatible(subject, longer));
  check('checks what does not', !(await compatible(subject, broken)));
  const refused = await registry.register(broken, { subject }).then(() => null, (err) => err);
  check('is refused what does not fit', refused !== null && refused.status === 409);
  const next = await registry.register(longer, { subject });
  check('registers the next version', next.id !== id && (await registry.getLatestSchemaId(subject)) === next.id);
  const old = await registry.encode(id, { number: 5 });
  check('reads what the first version wrote', (await registry.decode(old)).number === 5);

  const type = 'fr.relais.referral.v1.ReferralMade';
  const kafka = new Kafka({ clientId: 'e2e', brokers: brokers.split(','), logLevel: logLevel.NOTHING });
  const subjectOfCase = `${participant}.${randomUUID()}`;
  const data = { from: participant, to: 'demo-1', service: 'logement/demande-d-une-allocation-logement-apl-als-alf', reference: '4H7P-XM3C' };
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({
    topic: `relais.from.${participant}`, acks: -1, messages: [{
      key: subjectOfCase, value: await registry.encode(await registry.getLatestSchemaId(type), data),
      headers: {
        'content-type': 'application/vnd.confluent.avro', ce_specversion: '1.0', ce_id: subjectOfCase, ce_source: `/participants/${participant}/e2e-node`, ce_type: type, ce_subject: subjectOfCase,
      },
    }],
  });
  check('produces', true);
  await producer.disconnect();

  const consumer = kafka.consumer({ groupId: `${participant}.${randomUUID()}` });
  await consumer.connect();
  await consumer.subscribe({ topic: `relais.to.${participant}`, fromBeginning: true });
  const value = await new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('the event did not come back')), 40000).unref();
    consumer.run({
      eachMessage: async ({ message }) => {
        if (message.headers.ce_id?.toString() === subjectOfCase) resolve(await registry.decode(message.value));
      },
    }).catch(reject);
  });
  check('consumes', value.reference === data.reference && value.to === 'demo-1');
  await consumer.disconnect();
}

main().then(() => process.exit(0), (err) => {
  console.error(err);
  process.exit(1);
});
