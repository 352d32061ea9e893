#!/usr/bin/env bash
# Helm's toToml: an error becomes the text of the configuration, and a whole number 10.0 or 10.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common/helm.sh"

install_helm

cat <<'TEXT'
Expected: a value that toToml cannot write fails the rendering, or at least `lint --strict`. The
          same number is written the same way, whether a file of values or `--set` has it.
Matters:  a ConfigMap with the configuration is applied, and its checksum replaces the pods. The
          new ones cannot read it. A program that wants a whole number refuses 10.0, and a trial
          with `--set` does not show it.
TEXT

run_each "" <<'PYTHON'
from helm import *

TEMPLATE = """kind: ConfigMap
apiVersion: v1
metadata: { name: sale }
data:
  sale.toml: |
{{ toToml .Values.config | indent 4 }}
  sale.json: {{ toJson .Values.config | squote }}
"""

print("Helm 4.3, a ConfigMap:")
chart = Chart(TEMPLATE, "config: { gates: [north] }\n")
nothing = chart.write("nothing.yaml", "config: { gates: [north, null] }\n")
code, said = chart.render("-f", nothing)
text = "toml: cannot encode array with nil element"
lines = [line.strip() for line in said.splitlines()]
seen = lines[lines.index("sale.toml: |") + 1]
claim("a list with a null is an error that becomes the file, exit code 0",
      code == 0 and seen == text, seen)
claim("toJson writes it", code == 0 and '{"gates":["north",null]}' in said)
code, said = chart.helm("lint", "--strict", ".", "-f", nothing)
claim("`lint --strict` is content", code == 0 and "0 chart(s) failed" in said)
chart.write("templates/all.yaml", TEMPLATE.replace("toToml", "mustToToml"))
code, said = chart.render("-f", nothing)
claim("mustToToml fails", code != 0 and text in said, f"exit code {code}")

chart = Chart(TEMPLATE, "config: { batch: 10, seats: 120000000 }\n")
code, said = chart.render()
claim("whole numbers of a file become 10.0 and 1.2e+08",
      "batch = 10.0\n" in said and "seats = 1.2e+08\n" in said)
claim("toJson writes them whole", '{"batch":10,"seats":120000000}' in said)
code, said = chart.render("--set", "config.batch=10,config.seats=120000000")
claim("with `--set` they are 10 and 120000000",
      "batch = 10\n" in said and "seats = 120000000\n" in said)
done()
PYTHON
