"""Values of variables: from the user's objects or a checkpoint, to a checkpoint.

`readers` opens what others saved, `names` says which value is whose,
`assignment` brings both together, and `checkpoint_writer` writes. The room
takes from `untrusted` and the ground.
"""
