package fr.relais.example;

import java.nio.file.Path;
import java.util.Properties;

/** What the hub's people gave us, from the environment. */
final class Settings {
    static final String PARTICIPANT = env("PARTICIPANT", "cnaf");
    static final String BROKERS = env("BROKERS", "127.0.0.1:9092");
    static final String REGISTRY = env("REGISTRY_URL", "http://127.0.0.1:8081");
    static final String PASSWORD = env("PASSWORD", ""); // on Kafka
    static final String KEY = env("KEY", ""); // on HTTP, and so at the registry
    static final String CA = env("CA", ""); // PEM file of who signs the hub's certificates
    static final String GROUP = env("GROUP", PARTICIPANT + ".java");
    static final Path STATE = Path.of(env("STATE", "state"));

    private Settings() {}

    private static String env(String name, String otherwise) {
        String value = System.getenv("RELAIS_" + name);
        return value == null || value.isEmpty() ? otherwise : value;
    }

    /** Settings of a Kafka client. */
    static Properties kafka() {
        Properties p = new Properties();
        p.put("bootstrap.servers", BROKERS);
        p.put("client.id", PARTICIPANT + "-example");
        p.put("security.protocol", (PASSWORD.isEmpty() ? "" : "SASL_") + (CA.isEmpty() ? "PLAINTEXT" : "SSL"));
        if (!PASSWORD.isEmpty()) {
            p.put("sasl.mechanism", "SCRAM-SHA-512");
            p.put("sasl.jaas.config", "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"%s\" password=\"%s\";"
                .formatted(PARTICIPANT, PASSWORD));
        }
        if (!CA.isEmpty()) {
            p.put("ssl.truststore.type", "PEM");
            p.put("ssl.truststore.location", CA);
        }
        return p;
    }
}
