"""Images from IDX files, archives and folders; MNIST."""
