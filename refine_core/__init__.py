"""Iterative refinement over scales: `p(codes | context) = prod_k p(c_k | s_<k, context)`.

One concept a module; import the module that holds the concept, as in
`from refine_core.storage.files import atomic_write`.
"""

from importlib.metadata import version

__version__ = version("refine")
