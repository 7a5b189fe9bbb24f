# SPDX-License-Identifier: Apache-2.0
"""The photos that are most like one photo, by their feature vectors, on Spark.

  python -m examples.nearest_photos digits_module digits_photos/*.png

The first photo is the one that is looked for. The features are computed by
Spark's workers, and so are the distances: nothing but the answer comes back.
"""

import os
import sys

from pyspark.sql import functions as F

import hub_image_export as hie
from hub_image_export.spark import module_udf, start_session

_FEATURES = "image_feature_vector"


def nearest(module, photos, count=5):
  """Pairs of a path and its distance from the first photo, the nearest first.

  Args:
    module: path of a module with feature vectors.
    photos: paths; the first one is looked for.
    count: how many are wanted.
  """
  with hie.open_module(module) as opened:
    wanted = opened(photos[0], signature=_FEATURES)[0].tolist()
  spark = start_session("local[*]")
  try:
    others = [os.path.abspath(path) for path in photos[1:]]
    files = spark.read.format("binaryFile").load(others)
    ask = module_udf(module, _FEATURES)
    rows = files.select("path", ask("content").alias("m"))
    squares = F.zip_with(
      "m.values",
      F.array(*map(F.lit, wanted)),
      lambda a, b: (a - b) * (a - b),
    )
    distance = F.sqrt(F.aggregate(squares, F.lit(0.0), lambda s, x: s + x))
    rows = rows.where("m.error IS NULL").select(
      "path", distance.alias("distance")
    )
    return [tuple(r) for r in rows.orderBy("distance").limit(count).collect()]
  finally:
    spark.stop()


def main(argv):
  if len(argv) < 4:
    return "Expected a module and at least two photos."
  for path, distance in nearest(argv[1], argv[2:]):
    print(f"{distance:8.3f}  {path}")
  return 0


if __name__ == "__main__":
  sys.exit(main(sys.argv))
