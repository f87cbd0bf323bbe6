import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Spark SQL, one statement a line, each in base64. Answers each with a line `rows <n>` and n rows of JSON, or with `error <base64>`.
 * Arguments: name=value settings of the session. Ends when its standard input does.
 */
public final class SparkScript {
  public static void main(String[] args) throws Exception {
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    System.setOut(System.err);
    SparkSession.Builder builder = SparkSession.builder().master("local[2]").appName("headwater");
    for (String setting : args) {
      int at = setting.indexOf('=');
      builder.config(setting.substring(0, at), setting.substring(at + 1));
    }
    SparkSession spark = builder.getOrCreate();
    out.println("ready");
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String statement = new String(Base64.getDecoder().decode(line), StandardCharsets.UTF_8);
      try {
        Dataset<Row> rows = spark.sql(statement);
        java.util.List<String> json = rows.toJSON().collectAsList();
        out.println("rows " + json.size());
        for (String row : json) out.println(row);
      } catch (Exception | LinkageError cause) {
        String message = String.valueOf(cause.getMessage());
        byte[] bytes = (cause.getClass().getName() + ": " + message).getBytes(StandardCharsets.UTF_8);
        out.println("error " + Base64.getEncoder().encodeToString(bytes));
      }
    }
    System.exit(0);
  }
}
