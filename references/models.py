"""Which models read references, and whether those of a story are for this one."""

from collections.abc import Iterable
from typing import Any

from ..errors import InputError
from ..families import FAMILIES, Encoder, family_of
from ..story.references import Reference

READERS = ", ".join(family.name for family in FAMILIES if family.reads_references)
INSTEAD = (
    "Remove Story Reference; IPAdapter, before or after IPCA Patch, brings a picture's face into"
    f" such a model. References are read by {READERS}"
)


def require_reader(model: Any, references: Iterable[Reference]) -> None:
    """Raise InputError where a story has references and this MODEL reads none, or its latents have
    other channels.
    """
    first = next(iter(references), None)
    if first is None:
        return
    kind = type(model.model).__name__
    family = family_of(kind, model.get_model_object("diffusion_model"))
    if family is None or not family.reads_references:
        raise InputError(
            "model",
            f"{family.name if family else kind} reads no reference pictures, and the story has"
            " some",
            INSTEAD,
        )
    has, wanted = first.latent.shape[1], model.get_model_object("latent_format").latent_channels
    if has != wanted:
        remedy = "Give Story Reference the VAE of this model"
        raise InputError(
            "story",
            f"its references have {has} channels but the model's latents have {wanted}",
            remedy,
        )


def require_encoder(kind: Encoder, tokenizer: Any, references: Iterable[Reference]) -> None:
    """Raise InputError where a story has references and no model with such a text encoder and
    tokenizer reads any.
    """
    reads = kind.for_references and type(tokenizer).__name__ not in kind.not_by
    if any(True for _ in references) and not reads:
        raise InputError(
            "clip",
            f"it is of {kind.name}, which reads no reference pictures, and the story has some",
            INSTEAD,
        )
