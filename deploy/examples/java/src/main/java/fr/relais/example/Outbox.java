package fr.relais.example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * The events to send, and how many have been. In your system: a table.
 *
 * <p>An event stands here before it is sent, and is sent until the broker has
 * acknowledged it. After a crash the last one is sent again, with the same id: the hub
 * knows it and does nothing twice.
 */
final class Outbox implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path events = Settings.STATE.resolve("outbox.ndjson");
    private final Path sent = Settings.STATE.resolve("sent");
    private final Registry registry;
    private final KafkaProducer<String, byte[]> producer;

    Outbox(Registry registry) throws IOException {
        this.registry = registry;
        Files.createDirectories(Settings.STATE);
        Properties settings = Settings.kafka(); // idempotent, acks=all, keys by murmur2: the defaults
        settings.put("delivery.timeout.ms", "60000");
        settings.put("request.timeout.ms", "20000");
        producer = new KafkaProducer<>(settings, new StringSerializer(), new ByteArraySerializer());
    }

    void add(JsonNode event) throws IOException {
        append(events, event.toString());
    }

    /** The event with the id; null if it is none of ours. */
    JsonNode find(String id) throws IOException {
        for (String line : lines(events)) {
            JsonNode event = JSON.readTree(line);
            if (event.get("id").asText().equals(id)) {
                return event;
            }
        }
        return null;
    }

    /**
     * Sends what the broker has not acknowledged, one at a time: whatever fails, a case's
     * events keep their order.
     */
    void send() throws Exception {
        int number = Files.exists(sent) ? Integer.parseInt(Files.readString(sent)) : 0;
        List<String> all = lines(events);
        for (; number < all.size(); number++) {
            publish(JSON.readTree(all.get(number)));
            Path fresh = sent.resolveSibling("sent.new");
            Files.writeString(fresh, Integer.toString(number + 1));
            Files.move(fresh, sent, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        }
    }

    /** CloudEvents in Kafka's binary mode: attributes as headers, data as Avro. */
    private void publish(JsonNode event) throws Exception {
        String type = event.get("type").asText();
        String subject = event.get("subject").asText();
        String dossier = subject.split("~")[0];
        var record = new ProducerRecord<>("relais.from." + Settings.PARTICIPANT, dossier, registry.encode(type, event.get("data")));
        record.headers().add("content-type", utf8("application/vnd.confluent.avro"));
        event.fields().forEachRemaining(attribute -> {
            if (!attribute.getKey().equals("data") && !attribute.getKey().equals("datacontenttype")) {
                record.headers().add("ce_" + attribute.getKey(), utf8(attribute.getValue().asText()));
            }
        });
        producer.send(record).get();
        System.out.println("sent " + event.get("id").asText() + " " + type + " " + subject);
    }

    @Override
    public void close() {
        producer.close();
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static List<String> lines(Path file) throws IOException {
        return Files.exists(file) ? Files.readAllLines(file) : List.of();
    }

    /** Adds a line that is on disk when this returns. */
    static void append(Path file, String line) throws IOException {
        try (FileChannel to = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND)) {
            to.write(ByteBuffer.wrap(utf8(line + "\n")));
            to.force(true);
        }
    }
}
