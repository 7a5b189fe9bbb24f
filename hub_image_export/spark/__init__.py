# SPDX-License-Identifier: Apache-2.0
"""Image modules on Apache Spark (`pip install "hub_image_export[spark]"`).

  from hub_image_export.spark import module_udf, start_session

  spark = start_session("local[*]")  # or a session of your own
  images = spark.read.format("binaryFile").load("photos")
  rows = images.select("path", module_udf("mobilenet/1")("content").alias("m"))
  rows.select("path", "m.values", "m.error").write.parquet("features.parquet")

All distribution is Spark's: reading, scheduling, retries, what is written.
docs/corpus.md tells of sizes, settings and failures.
"""

from hub_image_export.spark.corpus import run as run
from hub_image_export.spark.sessions import start_session as start_session
from hub_image_export.spark.udf import module_udf as module_udf

__all__ = ["module_udf", "run", "start_session"]
