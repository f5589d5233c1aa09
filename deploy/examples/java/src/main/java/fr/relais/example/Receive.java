package fr.relais.example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import fr.relais.example.Received.Place;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Follows the participant's own topic: keeps what comes, once, and answers it. */
public final class Receive {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** A code that our own software still writes, and what the hub calls it. */
    private static final Map<String, String> RENAMED =
        Map.of("aide-au-logement", "logement/demande-d-une-allocation-logement-apl-als-alf");

    private final Registry registry = new Registry();
    private final Outbox outbox = new Outbox(registry);
    private final Received received = new Received();

    private Receive() throws Exception {}

    public static void main(String[] args) throws Exception {
        new Receive().run();
    }

    private void run() throws Exception {
        outbox.send();
        Properties settings = Settings.kafka();
        settings.put("group.id", Settings.GROUP);
        settings.put("session.timeout.ms", "10000"); // after a kill -9 the group waits for us that long
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of("relais.to." + Settings.PARTICIPANT));
            while (true) {
                for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                    take(record);
                }
                consumer.commitSync(); // an offset follows its effect
            }
        }
    }

    private void take(ConsumerRecord<String, byte[]> record) throws Exception {
        Place place = new Place(
            Integer.parseInt(header(record, "submittedpartition")), Long.parseLong(header(record, "submittedoffset")));
        if (received.has(place, header(record, "replay") != null)) {
            return;
        }
        ObjectNode event = JSON.createObjectNode();
        for (String name : List.of("id", "type", "subject")) {
            event.put(name, header(record, name));
        }
        event.set("data", JSON.readTree(registry.decode(record.value()).toString()));
        JsonNode reply = answer(place, event);
        if (reply != null) {
            outbox.add(reply);
        }
        received.keep(place, event);
        System.out.println("received " + header(record, "id") + " " + header(record, "type") + " " + header(record, "subject"));
        outbox.send();
    }

    /**
     * What we have to say to an event, or null. Its id is made of the event's, so that the
     * same answer after a crash is the same event.
     */
    private JsonNode answer(Place place, JsonNode event) throws Exception {
        JsonNode data = event.get("data");
        switch (event.get("type").asText()) {
            case "fr.relais.hub.v1.SubmissionRefused" -> {
                System.out.println("REFUSED " + text(data, "submission_id") + " " + text(data, "reason") + " " + text(data, "detail")
                    + " - " + text(data, "remedy_en"));
                JsonNode refused = outbox.find(text(data, "submission_id"));
                if (refused == null || !text(data, "reason").equals("unknown_service")) {
                    return null;
                }
                String service = RENAMED.get(refused.path("data").path("service").asText());
                if (service == null) {
                    return null;
                }
                // The refused id is spent: what is corrected is a new event.
                ObjectNode corrected = refused.deepCopy();
                corrected.put("id", text(refused, "id") + ".corrected");
                ((ObjectNode) corrected.get("data")).put("service", service);
                return corrected;
            }
            case "fr.relais.referral.v1.ReferralMade" -> {
                if (!text(data, "to").equals(Settings.PARTICIPANT)) {
                    return null;
                }
                ObjectNode receipt = JSON.createObjectNode()
                    .put("specversion", "1.0")
                    .put("id", "received-" + place)
                    .put("source", "/participants/" + Settings.PARTICIPANT + "/java")
                    .put("type", "fr.relais.referral.v1.ReferralReceived")
                    .put("subject", text(event, "subject"));
                receipt.putObject("data").put("own_reference", "our-" + text(data, "reference"));
                return receipt;
            }
            default -> {
                return null;
            }
        }
    }

    private static String text(JsonNode node, String field) {
        return node.get(field).asText();
    }

    private static String header(ConsumerRecord<String, byte[]> record, String name) {
        Header h = record.headers().lastHeader("ce_" + name);
        return h == null ? null : new String(h.value(), StandardCharsets.UTF_8);
    }
}
