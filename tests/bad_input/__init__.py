# SPDX-License-Identifier: Apache-2.0
"""Bad input, as a table: every argument and flag, and what is said of it.

`ROWS` has the types and values that are wrong, and the limits of those that
are right. `complete_test` fails where an argument or a flag has no rows.
"""

from __future__ import annotations

from tests.bad_input import (
  builder_rows,
  export_rows,
  flag_rows,
  module_rows,
  publishing_rows,
)

ARGUMENT_ROWS = (
  *builder_rows.ROWS,
  *export_rows.ROWS,
  *module_rows.ROWS,
  *publishing_rows.ROWS,
)
FLAG_ROWS = flag_rows.ROWS
ROWS = (*ARGUMENT_ROWS, *FLAG_ROWS)
