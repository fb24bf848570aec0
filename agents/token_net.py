"""The network of the token policy: a small transformer that reads the ego, its neighbours, and what was said so far."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agents.token_view import ViewShape

_LEAST_SCALE, _MOST = 0.1, 10.0  # of inputs: the least deviation they are divided by, and what they are cut at after it


class Block(nn.Module):
    """Attention and a feed-forward net, each on normalised input and added to it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_a, self.norm_b = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor, allowed: Tensor, needed: Tensor | None = None) -> Tensor:
        """What becomes of x: float[N, L, width].

        Args:
            allowed: bool[N, 1, L, L], who may look at whom.
            needed: int64[M], the places whose values are needed, in the order in which they are given; all by default.
        """
        n, length, width = x.shape
        normal = self.norm_a(x)
        asking, x = (normal, x) if needed is None else (normal[:, needed], x[:, needed])
        allowed = allowed if needed is None else allowed[:, :, needed]
        weight, bias = self.qkv.weight, self.qkv.bias
        q = F.linear(asking, weight[:width], bias[:width])
        k, v = F.linear(normal, weight[width:], bias[width:]).chunk(2, dim=2)
        q, k, v = (part.view(n, -1, self.heads, width // self.heads).transpose(1, 2) for part in (q, k, v))
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
        x = x + self.out(seen.transpose(1, 2).reshape(n, -1, width))
        return x + self.narrow(F.gelu(self.wide(self.norm_b(x))))


class TokenNet(nn.Module):
    """Logits of the next token after 0, 1, ... said ones, and the value of the state.

    Everything that is seen may look at everything that is seen; what is said looks at that and at what was said before.
    A token's embedding is learned, plus a linear map of its geometry, so that tokens of like motion begin alike.
    """

    def __init__(
        self, shape: ViewShape, features: Tensor, length: int, width: int = 96, layers: int = 2, heads: int = 4
    ) -> None:
        """
        Args:
            shape: of the rows that are seen.
            features: float[V, F], the geometry of each token.
            length: tokens a decision.
        """
        super().__init__()
        self.shape = shape
        self.length = length
        vocabulary = len(features)
        self.register_buffer("features", features)
        self.register_buffer("ego_mean", torch.zeros(shape.ego))
        self.register_buffer("ego_scale", torch.ones(shape.ego))
        self.ego = nn.Sequential(nn.Linear(shape.ego, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.sets = nn.ModuleDict()
        for name, (_, values) in shape.sets.items():
            self.register_buffer(f"{name}_mean", torch.zeros(values))
            self.register_buffer(f"{name}_scale", torch.ones(values))
            self.sets[name] = nn.Sequential(nn.Linear(values, width), nn.GELU(), nn.Linear(width, width))
        if shape.image is not None:
            self.stem = nn.Sequential(
                nn.Conv2d(shape.image[0], 16, 8, 4), nn.GELU(), nn.Conv2d(16, 32, 4, 4), nn.GELU(),
                nn.Conv2d(32, width, 3, 2),
            )  # fmt: skip
            self.grid = nn.Parameter(torch.zeros(self.stem(torch.zeros(1, *shape.image)).flatten(2).shape[2], width))
        self.embedding = nn.Embedding(vocabulary, width)
        self.geometry = nn.Linear(features.shape[1], width, bias=False)
        self.place = nn.Parameter(0.02 * torch.randn(length, width))  # the k-th token is said from here
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.value_head = nn.Linear(width, 1)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.geometry.weight, std=0.02)  # a new policy is undecided
        nn.init.zeros_(self.value_head.weight)

    @torch.no_grad()
    def fit_scale(self, rows: dict[str, Tensor]) -> None:
        """Take mean and deviation of the inputs from data, so that all are of the order of one.

        What hardly varied in the data would be blown up where it does: a deviation counts as a tenth at least.
        """
        for name, values in [("ego", rows["ego"])] + [(n, rows[n][rows[f"{n}_mask"]]) for n in self.shape.sets]:
            if len(values) > 1:
                getattr(self, f"{name}_mean").copy_(values.mean(0))
                getattr(self, f"{name}_scale").copy_(values.std(0).clamp(min=_LEAST_SCALE))

    def forward(self, rows: dict[str, Tensor], said: Tensor) -> tuple[Tensor, Tensor]:
        """Logits float[N, t + 1, V] after 0..t tokens, and values float[N]. `said`: int64[N, t], t < length."""
        seen, present = self._see(rows)
        n, prefix, steps = len(seen), seen.shape[1], said.shape[1] + 1
        table = self.embedding.weight + self.geometry(self.features)
        spoken = self.place[:steps].expand(n, -1, -1)
        if steps > 1:
            spoken = spoken + F.pad(F.embedding(said, table), (0, 0, 1, 0))
        x = torch.cat([seen, spoken], dim=1)
        allowed = torch.ones(prefix + steps, prefix + steps, dtype=torch.bool)
        allowed[:prefix, prefix:] = False
        allowed[prefix:, prefix:] = torch.ones(steps, steps, dtype=torch.bool).tril()
        present = F.pad(present, (0, steps), value=True)
        mask = (allowed & present[:, None, :])[:, None]
        for block in self.blocks[:-1]:
            x = block(x, mask)
        # of the last block only the ego's place, for the value, and those that speak are needed
        needed = torch.cat([torch.zeros(1, dtype=torch.int64), torch.arange(prefix, prefix + steps)])
        x = self.norm(self.blocks[-1](x, mask, needed))
        return x[:, 1:] @ table.T, self.value_head(x[:, 0])[:, 0]

    def _see(self, rows: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Tokens float[N, L, width] of what is seen, and which of them are there."""
        parts = [self.ego(self._scaled(rows, "ego"))[:, None]]
        present = [torch.ones(len(parts[0]), 1, dtype=torch.bool)]
        for name in self.shape.sets:
            parts.append(self.sets[name](self._scaled(rows, name)))
            present.append(rows[f"{name}_mask"])
        if self.shape.image is not None:
            picture = self.stem(rows["image"].float() / 255.0).flatten(2).transpose(1, 2) + self.grid
            parts.append(picture)
            present.append(torch.ones(picture.shape[:2], dtype=torch.bool))
        return torch.cat(parts, dim=1), torch.cat(present, dim=1)

    def _scaled(self, rows: dict[str, Tensor], name: str) -> Tensor:
        mean, scale = getattr(self, f"{name}_mean"), getattr(self, f"{name}_scale")
        return ((rows[name].float() - mean) / scale).clamp(-_MOST, _MOST)
