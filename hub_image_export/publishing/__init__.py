"""What a publisher needs beside the module: page, archive, manifest."""
