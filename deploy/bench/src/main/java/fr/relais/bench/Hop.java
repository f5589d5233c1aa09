package fr.relais.bench;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The ledger's hop, submitted to recorded, with Kafka Streams: for each case a count and
 * the submissions that are remembered, in a state store with its changelog, so that one
 * handed in again is known by its source and id; each submission is sent on with its
 * count and its place in headers, exactly once.
 *
 * <p>It keeps what the ledger keeps of a submission (source, id, digest, place) and
 * leaves out what the ledger does besides: reading Avro, the life of a case, parties.
 *
 * <p>Usage: Hop BOOTSTRAP APPLICATION-ID FROM TO STATE-DIR
 */
public final class Hop {
  static final String CASES = "cases";

  public static void main(String[] args) {
    var topology = new Topology()
        .addSource("submitted", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), args[2])
        .addProcessor("judge", Judge::new, "submitted")
        .addStateStore(
            Stores.keyValueStoreBuilder(Stores.inMemoryKeyValueStore(CASES), Serdes.Bytes(), Serdes.ByteArray()), "judge")
        .addSink("recorded", args[3], Serdes.ByteArray().serializer(), Serdes.ByteArray().serializer(), "judge");
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

  static final class Judge implements Processor<byte[], byte[], byte[], byte[]> {
    private ProcessorContext<byte[], byte[]> context;
    private KeyValueStore<Bytes, byte[]> cases;
    private MessageDigest sha256;

    @Override
    public void init(ProcessorContext<byte[], byte[]> context) {
      this.context = context;
      this.cases = context.getStateStore(CASES);
      try {
        this.sha256 = MessageDigest.getInstance("SHA-256");
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException(e);
      }
    }

    @Override
    public void process(Record<byte[], byte[]> submission) {
      var dossier = Bytes.wrap(submission.key());
      var headers = submission.headers();
      byte[] source = headers.lastHeader("ce_source").value(), id = headers.lastHeader("ce_id").value();
      sha256.update(headers.lastHeader("ce_type").value());
      sha256.update(headers.lastHeader("ce_subject").value());
      byte[] digest = sha256.digest(submission.value());
      var place = context.recordMetadata().orElseThrow();

      // A case is its count, then of each remembered submission partition and offset,
      // digest, and source and id after their lengths.
      byte[] before = cases.get(dossier);
      long count = 1;
      if (before != null) {
        var known = ByteBuffer.wrap(before);
        count = known.getLong() + 1;
        while (known.hasRemaining()) {
          int partition = known.getInt();
          long offset = known.getLong();
          known.position(known.position() + digest.length);
          boolean same = next(known, source) & next(known, id);
          if (same) {
            headers.add("ce_repeatof", (partition + "-" + offset).getBytes(StandardCharsets.UTF_8));
            context.forward(submission);
            return;
          }
        }
      }
      int kept = before == null ? 8 : before.length;
      var after = ByteBuffer.allocate(kept + 4 + 8 + digest.length + 2 + source.length + 2 + id.length);
      if (before != null) {
        after.put(before);
      }
      after.putLong(0, count).position(kept);
      after.putInt(place.partition()).putLong(place.offset()).put(digest);
      after.putShort((short) source.length).put(source).putShort((short) id.length).put(id);
      cases.put(dossier, after.array());

      headers
          .add("ce_sequence", Long.toString(count).getBytes(StandardCharsets.UTF_8))
          .add("ce_submittedoffset", Long.toString(place.offset()).getBytes(StandardCharsets.UTF_8))
          .add("ce_submittedpartition", Integer.toString(place.partition()).getBytes(StandardCharsets.UTF_8));
      context.forward(submission);
    }

    /** Passes over a text and says whether it is the one that is looked for. */
    private static boolean next(ByteBuffer known, byte[] wanted) {
      int length = known.getShort(), from = known.position();
      known.position(from + length);
      return Arrays.equals(known.array(), from, from + length, wanted, 0, wanted.length);
    }
  }
}
