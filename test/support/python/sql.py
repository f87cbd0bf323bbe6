"""DuckDB, one statement a line (see script.ts). `tables NAME …` instead of a statement reads tables by PyIceberg into memory, under their names.
Arguments: the catalog's URI, its token, and a folder for DuckDB's extensions."""

import base64
import json
import sys

import duckdb
from duckdb_extensions import import_extension

uri, token, folder = sys.argv[1:4]
connection = duckdb.connect(config={"extension_directory": folder})
connection.sql("set TimeZone = 'UTC'")
for name in ("avro", "httpfs", "iceberg"):
    import_extension(name, con=connection)


def read(names):
    from pyiceberg.catalog import load_catalog

    catalog = load_catalog("lake", type="rest", uri=uri, token=token)
    for name in names:
        connection.register(name, catalog.load_table(f"headwater.{name}").scan().to_arrow())


def rows(statement):
    if statement.startswith("tables "):
        read(statement.split()[1:])
        return []
    answer = connection.sql(statement)
    if answer is None:
        return []
    return [dict(zip(answer.columns, row)) for row in answer.fetchall()]


print("ready", flush=True)
for line in sys.stdin:
    try:
        found = rows(base64.b64decode(line).decode())
        print("rows", len(found))
        for row in found:
            print(json.dumps(row, default=str))
    except Exception as cause:
        print("error", base64.b64encode(f"{type(cause).__name__}: {cause}".encode()).decode())
    sys.stdout.flush()
