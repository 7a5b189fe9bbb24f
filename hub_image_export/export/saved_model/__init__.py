# SPDX-License-Identifier: Apache-2.0
"""The other format: TF2 reusable SavedModels (T1 to T14) of the same variants.

All of it is written as protocol buffers: nothing is traced anew, no values are
in memory but those that are being written, and names come from contents.
`callables` plans what can be called, `functions` makes its functions,
`objects` the graph of objects that `tf.saved_model.load` restores, `sessions`
what loaders with sessions run, `files` the directory. `loaded` loads it again.
"""
