"""A vision-language model as a policy: it says action tokens, writes waypoints, or has a regression head.

Sampling is a loop with a key-value cache; the update is one teacher-forced pass. Both apply the same restriction, which
the said tokens themselves tell: action tokens come out of a softmax over action tokens, all others out of a softmax
over text. So recomputed log-probabilities are those of the sampler.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from agents.policy import Decisions, LogProb, Policy, Rows, join_decisions, pick, take_rows
from agents.tokens.base import ActionTokens
from agents.tokens.bins import headings
from agents.tokens.files import load_tokens, save_tokens
from agents.vla.adapters import ActionRows, add_lora, recomputed_activations, vision_parameters
from agents.vla.answers import THINK_END, read_waypoints
from agents.vla.checkpoint import VlaParts, add_action_tokens, cache_name, load_parts, prepare_images, save_parts
from agents.vla.prompt import messages, prompt_text
from agents.vla.view import CameraView, VlaView
from envs.world import WorldBatch
from simulator.errors import AgentError

VERSION = 1
CONFIG, TOKENS, MODEL, ADAPTER = "vla.json", "tokens", "model", "adapter.safetensors"
TEXT_INTERVAL = 0.5  # s between written or regressed waypoints


@dataclass(frozen=True)
class VlaConfig:
    """How a vision-language model is used."""

    answer: Literal["tokens", "text", "regression"] = "tokens"
    """Action tokens, waypoints as text, or a regression head on pooled features."""
    think: bool = False
    """Let it reason first, between <think> and </think>."""
    max_think: int = 64
    """Tokens of the think section, after which the answer is asked for."""
    max_text: int = 64
    """Tokens of a written answer."""
    waypoints: int = 4
    """Waypoints of a written or regressed answer, 0.5 s apart."""
    cameras: tuple[CameraView, ...] = (CameraView(),)
    """Its rig."""
    lora_rank: int = 0
    """Rank of LoRA adapters on all linear layers of the language model; 0 trains all weights."""
    lora_alpha: float = 16.0
    """Scale of the adapters."""
    train_vision: bool = False
    """Without LoRA: train the vision tower too."""
    dtype: str = "float32"
    """Of the weights."""
    device: str = "cpu"
    """Where it runs."""
    attention: str = "sdpa"
    """Attention implementation of transformers."""
    checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, about a third more work."""
    max_batch: int = 64
    """Observations that go through the model at once where no gradients are wanted."""
    seed: int = 0
    """Of new rows, adapters and head."""


class RegressionHead(nn.Module):
    """Waypoints from the mean of the last layer's features over the prompt."""

    def __init__(self, width: int, waypoints: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 256), nn.GELU(), nn.Linear(256, 3 * waypoints))

    def forward(self, pooled: Tensor) -> Tensor:
        """float[N, W, 3] of float[N, width]."""
        return self.net(pooled).view(len(pooled), -1, 3)


class VlaPolicy(Policy):
    """Any family of `agents.vla.families`.

    Attributes:
        parts: model, tokenizer, image processor. tokens: what action tokens mean (answer "tokens").
    """

    name = "vla"

    def __init__(self, parts: VlaParts, config: VlaConfig, tokens: ActionTokens | None = None) -> None:
        """
        Raises:
            AgentError: when the answer needs action tokens and there are none, or they do not fit the checkpoint.
        """
        self.parts, self.config, self.tokens = parts, config, tokens
        self._rows: ActionRows | None = None
        self.head: RegressionHead | None = None
        if config.answer == "tokens":
            if tokens is None:
                raise AgentError("a policy that answers in action tokens needs their folder")
            add_action_tokens(parts, tokens.size, config.seed)
        parts.model.requires_grad_(False)
        with torch.random.fork_rng():
            torch.manual_seed(config.seed)
            if config.lora_rank:
                add_lora(parts.model, config.lora_rank, config.lora_alpha)
                if config.answer == "tokens":
                    self._rows = ActionRows(parts)
            else:
                vision = vision_parameters(parts.model)
                for name, parameter in parts.model.named_parameters():
                    parameter.requires_grad_(config.train_vision or name not in vision)
            if config.answer == "regression":
                width = parts.model.get_input_embeddings().weight.shape[1]
                self.head = RegressionHead(width, config.waypoints).to(config.device)
        parts.model.eval()
        self._cache = cache_name(parts.model)
        length = tokens.length if tokens is not None and config.answer == "tokens" else config.max_text
        self._answer_length = length
        self.sample_size = 0 if self.head else length + (config.max_think if config.think else 0)
        self._reference: dict[str, Tensor] | None = None

    @property
    def model(self) -> Any:
        """The model, adapters included."""
        return self.parts.model

    def observer(self, batch: WorldBatch) -> VlaView:
        return VlaView(batch, self.config.cameras)

    def view_spec(self) -> dict[str, Any]:
        return {"view": "cameras", "cameras": [dataclasses.asdict(camera) for camera in self.config.cameras]}

    def encode(self, rows: Rows) -> dict[str, Tensor]:
        """Left-padded model input of N observations."""
        parts, config = self.parts, self.config
        count, cameras = rows["images"].shape[:2]
        images = rows["images"].reshape(count * cameras, *rows["images"].shape[2:])
        features, sizes = prepare_images(parts, images)
        token = parts.tokenizer.convert_ids_to_tokens(parts.image_id)
        marker = parts.family.placeholder or token
        texts = []
        for k in range(count):
            words = prompt_text(rows, k, config.answer, config.think)
            text = parts.tokenizer.apply_chat_template(
                messages(cameras, words), tokenize=False, add_generation_prompt=True
            )
            pieces = text.split(marker)
            if len(pieces) != cameras + 1:
                raise AgentError(f"the chat template has {len(pieces) - 1} image placeholders for {cameras} pictures")
            spelled = [parts.family.spell(token, sizes[k * cameras + c]) for c in range(cameras)] + [""]
            texts.append("".join(piece + image for piece, image in zip(pieces, spelled, strict=True)))
        words_in = parts.tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        found = {"input_ids": words_in["input_ids"], "attention_mask": words_in["attention_mask"], **features}
        if parts.family.needs_types:
            found["mm_token_type_ids"] = (found["input_ids"] == parts.image_id).long()
        moved = {name: value.to(config.device) for name, value in found.items()}
        for name, value in moved.items():
            if value.is_floating_point():
                moved[name] = value.to(getattr(torch, config.dtype))
        return moved

    @torch.no_grad()
    def act(self, rows: Rows, uniforms: np.ndarray | None = None, *, n: int = 1, temperature: float = 1.0) -> Decisions:
        count = len(rows["speed"])
        parts = []
        for first in range(0, count, self.config.max_batch):
            at = np.arange(first, min(first + self.config.max_batch, count))
            drawn = None if uniforms is None else uniforms[at]
            parts.append(self._act(take_rows(rows, at), drawn, n, temperature))
        return parts[0] if len(parts) == 1 else join_decisions(parts)

    def _act(self, rows: Rows, uniforms: np.ndarray | None, n: int, temperature: float) -> Decisions:
        encoded = self.encode(rows)
        prompt = encoded["attention_mask"].sum(1).cpu().numpy().repeat(n)
        if self.head is not None:
            return self._regress(encoded, prompt, n)
        speeds = np.repeat(rows["speed"], n)
        drawn = None if uniforms is None else uniforms.reshape(len(speeds), -1)
        said = self._sample(encoded, drawn, n, temperature)
        trajectories, interval, reasons = self._read(said["tokens"], said["mask"], speeds)
        reasons = [good or bad for good, bad in zip(said["reasons"], reasons, strict=True)]
        valid = np.array([not reason for reason in reasons])
        trajectories[~valid] = 0.0
        return Decisions(
            said["tokens"], said["logp"], said["entropy"], said["mask"], valid, trajectories, interval, reasons, prompt
        )

    def logp(self, rows: Rows, tokens: np.ndarray, mask: np.ndarray, *, temperature: float = 1.0) -> LogProb:
        if self.head is not None:
            raise AgentError("a regression head has no log-probabilities of tokens; train it with imitation")
        most, count = self.config.max_batch, len(rows["speed"])
        if count > most and not torch.is_grad_enabled():
            parts = [
                self.logp(take_rows(rows, at), tokens[at], mask[at], temperature=temperature)
                for at in np.array_split(np.arange(count), -(-count // most))
            ]
            together = {
                name: torch.cat([getattr(part, name) for part in parts]) for name in ("logp", "entropy", "mask")
            }
            return LogProb(**together)
        encoded = self.encode(rows)
        said = torch.from_numpy(np.ascontiguousarray(tokens)).to(self.config.device)
        kept = torch.from_numpy(np.ascontiguousarray(mask)).to(self.config.device)
        said = torch.where(kept, said, torch.full_like(said, self.parts.tokenizer.pad_token_id))
        whole = {
            **encoded,
            "input_ids": torch.cat([encoded["input_ids"], said], 1),
            "attention_mask": torch.cat([encoded["attention_mask"], kept.long()], 1),
        }
        if "mm_token_type_ids" in encoded:
            whole["mm_token_type_ids"] = torch.cat([encoded["mm_token_type_ids"], torch.zeros_like(said)], 1)
        with recomputed_activations(self.model, self.config.checkpointing):
            out = self.model(**self._placed(whole), logits_to_keep=said.shape[1] + 1, use_cache=False)
        logits = out.logits[:, :-1]
        log, entropy = self._restricted(logits, said, temperature)
        zero = torch.zeros_like(log)
        return LogProb(torch.where(kept, log, zero).cpu(), torch.where(kept, entropy, zero).cpu(), kept.cpu())

    def label(self, trajectories: np.ndarray, speeds: np.ndarray) -> np.ndarray:
        if self.config.answer != "tokens" or self.tokens is None or self.config.think:
            raise AgentError("imitation is for answers in action tokens, without a think section")
        return self.tokens.encode(trajectories, speeds) + self.parts.action_low

    def regress(self, rows: Rows) -> Tensor:
        """float[N, W, 3] of the regression head, with gradients."""
        assert self.head is not None
        encoded = self.encode(rows)
        with recomputed_activations(self.model, self.config.checkpointing):
            return self.head(self._pooled(encoded))

    def trainable(self) -> Iterable[nn.Parameter]:
        yield from (p for p in self.model.parameters() if p.requires_grad)
        yield from self.undecayed()
        if self.head is not None:
            yield from self.head.parameters()

    def undecayed(self) -> list[nn.Parameter]:
        return [] if self._rows is None else self._rows.parameters()

    def size(self) -> tuple[int, int]:
        total = sum(p.numel() for p in self.model.parameters())
        return total, sum(p.numel() for p in self.trainable())

    @contextmanager
    def reference(self) -> Iterator[None]:
        """The trained weights as they were when this was first asked for; with LoRA adapters and action rows alone."""
        if self._reference is None:
            self._reference = self.state()
        now = self.state()
        self.load_state(self._reference)
        try:
            yield
        finally:
            self._reference = self.state()
            self.load_state(now)

    def state(self) -> dict[str, Tensor]:
        """Trainable weights; of embedding and head only the action rows where all else is frozen."""
        found = {name: p.detach().clone() for name, p in self.model.named_parameters() if p.requires_grad}
        if self._rows is not None:
            found |= {f"action_rows.{k}": rows for k, rows in enumerate(self._rows.values())}
        if self.head is not None:
            found |= {f"head.{name}": p.detach().clone() for name, p in self.head.named_parameters()}
        return found

    def load_state(self, state: dict[str, Tensor]) -> None:
        own = dict(self.model.named_parameters())
        if self.head is not None:
            own |= {f"head.{name}": p for name, p in self.head.named_parameters()}
        with torch.no_grad():
            for name, value in state.items():
                if not name.startswith("action_rows."):
                    own[name].copy_(value)
        if self._rows is not None:
            rows = sorted(name for name in state if name.startswith("action_rows."))
            if rows:
                self._rows.put([state[name] for name in rows])

    def save(self, folder: str | Path) -> None:
        """Write settings, action tokens, and the trained weights; the whole model where all of it is trained."""
        from safetensors.torch import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        about = {"format": "routegym-vla", "version": VERSION, "config": dataclasses.asdict(self.config)}
        if self.tokens is not None:
            save_tokens(self.tokens, folder / TOKENS)
        if self.config.lora_rank:
            base = str(self.model.config._name_or_path)
            about["base"] = str(Path(base).resolve()) if Path(base).exists() else base
            save_file({name: value.clone().contiguous() for name, value in self.state().items()}, folder / ADAPTER)
        else:
            save_parts(self.parts, folder / MODEL)
            if self.head is not None:
                head = {f"head.{name}": p.detach().clone() for name, p in self.head.named_parameters()}
                save_file(head, folder / ADAPTER)
        (folder / CONFIG).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, *, online: bool = False) -> VlaPolicy:
        """Read what `save` wrote.

        Raises:
            AgentError: when the folder holds no policy, or its base checkpoint cannot be loaded.
        """
        from safetensors.torch import load_file

        folder = Path(folder)
        try:
            about = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
            if about.get("format") != "routegym-vla" or about.get("version") != VERSION:
                raise AgentError(f"{folder / CONFIG}: expected version {VERSION} of routegym-vla")
            values = dict(about["config"])
            values["cameras"] = tuple(CameraView(**camera) for camera in values["cameras"])
            config = VlaConfig(**values)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AgentError(f"{folder} holds no vision-language policy that can be read: {error}") from error
        tokens = load_tokens(folder / TOKENS) if (folder / TOKENS).is_dir() else None
        base = about.get("base") or str(folder / MODEL)
        options = {"dtype": config.dtype, "device": config.device, "attention": config.attention}
        policy = cls(load_parts(base, online=online, **options), config, tokens)
        if (folder / ADAPTER).exists():
            policy.load_state(load_file(folder / ADAPTER))
        return policy

    def _placed(self, encoded: dict[str, Tensor]) -> dict[str, Tensor]:
        """With explicit positions, so that padding on the left moves nobody; Qwen-VL counts its own, in three axes."""
        if self.parts.family.needs_types:
            return encoded
        return {**encoded, "position_ids": (encoded["attention_mask"].cumsum(-1) - 1).clamp(min=0)}

    def _restricted(self, logits: Tensor, said: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """float[N, S] log-probability and entropy of said tokens, each under the restriction of its kind."""
        low, high = self.parts.action_low, self.parts.action_high
        scaled = logits.float() / temperature
        is_action = (said >= low) & (said < high)
        found, entropy = torch.zeros_like(scaled[..., 0]), torch.zeros_like(scaled[..., 0])
        if self.config.answer == "tokens":
            log = scaled[..., low:high].log_softmax(-1)
            chosen = log.gather(-1, (said - low).clamp(0, high - low - 1)[..., None])[..., 0]
            found = torch.where(is_action, chosen, found)
            entropy = torch.where(is_action, -(log.exp() * log).sum(-1), entropy)
        if self.config.answer == "text" or self.config.think:
            log = self._text_logits(scaled).log_softmax(-1)
            size = log.shape[-1]
            chosen = log.gather(-1, said.clamp(0, size - 1)[..., None])[..., 0]
            found = torch.where(is_action, found, chosen)
            plain = torch.where(torch.isfinite(log), log, torch.zeros_like(log))
            entropy = torch.where(is_action, entropy, -(log.exp() * plain).sum(-1))
        return found, entropy

    def _text_logits(self, logits: Tensor) -> Tensor:
        """Logits of text alone: no action tokens, no image placeholders."""
        text = logits[..., : self.parts.text_size].clone()
        text[..., self.parts.image_id] = -torch.inf
        return text

    def _sample(
        self, encoded: dict[str, Tensor], drawn: np.ndarray | None, n: int, temperature: float
    ) -> dict[str, Any]:
        """A prefill that `n` sequences share, then a token at a time for all; each goes through its own sections."""
        config, parts, model = self.config, self.parts, self.model
        count, steps = n * len(encoded["input_ids"]), self.sample_size
        low, high, end = parts.action_low, parts.action_high, parts.tokenizer.eos_token_id
        tokens = np.full((count, steps), parts.tokenizer.pad_token_id, np.int64)
        logp, entropy = np.zeros((count, steps), np.float32), np.zeros((count, steps), np.float32)
        mask = np.zeros((count, steps), bool)
        thinking = np.full(count, config.think)
        left = np.full(count, self._answer_length)
        thought = np.zeros(count, np.int64)
        reasons = [""] * count
        attention = encoded["attention_mask"].repeat_interleave(n, 0)
        out = model(**self._placed(encoded), logits_to_keep=1, use_cache=True)
        kept = {self._cache: getattr(out, self._cache)}
        last = out.logits[:, -1].repeat_interleave(n, 0)
        deltas = getattr(getattr(model, "model", None), "rope_deltas", None) if parts.family.needs_types else None
        if n > 1:
            kept[self._cache].batch_repeat_interleave(n)
            deltas = None if deltas is None else deltas.repeat_interleave(n, 0)
        for k in range(steps):
            running = left > 0
            if not running.any():
                break
            logits = last.float() / temperature
            as_action = ~thinking & (config.answer == "tokens")
            for choice, at in ((True, running & as_action), (False, running & ~as_action)):
                if not at.any():
                    continue
                part = logits[torch.from_numpy(at)]
                allowed = part[:, low:high] if choice else self._text_logits(part)
                log = allowed.log_softmax(-1).cpu().numpy()
                bad = np.isnan(log).any(axis=1)
                log[bad] = -np.log(log.shape[1])
                p = np.exp(log)
                chosen = log.argmax(axis=1) if drawn is None else pick(p, drawn[at, k])
                for index in np.flatnonzero(at)[bad]:
                    reasons[index] = "logits are not finite"
                tokens[at, k] = chosen + (low if choice else 0)
                logp[at, k] = np.take_along_axis(log, chosen[:, None], axis=1)[:, 0]
                entropy[at, k] = -(p * np.where(np.isfinite(log), log, 0.0)).sum(axis=1)
                mask[at, k] = True
            self._advance(tokens, k, running, thinking, thought, left, end)
            if k == steps - 1 or not (left > 0).any():
                break
            step = torch.from_numpy(tokens[:, k : k + 1]).to(config.device)
            alive = torch.from_numpy(mask[:, k : k + 1]).to(attention)
            attention = torch.cat([attention, alive], 1)
            place = (attention.cumsum(-1) - 1).clamp(min=0)[:, -1:]
            if deltas is not None:
                place = (place[None] + deltas[None]).expand(3, -1, -1)
            out = model(
                input_ids=step, attention_mask=attention, position_ids=place, use_cache=True, logits_to_keep=1, **kept
            )
            last = out.logits[:, -1]
        return {"tokens": tokens, "logp": logp, "entropy": entropy, "mask": mask, "reasons": reasons}

    def _advance(
        self, tokens: np.ndarray, k: int, running: np.ndarray, thinking: np.ndarray, thought: np.ndarray,
        left: np.ndarray, end: int,
    ) -> None:  # fmt: skip
        """Which section each sequence is in after its k-th token."""
        for b in np.flatnonzero(running):
            if thinking[b]:
                thought[b] += 1
                closed = THINK_END in self.parts.tokenizer.decode(tokens[b, max(k - 15, 0) : k + 1])
                thinking[b] = not closed and thought[b] < self.config.max_think and tokens[b, k] != end
            else:
                left[b] -= 1
                if self.config.answer == "text" and tokens[b, k] == end:
                    left[b] = 0

    def _read(self, tokens: np.ndarray, mask: np.ndarray, speeds: np.ndarray) -> tuple[np.ndarray, float, list[str]]:
        """Trajectories, the interval of their waypoints, and why an answer has none."""
        count = len(tokens)
        if self.config.answer == "tokens":
            assert self.tokens is not None
            trajectories = np.zeros((count, self.tokens.waypoints, 3))
            reasons = [""] * count
            for b in range(count):
                own = tokens[b][mask[b]]
                own = own[(own >= self.parts.action_low) & (own < self.parts.action_high)] - self.parts.action_low
                if len(own) < self.tokens.length:
                    reasons[b] = "too few tokens"
                else:
                    said = own[None, : self.tokens.length]
                    trajectories[b] = self.tokens.decode(said, speeds[b : b + 1])[0]
            return trajectories, self.tokens.interval, reasons
        trajectories, reasons = np.zeros((count, self.config.waypoints, 3)), []
        for b in range(count):
            text = self.parts.tokenizer.decode(tokens[b][mask[b]], skip_special_tokens=True)
            found, reason = read_waypoints(text, self.config.waypoints)
            reasons.append(reason)
            if found is not None:
                trajectories[b, :, :2] = found
                trajectories[b, :, 2] = headings(found[None])[0]
        return trajectories, TEXT_INTERVAL, reasons

    def _pooled(self, encoded: dict[str, Tensor]) -> Tensor:
        """float[N, width]: mean of the last layer's features over the prompt."""
        out = self.model(**self._placed(encoded), logits_to_keep=1, use_cache=False, output_hidden_states=True)
        features = out.hidden_states[-1].float()
        mask = encoded["attention_mask"][..., None].float()
        return (features * mask).sum(1) / mask.sum(1)

    def _regress(self, encoded: dict[str, Tensor], prompt: np.ndarray, n: int) -> Decisions:
        assert self.head is not None
        found = self.head(self._pooled(encoded)).double().cpu().numpy().repeat(n, axis=0)
        count = len(found)
        valid = np.isfinite(found).all(axis=(1, 2)) & (np.abs(found) < 1e3).all(axis=(1, 2))
        found[~valid] = 0.0
        nothing = np.zeros((count, 0), np.float32)
        reasons = ["" if good else "waypoints are not finite" for good in valid]
        return Decisions(
            nothing.astype(np.int64), nothing, nothing, nothing > 0, valid, found, TEXT_INTERVAL, reasons, prompt
        )
