// Reads the AsyncAPI document of standard input with the official parser, and says
// what it finds, a line each. Nothing is said of a document without a fault.
const { Parser } = require('@asyncapi/parser');
const { AvroSchemaParser } = require('@asyncapi/avro-schema-parser');

const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
let text = '';
process.stdin.on('data', (part) => { text += part; });
process.stdin.on('end', async () => {
  const { document, diagnostics } = await parser.parse(text);
  for (const d of diagnostics) {
    // There is a newer minor version; this one is understood by more tools.
    if (d.code !== 'asyncapi-latest-version') {
      console.log(`${d.code} at ${d.path.join('/')}: ${d.message}`);
    }
  }
  if (document) {
    const messages = document.allMessages().all().length;
    console.error(`${document.allChannels().all().length} channels, ${messages} messages`);
  }
});
