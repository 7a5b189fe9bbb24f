# SPDX-License-Identifier: Apache-2.0
"""The rules that show when a module is run, as its consumers run it."""
