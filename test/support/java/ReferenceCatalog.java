package org.apache.iceberg.rest;

import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.jdbc.JdbcCatalog;
import org.eclipse.jetty.ee10.servlet.ServletContextHandler;
import org.eclipse.jetty.ee10.servlet.ServletHolder;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * Apache's reference REST catalog over a SQLite file, on loopback alone (its own main listens everywhere). Arguments: port (0: a free one),
 * SQLite file, warehouse. Prints `listening <port>`; ends when its standard input does.
 */
public final class ReferenceCatalog {
  public static void main(String[] args) throws Exception {
    Map<String, String> properties = new HashMap<>();
    properties.put("catalog-impl", JdbcCatalog.class.getName());
    properties.put("uri", "jdbc:sqlite:" + args[1] + "?busy_timeout=10000");
    properties.put("jdbc.schema-version", "V1");
    properties.put("warehouse", args[2]);
    // SQLite takes one writer at a time.
    properties.put("clients", "1");
    RESTCatalogAdapter adapter =
        new RESTCatalogAdapter(
            CatalogUtil.buildIcebergCatalog("reference", properties, new Configuration()));
    ServletContextHandler handler = new ServletContextHandler();
    handler.addServlet(new ServletHolder(new RESTCatalogServlet(adapter)), "/*");
    Server server = new Server();
    ServerConnector connector = new ServerConnector(server);
    connector.setHost("127.0.0.1");
    connector.setPort(Integer.parseInt(args[0]));
    server.addConnector(connector);
    server.setHandler(handler);
    server.start();
    System.out.println("listening " + connector.getLocalPort());
    while (System.in.read() >= 0) {}
    System.exit(0);
  }
}
