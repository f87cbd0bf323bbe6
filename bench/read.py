"""PyIceberg's part of `npm run bench:read` (see script.ts for how it is spoken to): `copy FROM TO` writes a table again, `read TABLE QUERY` answers the
wall and processor milliseconds that it took. Arguments: the catalog's URI."""

import base64
import json
import sys
import time

import pyarrow.compute as pc
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError
from pyiceberg.transforms import DayTransform

catalog = load_catalog("lake", type="rest", uri=sys.argv[1])


def copy(source, target):
    rows = catalog.load_table(source).scan().to_arrow()
    try:
        catalog.create_namespace(target.split(".")[0])
    except NamespaceAlreadyExistsError:
        pass
    table = catalog.create_table(target, rows.schema)
    with table.update_spec() as update:
        update.add_field("event_time", DayTransform(), "event_day")
    table.append(rows)


def scan(table, columns, row_filter=None):
    plan = {} if row_filter is None else {"row_filter": row_filter}
    return catalog.load_table(table).scan(selected_fields=columns, **plan).to_arrow()


QUERIES = {
    "count": lambda table, _: scan(table, ("n",)).num_rows,
    "sums": lambda table, _: pc.sum(scan(table, ("visible_ms", "position"))["visible_ms"]).as_py(),
    "an hour": lambda table, hour: scan(
        table, ("event_time", "visible_ms"), f"event_time >= '{hour[0]}' and event_time < '{hour[1]}'"
    ).num_rows,
    "by text": lambda table, _: scan(table, ("list",)).group_by("list").aggregate([([], "count_all")]).num_rows,
    "top titles": lambda table, _: scan(table, ("title_id",))
    .group_by("title_id")
    .aggregate([([], "count_all")])
    .sort_by([("count_all", "descending")])
    .slice(0, 10)["count_all"]
    .to_pylist()[0],
    "every column": lambda table, _: scan(table, ("*",)).num_rows,
}


def read(table, query, *hour):
    wall, cpu = time.perf_counter(), time.process_time()
    value = QUERIES[query.replace("_", " ")](table, hour)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return [{"value": value, "wall": wall * 1000, "cpu": cpu * 1000}]


print("ready", flush=True)
for line in sys.stdin:
    try:
        name, *arguments = base64.b64decode(line).decode().split(" ")
        found = {"copy": copy, "read": read}[name](*arguments) or []
        print("rows", len(found))
        for row in found:
            print(json.dumps(row))
    except Exception as cause:
        print("error", base64.b64encode(f"{type(cause).__name__}: {cause}".encode()).decode())
    sys.stdout.flush()
