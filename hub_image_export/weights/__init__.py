# SPDX-License-Identifier: Apache-2.0
"""Values of variables, from models and checkpoints into a checkpoint.

`readers` opens what others saved, `names` says which value is whose,
`assignment` brings both together, and `checkpoint_writer` writes. The room
takes from `untrusted` and the ground.
"""
