"""What commands share: the command line, progress, messages, tables and figures."""

from typing import TYPE_CHECKING

from refine_core.exports import lazy

if TYPE_CHECKING:
    from refine_core.app.cli import Commands as Commands
    from refine_core.app.cli import commands as commands
    from refine_core.app.figures import house_style as house_style
    from refine_core.app.figures import save as save
    from refine_core.app.options import arguments as arguments
    from refine_core.app.outputs import OutputFolder as OutputFolder
    from refine_core.app.outputs import check_folder as check_folder
    from refine_core.app.outputs import output_file as output_file
    from refine_core.app.outputs import run_folder as run_folder
    from refine_core.app.progress import Progress as Progress
    from refine_core.app.progress import say as say
    from refine_core.app.report import Column as Column
    from refine_core.app.report import table as table
    from refine_core.app.report import write_report as write_report
else:
    __getattr__, __dir__, __all__ = lazy(__name__)
