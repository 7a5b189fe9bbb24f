# SPDX-License-Identifier: Apache-2.0
"""The rules that the files of a module show: nothing of it is run."""
