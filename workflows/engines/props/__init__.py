"""Things that stand on a set. Each draws itself and has a hull to cast shadows."""

from workflows.engines.props.ball import Ball
from workflows.engines.props.block import Block
from workflows.engines.props.panel import Panel
from workflows.engines.props.plinth import Plinth

__all__ = ["Ball", "Block", "Panel", "Plinth", "Prop"]

Prop = Plinth | Ball | Panel | Block
