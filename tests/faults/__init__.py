# SPDX-License-Identifier: Apache-2.0
"""Injects faults into exports, and hostile modules into their readers."""
