# SPDX-License-Identifier: Apache-2.0
"""What strangers hand in: read, and refused, before anything of it runs.

Archives, graphs, SavedModels and Keras files. The exporter and the judge both
take from here; the room takes from `contract`, `errors` and `tensorflow_api`.
"""
