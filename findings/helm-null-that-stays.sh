#!/usr/bin/env bash
# Helm: null removes a default of the chart, and stays a null everywhere else.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/helm.sh"

install_helm

cat <<'TEXT'
Expected: null removes a key, as Helm's guide says: also one that an earlier `-f` has set. A null
          among a chart's defaults means the same whatever else is set.
Matters:  a file for one environment takes back what a common one sets. The null gets to the
          templates and to the schema, so that a chart renders `null` or is refused. A chart that
          works by itself is refused inside another one, because of a value that is not the cause.
TEXT

run_each "" <<'PYTHON'
from helm import *

TEMPLATE = "values: {{ toJson .Values }}\n"
VALUES = "queue: { batch: 100, hold: null }\n"
WHOLE = {"type": "integer"}
QUEUE = {"type": "object", "properties": {"batch": WHOLE, "hold": WHOLE, "burst": WHOLE}}
SCHEMA = {"type": "object", "properties": {"queue": QUEUE}}

def values(chart, *options):
    """What the templates see, or the reason why the schema refuses it."""
    _, said = chart.render(*options)
    for line in said.splitlines():
        if line.startswith("values: "):
            return line[len("values: "):]
        if line.startswith("- at "):
            return line[2:]
    return said

def shows(text, expected, chart, *options):
    seen = values(chart, *options)
    claim(text, seen == expected, seen)

print("Helm 4.3, a chart with the defaults `batch: 100` and `hold: null` in `queue`:")
chart, strict = Chart(TEMPLATE, VALUES), Chart(TEMPLATE, VALUES, SCHEMA)
common = chart.write("common.yaml", "queue: { batch: 200, burst: 10 }\n")
own = chart.write("own.yaml", "queue: { batch: null, burst: null }\n")
shows("nothing set: `hold` is not there", '{"queue":{"batch":100}}', strict)
shows("null removes the default of `batch`", '{"queue":{}}', chart, "--set", "queue.batch=null")
shows("two files, the second with nulls: `batch` is removed, `burst` stays as a null",
      '{"queue":{"burst":null}}', chart, "-f", common, "-f", own)
shows("a schema of whole numbers refuses that", "at '/queue/burst': got null, want integer",
      strict, "-f", common, "-f", own)

print("The same chart inside another one:")
def inside(schema):
    outer = Chart()
    dependencies = "dependencies: [{ name: inner, version: 1.0.0 }]\n"
    outer.write("Chart.yaml", "apiVersion: v2\nname: outer\nversion: 1.0.0\n" + dependencies)
    Chart(TEMPLATE, VALUES, schema, folder=outer.folder + "/charts/inner")
    outer.write("charts/inner/Chart.yaml", "apiVersion: v2\nname: inner\nversion: 1.0.0\n")
    return outer

loose, strict = inside(None), inside(SCHEMA)
shows("nothing set: `hold` is not there", '{"global":{},"queue":{"batch":100}}', strict)
shows("with `batch` set `hold` is a null",
      '{"global":{},"queue":{"batch":200,"hold":null}}', loose, "--set", "inner.queue.batch=200")
shows("which the schema refuses", "at '/queue/hold': got null, want integer",
      strict, "--set", "inner.queue.batch=200")
shows("so does any other value", "at '/queue/hold': got null, want integer",
      strict, "--set", "inner.other=1")
done()
PYTHON
