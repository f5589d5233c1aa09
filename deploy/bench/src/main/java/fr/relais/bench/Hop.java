package fr.relais.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The ledger's hop, submitted to recorded, with Kafka Streams: a count per case in a
 * state store with its changelog, and each submission sent on with its count and its
 * place in headers, exactly once.
 *
 * <p>Usage: Hop BOOTSTRAP APPLICATION-ID FROM TO STATE-DIR
 */
public final class Hop {
  static final String COUNTS = "counts";

  public static void main(String[] args) {
    var topology = new Topology()
        .addSource("submitted", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), args[2])
        .addProcessor("count", Count::new, "submitted")
        .addStateStore(
            Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(COUNTS), Serdes.Bytes(), Serdes.Long()), "count")
        .addSink("recorded", args[3], Serdes.ByteArray().serializer(), Serdes.ByteArray().serializer(), "count");
    var p = new Properties();
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, args[1]);
    p.put(StreamsConfig.STATE_DIR_CONFIG, args[4]);
    p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
    p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
    p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, -1); // the cluster's own
    p.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
    p.put(StreamsConfig.consumerPrefix("isolation.level"), "read_committed");
    p.put(StreamsConfig.producerPrefix("acks"), "all");
    var streams = new KafkaStreams(topology, p);
    Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
    streams.start();
  }

  static final class Count implements Processor<byte[], byte[], byte[], byte[]> {
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<org.apache.kafka.common.utils.Bytes, Long> counts;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
      this.counts = context.getStateStore(COUNTS);
    }

    @Override
    public void process(Record<byte[], byte[]> submission) {
      var dossier = org.apache.kafka.common.utils.Bytes.wrap(submission.key());
      var before = counts.get(dossier);
      var count = before == null ? 1L : before + 1;
      counts.put(dossier, count);
      var place = context.recordMetadata().orElseThrow();
      submission.headers()
          .add("ce_sequence", ByteBuffer.allocate(8).putLong(count).array())
          .add("ce_submittedoffset", Long.toString(place.offset()).getBytes(StandardCharsets.UTF_8))
          .add("ce_submittedpartition", Integer.toString(place.partition()).getBytes(StandardCharsets.UTF_8));
      context.forward(submission);
    }
  }
}
