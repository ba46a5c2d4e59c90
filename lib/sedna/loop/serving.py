"""What the edges of a job really serve, beside what they should."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from sedna.common.types import Value
from sedna.loop.observation import EdgeObservation

__all__ = ["Serving", "serving_of"]


class Serving(Value):
    """How far the model in service is on the edges; ``refused`` has a line for each live edge that has given it up."""

    model: int | None = Field(description="the model in service")
    edges: int = Field(description="that are known")
    live: int = Field(description="of these, heard of lately")
    serving: int = Field(description="of the live ones, those that serve the model in service")
    refused: tuple[str, ...] = Field(default=(), description="live edges that have given it up, and why")

    def trouble(self) -> str | None:
        """What is wrong, or None."""
        if not self.refused:
            return None
        return f"model {self.model} is in service, and refused by {'; '.join(self.refused)}"


def serving_of(champion: int | None, edges: Sequence[EdgeObservation]) -> Serving:
    """What these edges serve while ``champion`` is in service. One that is silent has no say."""
    live = [edge for edge in edges if edge.live]
    refused = [edge for edge in live if champion is not None and edge.version != champion == edge.failed_version]
    return Serving(
        model=champion,
        edges=len(edges),
        live=len(live),
        serving=sum(champion is not None and edge.version == champion for edge in live),
        refused=tuple(f"{edge.name}: {edge.reason or 'no reason given'}" for edge in refused),
    )
