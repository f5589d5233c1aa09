package fr.relais.example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;

/**
 * Avro in Confluent's framing: a zero byte, the schema's id in four bytes, the data.
 * Schemas are the hub's: they are looked up, and never registered. An id's schema never
 * changes, so that each is asked for once.
 */
final class Registry {
    private static final ObjectMapper JSON = new ObjectMapper();

    private record Known(int id, Schema schema) {}

    private final HttpClient http;
    private final Map<String, Known> latest = new HashMap<>();
    private final Map<Integer, Schema> byId = new HashMap<>();

    Registry() throws Exception {
        HttpClient.Builder builder = HttpClient.newBuilder();
        if (!Settings.CA.isEmpty()) {
            builder.sslContext(trust(Path.of(Settings.CA)));
        }
        http = builder.build();
    }

    byte[] encode(String type, JsonNode data) throws Exception {
        Known known = latest.get(type);
        if (known == null) {
            JsonNode answer = get("/subjects/" + type + "/versions/latest");
            known = new Known(answer.get("id").asInt(), new Schema.Parser().parse(answer.get("schema").asText()));
            latest.put(type, known);
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(0);
        out.write(ByteBuffer.allocate(4).putInt(known.id).array());
        BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(out, null);
        new GenericDatumWriter<>(known.schema).write(value(known.schema, data), encoder);
        encoder.flush();
        return out.toByteArray();
    }

    GenericRecord decode(byte[] framed) throws Exception {
        ByteBuffer buffer = ByteBuffer.wrap(framed);
        if (buffer.get() != 0) {
            throw new IOException("not in Confluent's framing");
        }
        int id = buffer.getInt();
        Schema schema = byId.get(id);
        if (schema == null) {
            schema = new Schema.Parser().parse(get("/schemas/ids/" + id).get("schema").asText());
            byId.put(id, schema);
        }
        var decoder = DecoderFactory.get().binaryDecoder(framed, 5, framed.length - 5, null);
        return new GenericDatumReader<GenericRecord>(schema).read(null, decoder);
    }

    /** JSON as a value of the schema; what is absent gets its default. */
    private static Object value(Schema schema, JsonNode json) {
        return switch (schema.getType()) {
            case UNION -> json.isNull() ? null : value(schema.getTypes().get(schema.getTypes().size() - 1), json);
            case RECORD -> {
                GenericRecordBuilder record = new GenericRecordBuilder(schema);
                for (Schema.Field field : schema.getFields()) {
                    if (json.has(field.name())) {
                        record.set(field, value(field.schema(), json.get(field.name())));
                    }
                }
                yield record.build();
            }
            case ARRAY -> {
                List<Object> list = new ArrayList<>();
                for (JsonNode element : (ArrayNode) json) {
                    list.add(value(schema.getElementType(), element));
                }
                yield list;
            }
            case INT -> json.asInt();
            case LONG -> json.asLong();
            case DOUBLE -> json.asDouble();
            case BOOLEAN -> json.asBoolean();
            case BYTES -> ByteBuffer.wrap(Base64.getDecoder().decode(json.asText()));
            default -> json.asText();
        };
    }

    private JsonNode get(String path) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(Settings.REGISTRY + path));
        if (!Settings.KEY.isEmpty()) {
            byte[] who = (Settings.PARTICIPANT + ":" + Settings.KEY).getBytes(StandardCharsets.UTF_8);
            request.header("Authorization", "Basic " + Base64.getEncoder().encodeToString(who));
        }
        HttpResponse<String> answer = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() != 200) {
            throw new IOException("the schema registry says " + answer.statusCode() + ": " + answer.body());
        }
        return JSON.readTree(answer.body());
    }

    private static SSLContext trust(Path pem) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream in = Files.newInputStream(pem)) {
            for (Certificate c : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                store.setCertificateEntry("hub-" + store.size(), c);
            }
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }
}
