# SPDX-License-Identifier: Apache-2.0
"""The programs `export_module` and `check_module`: their flags and help.

Each file of flags checks what it can before TensorFlow is imported. The room
takes from all others but `tracing`, `graph` and `untrusted`.
"""
