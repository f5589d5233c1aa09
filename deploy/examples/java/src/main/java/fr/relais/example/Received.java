package fr.relais.example;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;

/**
 * What came, one event a line. In your system: the tables that an event changes.
 *
 * <p>The hub may write an event again after a crash of its own, and so may a reader who
 * commits too late. Where an event stood when it was handed in, its place, tells: the
 * offsets of each submitted partition ascend. The number is kept with the effect (here it
 * is the same line), so that no crash comes between.
 */
final class Received {
    /** Where an event stood when it was handed in. */
    record Place(int partition, long offset) {
        @Override
        public String toString() {
            return partition + "-" + offset;
        }
    }

    private final Path file = Settings.STATE.resolve("received.ndjson");
    private final Map<Integer, Long> numbers = new HashMap<>();
    private final Set<Place> places = new HashSet<>();

    Received() throws IOException {
        for (String line : Outbox.lines(file)) {
            JsonNode place = new ObjectMapper().readTree(line).get("place");
            count(new Place(place.get(0).asInt(), place.get(1).asLong()));
        }
    }

    /** What was written again on purpose (a replay) comes out of order. */
    boolean has(Place place, boolean again) {
        return again ? places.contains(place) : place.offset <= numbers.getOrDefault(place.partition, -1L);
    }

    void keep(Place place, ObjectNode event) throws IOException {
        event.putArray("place").add(place.partition).add(place.offset);
        Outbox.append(file, event.toString());
        count(place);
    }

    private void count(Place place) {
        numbers.merge(place.partition, place.offset, Math::max);
        places.add(place);
    }
}
