import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.types.Row;
import org.apache.flink.util.CloseableIterator;

/**
 * Flink SQL on a cluster inside this process, one statement a line, each in base64. Answers each with a line `rows <n>` and n rows of JSON,
 * or with `error <base64>`. Arguments: name=value settings. Ends when its standard input does.
 */
public final class FlinkScript {
  private static final int SLOTS = 4;

  /** As the SQL client has it. */
  private static final Pattern SET = Pattern.compile("(?is)\\s*set\\s+'([^']+)'\\s*=\\s*'([^']*)'\\s*");

  public static void main(String[] args) throws Exception {
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    System.setOut(System.err);
    Configuration settings = new Configuration();
    for (String setting : args) {
      int at = setting.indexOf('=');
      settings.setString(setting.substring(0, at), setting.substring(at + 1));
    }
    MiniCluster cluster =
        new MiniCluster(
            new MiniClusterConfiguration.Builder()
                .setConfiguration(settings)
                .setNumSlotsPerTaskManager(SLOTS)
                .build());
    cluster.start();
    URI at = cluster.getRestAddress().get();
    settings.setString("execution.target", "remote");
    settings.setString("rest.address", at.getHost());
    settings.setString("rest.port", String.valueOf(at.getPort()));
    TableEnvironment tables =
        TableEnvironment.create(
            EnvironmentSettings.newInstance().inBatchMode().withConfiguration(settings).build());
    out.println("ready");
    BufferedReader in =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      String statement = new String(Base64.getDecoder().decode(line), StandardCharsets.UTF_8);
      try {
        List<String> rows = run(tables, statement);
        out.println("rows " + rows.size());
        for (String row : rows) out.println(row);
      } catch (Exception | LinkageError cause) {
        StringBuilder message = new StringBuilder();
        for (Throwable each = cause; each != null; each = each.getCause())
          message.append(each).append('\n');
        byte[] bytes = message.toString().getBytes(StandardCharsets.UTF_8);
        out.println("error " + Base64.getEncoder().encodeToString(bytes));
      }
    }
    System.exit(0);
  }

  private static List<String> run(TableEnvironment tables, String statement) throws Exception {
    List<String> rows = new ArrayList<>();
    Matcher set = SET.matcher(statement);
    if (set.matches()) {
      tables.getConfig().set(set.group(1), set.group(2));
      return rows;
    }
    TableResult result = tables.executeSql(statement);
    // That it has been done was waited for (table.dml-sync).
    if (statement.stripLeading().regionMatches(true, 0, "insert", 0, 6)) return rows;
    List<String> names = result.getResolvedSchema().getColumnNames();
    try (CloseableIterator<Row> each = result.collect()) {
      while (each.hasNext()) rows.add(json(names, each.next()));
    }
    return rows;
  }

  private static String json(List<String> names, Row row) {
    StringBuilder text = new StringBuilder("{");
    for (int i = 0; i < names.size(); i++) {
      if (i > 0) text.append(',');
      text.append(quoted(names.get(i))).append(':');
      Object value = row.getField(i);
      boolean plain = value == null || value instanceof Number || value instanceof Boolean;
      text.append(plain ? String.valueOf(value) : quoted(value.toString()));
    }
    return text.append('}').toString();
  }

  private static String quoted(String value) {
    StringBuilder text = new StringBuilder("\"");
    for (char each : value.toCharArray()) {
      if (each == '"' || each == '\\') text.append('\\').append(each);
      else if (each < ' ') text.append(String.format("\\u%04x", (int) each));
      else text.append(each);
    }
    return text.append('"').toString();
  }
}
