"""A room of hub_image_export."""
