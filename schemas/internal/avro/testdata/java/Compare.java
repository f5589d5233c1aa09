import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaCompatibility.SchemaCompatibilityType;

/** Says of each line, a reader's schema, a tab and a writer's, what Avro's Java library says. */
public class Compare {
  public static void main(String[] args) throws IOException {
    BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String[] pair = line.split("\t");
      String said;
      try {
        Schema reader = new Schema.Parser().parse(pair[0]);
        Schema writer = new Schema.Parser().parse(pair[1]);
        SchemaCompatibilityType type = SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getType();
        said = type == SchemaCompatibilityType.COMPATIBLE ? "reads" : "does not read";
      } catch (RuntimeException e) {
        said = "no schema: " + e.getMessage();
      }
      System.out.println(said.replace('\n', ' '));
    }
  }
}
