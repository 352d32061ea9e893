"""Charts in the temporary folder, and what Helm makes of them."""

import json

from claims import *


class Chart:
    """A chart with one template, default values, and possibly a schema and a chart inside."""

    def __init__(self, template="", values="", schema=None, folder=None):
        self.folder = folder or tempfile.mkdtemp()
        self.write("Chart.yaml", "apiVersion: v2\nname: sale\nversion: 1.0.0\n")
        self.write("values.yaml", values)
        self.write("templates/all.yaml", template)
        if schema:
            self.write("values.schema.json", json.dumps(schema))

    def write(self, name, text):
        """Writes a file, and returns its path."""
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def helm(self, *words):
        """The exit code of a command about this chart, and what it says."""
        homes = ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")
        ended = subprocess.run(
            [os.environ["HELM"], *words], cwd=self.folder, capture_output=True, text=True,
            timeout=30, env={**os.environ, **{home: self.folder + "/home" for home in homes}},
        )
        return ended.returncode, ended.stdout + ended.stderr

    def render(self, *options):
        return self.helm("template", "release", ".", *options)
