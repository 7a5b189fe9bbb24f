# SPDX-License-Identifier: Apache-2.0
"""A room of hub_image_export."""
