"""Stand-ins for the VAEs of transformers: seeded, small, of any number of channels. What they
encode they do not decode to the same picture.
"""

import torch


class LinearVae:
    """Encodes a picture as linear sums of its patches of so many `pixels`, each another number of
    `channels`.

    `axes` are as many further axes of one item as a video model's latents have. Pictures that it
    decodes have `colours` channels: 4 are red, green, blue and opacity.
    """

    def __init__(self, channels: int, pixels: int = 8, axes: int = 0, colours: int = 3):
        self.channels, self.pixels, self.axes = channels, pixels, axes
        self.colours = colours
        generator = torch.Generator().manual_seed(channels)
        self.weights = torch.randn(channels, 3, pixels, pixels, generator=generator) / pixels
        self.encoded: list[tuple[int, ...]] = []

    def spacial_compression_encode(self) -> int:
        return self.pixels

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        self.encoded.append(tuple(pixels.shape))
        latent = torch.nn.functional.conv2d(
            pixels[..., :3].movedim(-1, 1) * 2 - 1, self.weights, stride=self.pixels
        )
        return latent.unflatten(2, (1,) * self.axes + (-1,)) if self.axes else latent

    def decode(self, samples: torch.Tensor) -> torch.Tensor:
        """[n, channels, h, w] -> [n, h * pixels, w * pixels, colours] in 0..1, rich in contrast:
        small models differ little. Opacity is 1.
        """
        latent = samples.flatten(2, -3).squeeze(2) if self.axes else samples
        rgb = torch.nn.functional.conv_transpose2d(
            4 * latent.float(), self.weights, stride=self.pixels
        )
        opaque = torch.ones_like(rgb[:, : self.colours - 3])
        return torch.cat([rgb.sigmoid(), opaque], dim=1).movedim(1, -1)
