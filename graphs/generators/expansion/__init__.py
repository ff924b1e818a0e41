"""Local expansion of plain graphs: clusters split, and deal their edges one by one."""
