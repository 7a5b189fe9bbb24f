# SPDX-License-Identifier: Apache-2.0
"""What a publisher needs beside the module: its archive and its page.

All of it is made from a module on the disk. The room takes from `export`,
`checker`, `graph`, `files` and what stands below them.
"""
