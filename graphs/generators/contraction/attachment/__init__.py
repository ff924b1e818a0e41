"""The last scale of molecules: at which atoms of fragments bonds are."""
