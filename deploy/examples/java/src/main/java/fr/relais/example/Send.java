package fr.relais.example;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

/** Puts the events on standard input, one a line, into the outbox and sends it. */
public final class Send {
    public static void main(String[] args) throws Exception {
        try (Outbox outbox = new Outbox(new Registry())) {
            if (System.console() == null) {
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
                for (String line = in.readLine(); line != null; line = in.readLine()) {
                    outbox.add(new ObjectMapper().readTree(line));
                }
            }
            outbox.send();
        }
    }
}
