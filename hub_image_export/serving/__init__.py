# SPDX-License-Identifier: Apache-2.0
"""Modules that exist, in use: loaded, given photos, asked for answers."""
