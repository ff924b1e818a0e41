"""Local expansion of plain graphs: clusters split, and assign their edges one by one."""
